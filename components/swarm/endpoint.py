"""The way into the swarm for pulumi-docker: a provider that reaches a manager over SSH with a pinned host key."""

import shlex
from collections.abc import Sequence

import pulumi
import pulumi_docker as docker


def ssh_options(
    identity_file: str, address: pulumi.Input[str], host_key: pulumi.Input[str]
) -> pulumi.Output[list[str]]:
    """Options for the system's `ssh`: this key alone, this host key alone, no questions.

    `address` is `[host]:port` or `host`, as known_hosts writes it; `host_key` is `ssh-ed25519 AAAA…`. The host key
    comes by KnownHostsCommand, so that no known_hosts file has to exist where the provider plugin runs.
    """
    return pulumi.Output.all(address, host_key).apply(lambda pair: ssh_arguments(identity_file, pair[0], pair[1]))


def ssh_arguments(identity_file: str, address: str, host_key: str) -> list[str]:
    """The same options from plain values."""
    settings = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "PasswordAuthentication": "no",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "KnownHostsCommand": f"/bin/echo {address} {host_key}",
        "ServerAliveInterval": "10",
        "LogLevel": "ERROR",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return ["-i", identity_file, *options]


def docker_provider(
    name: str,
    *,
    host: pulumi.Input[str],
    known_as: pulumi.Input[str],
    host_key: pulumi.Input[str],
    identity_file: str,
    proxy_command: pulumi.Input[str] | None = None,
    opts: pulumi.ResourceOptions,
) -> docker.Provider:
    """A docker.Provider for the engine at `host` (`ssh://user@address:port`)."""
    options = ssh_options(identity_file, known_as, host_key)
    if proxy_command is not None:
        options = pulumi.Output.all(options, proxy_options(proxy_command)).apply(lambda both: [*both[0], *both[1]])
    return docker.Provider(name, host=host, ssh_opts=options, opts=opts)


def proxy_options(command: pulumi.Input[str] | None) -> pulumi.Input[Sequence[str]]:
    """Words that make ssh go through `command` (its ProxyCommand); none when machines are reached directly."""
    if command is None:
        return ()
    return pulumi.Output.from_input(command).apply(lambda text: ["-o", f"ProxyCommand={text}"])


def jump_command(identity_file: str, user: str, address: str, host_key: str) -> str:
    """The ProxyCommand that goes through a bastion whose host key is known: the same options, to the same standard."""
    words = ["ssh", *ssh_arguments(identity_file, address, host_key), "-W", "[%h]:%p", "-l", user, "--", address]
    # ssh hands the command to a shell; what is no word of ssh's own (%h, %p) goes through it untouched.
    return shlex.join(words)


def known_hosts_name(endpoint: str) -> str:
    """`ssh://root@127.0.0.1:2211` as known_hosts writes it: `[127.0.0.1]:2211`."""
    address, _, port = endpoint.rpartition("@")[2].partition(":")
    return address if port in ("", "22") else f"[{address}]:{port}"
