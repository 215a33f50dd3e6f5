"""What has to be true before a stack is begun: on the local cloud Docker answers, ports and addresses are free; on a
cloud that rents machines there are an engine that can reach it and credentials. `make up` asks before the engine does
anything."""

import argparse
import errno
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
import yaml

from components.clouds.local.labels import STACK_LABEL
from components.plan.addresses import host_number
from stacks.composed import balanced_ports, load_composed
from stacks.errors import SettingsError
from stacks.load import PROJECT_FOLDER, parse_settings, stack_file
from stacks.plan import PROJECT, Plan, make_plan, published_ports
from stacks.settings import Settings

_ANSWER_SECONDS = 10
_AWS_VARIABLES = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def main() -> int:
    """Exit with one line on standard error for the first thing that is in the way."""
    parser = argparse.ArgumentParser(prog="stacks.preflight", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    arguments = parser.parse_args()
    stack: str = arguments.stack
    try:
        settings = stack_file_settings(stack)
        plan = make_plan(stack, settings, load_composed(settings, PROJECT_FOLDER))
        if settings.cloud == "local":
            check(connect(settings.local.docker_host), plan, settings)
        else:
            check_engine(stack, settings.cloud, Path(arguments.engine).name)
            check_credentials(settings, os.environ, Path.home())
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def stack_file_settings(stack: str) -> Settings:
    """The settings as they stand in the stack file, which are those that the engine will hand over."""
    path = stack_file(stack)
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from None
    config: dict[str, Any] = (document if isinstance(document, dict) else {}).get("config") or {}
    prefix = f"{PROJECT}:"
    return parse_settings({key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)})


def identity_file(stack: str) -> str:
    """The private key that opens the stack's machines, as its settings name it."""
    return str(PROJECT_FOLDER / stack_file_settings(stack).ssh.identity_file)


def check_engine(stack: str, cloud: str, engine: str) -> None:
    """SettingsError for the engine of this repository, which has no plugin for a rented cloud."""
    if engine == "hermetic":
        raise SettingsError(
            f"stack {stack} is on cloud {cloud}, which only the Pulumi CLI can change: install it "
            f"(https://www.pulumi.com/docs/install/); without it, `make preview STACK={stack}` shows what it would do"
        )


def check_credentials(settings: Settings, environment: Mapping[str, str], home: Path) -> None:
    """SettingsError when nothing is there that the cloud's provider could log in with.

    Whether it may do what it is asked for, the cloud itself says.
    """
    if settings.cloud == "aws" and not _has_aws_credentials(environment, home):
        raise SettingsError(
            "AWS credentials are missing: set AWS_PROFILE (and log in: `aws sso login`), or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    if settings.cloud == "openstack" and not _has_openstack_credentials(settings, environment, home):
        wanted = settings.openstack.cloud or "openstack.cloud, OS_CLOUD or OS_AUTH_URL"
        raise SettingsError(
            f"OpenStack credentials are missing: no clouds.yaml names {wanted}; write one (./clouds.yaml or "
            "~/.config/openstack/clouds.yaml), or set OS_AUTH_URL with OS_APPLICATION_CREDENTIAL_ID and "
            "OS_APPLICATION_CREDENTIAL_SECRET"
        )


def _has_aws_credentials(environment: Mapping[str, str], home: Path) -> bool:
    """The places that AWS's SDKs look in, but for a machine's own role: only a request would tell."""
    if environment.get("AWS_ACCESS_KEY_ID") and not environment.get("AWS_SECRET_ACCESS_KEY"):
        return False
    files = (environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials",)
    return any(environment.get(name) for name in _AWS_VARIABLES) or any(Path(file).is_file() for file in files)


def _has_openstack_credentials(settings: Settings, environment: Mapping[str, str], home: Path) -> bool:
    """A clouds.yaml that knows the cloud, or an address to log in at with something to log in with."""
    name = settings.openstack.cloud or environment.get("OS_CLOUD")
    if name is None:
        secret = ("OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_TOKEN")
        return bool(environment.get("OS_AUTH_URL")) and any(environment.get(one) for one in secret)
    own = environment.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(own)] if own else [Path("clouds.yaml"), home / ".config" / "openstack" / "clouds.yaml"]
    return any(name in _clouds_in(place) for place in [*places, Path("/etc/openstack/clouds.yaml")])


def _clouds_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError:
        raise SettingsError(f"{path} is no YAML; correct it") from None
    clouds = document.get("clouds") if isinstance(document, dict) else None
    return set(clouds) if isinstance(clouds, dict) else set()


def check(client: docker.APIClient, plan: Plan, settings: Settings) -> None:
    """SettingsError for the first thing in the way."""
    own = client.containers(all=True, filters={"label": f"{STACK_LABEL}={plan.prefix}"})
    ours = {(port.get("IP"), port.get("PublicPort")) for container in own for port in container.get("Ports", [])}
    for field, address, port in _ports(plan, settings):
        if (address, port) not in ours:
            _check_port(field, address, port)
    _check_network(client, plan)


def connect(docker_host: str) -> docker.APIClient:
    """A client of a Docker that answers."""
    try:
        client = docker.APIClient(docker_host, timeout=_ANSWER_SECONDS, version="auto")
        client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError):
        raise SettingsError(
            f"local.docker_host is '{docker_host}': no Docker answers there; start it, or name the one to use"
        ) from None
    return client


def _ports(plan: Plan, settings: Settings) -> Iterator[tuple[str, str, int]]:
    """(setting, address, port) of everything that listens on this computer."""
    balancer = settings.load_balancer
    for service, port in published_ports(settings).items():
        yield f"services.{service}.port", balancer.address, port
    for route, port in balanced_ports(plan.composed).items():
        yield f"port of {route}", balancer.address, port
    yield "load_balancer.statistics_port", balancer.address, balancer.statistics_port
    for spec in plan.specs:
        port = settings.ssh.first_port + host_number(spec.name)
        yield f"ssh.first_port: port of {spec.name}", "127.0.0.1", port


def _check_port(field: str, address: str, port: int) -> None:
    """Listening for a moment is the one sure way to learn that a port is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As Docker's own proxy does, so that connections which just ended are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason, fix = f"another program has it on {address}", "end that program, or use another port"
            elif error.errno == errno.EADDRNOTAVAIL:
                reason, fix = f"this computer has no address {address}", "use load_balancer.address 127.0.0.1"
            else:
                reason, fix = error.strerror or str(error), "use another port"
            raise SettingsError(f"{field} is {port}: {reason}; {fix}") from None


def _check_network(client: docker.APIClient, plan: Plan) -> None:
    for network in client.networks():
        if network["Name"] == plan.prefix:
            continue
        for config in (network.get("IPAM") or {}).get("Config") or []:
            subnet = config.get("Subnet", "")
            if ":" not in subnet and subnet and IPv4Network(subnet).overlaps(plan.addresses.machine_network):
                raise SettingsError(
                    f"network.machines is '{plan.addresses.machine_network}': Docker's network {network['Name']} has "
                    f"{subnet}; use another range, or remove that network"
                )


if __name__ == "__main__":
    sys.exit(main())
