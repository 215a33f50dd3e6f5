"""What has to be true of this computer before the local cloud is begun: Docker answers, ports and addresses are free,
and no machines of a forgotten stack are in the way. `make up` asks before the engine does anything."""

import argparse
import errno
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import docker
import docker.errors
import requests
import yaml

from components.clouds.local.labels import STACK_LABEL
from components.plan.addresses import host_number
from stacks.errors import SettingsError
from stacks.load import parse_settings, stack_file
from stacks.plan import PROJECT, Plan, make_plan, published_ports
from stacks.settings import Settings

_ANSWER_SECONDS = 10


def main() -> int:
    """Exit with one line on standard error for the first thing that is in the way."""
    parser = argparse.ArgumentParser(prog="stacks.preflight", description=__doc__)
    parser.add_argument("--stack", default="dev")
    stack = parser.parse_args().stack
    try:
        settings = stack_file_settings(stack)
        plan = make_plan(stack, settings)
        check(connect(settings.local.docker_host), plan, settings)
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
