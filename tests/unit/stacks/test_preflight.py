"""What is in the way on this computer is said in one line before anything is begun."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings, stack_file
from stacks.plan import make_plan
from stacks.preflight import check, connect, stack_file_settings


class Engine:
    """As much of a Docker client as the checks ask."""

    def __init__(self, *, ports: list[dict[str, Any]] | None = None, subnet: str = "172.17.0.0/16") -> None:
        self.ports = ports or []
        self.subnet = subnet

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Ports": self.ports}]

    def networks(self) -> list[dict[str, Any]]:
        return [{"Name": "office", "IPAM": {"Config": [{"Subnet": self.subnet}, {"Subnet": "fd00::/64"}]}}]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 on which something listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def refusal(engine: Engine, **settings: Any) -> str:
    parsed = parse_settings({"ssh": {"first_port": 31000}, **settings})
    with pytest.raises(SettingsError) as refused:
        check(engine, make_plan("dev", parsed), parsed)  # pyright: ignore[reportArgumentType]
    return str(refused.value)


def test_a_port_that_another_program_has_is_named_with_its_setting(taken: int) -> None:
    assert refusal(Engine(), services={"web": {"port": taken}, "wordpress": None}) == (
        f"services.web.port is {taken}: another program has it on 127.0.0.1; end that program, or use another port"
    )


def test_a_port_of_our_own_container_is_not_in_the_way(taken: int) -> None:
    ours = [{"IP": "127.0.0.1", "PublicPort": taken}]
    message = refusal(Engine(ports=ours, subnet="10.60.0.0/16"), services={"web": {"port": taken}, "wordpress": None})
    assert message.startswith("network.machines")


def test_an_address_that_this_computer_does_not_have_is_refused() -> None:
    assert refusal(Engine(), load_balancer={"address": "192.0.2.1"}) == (
        "services.web.port is 8080: this computer has no address 192.0.2.1; use load_balancer.address 127.0.0.1"
    )


def test_a_network_of_docker_that_overlaps_is_named(taken: int) -> None:
    services = {"web": {"port": taken + 1}, "wordpress": None}
    assert refusal(Engine(subnet="10.60.0.0/16"), services=services, load_balancer={"statistics_port": taken + 2}) == (
        "network.machines is '10.60.0.0/24': Docker's network office has 10.60.0.0/16; "
        "use another range, or remove that network"
    )


def test_a_docker_that_does_not_answer_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        connect("unix:///nowhere/docker.sock")
    assert str(refused.value) == (
        "local.docker_host is 'unix:///nowhere/docker.sock': no Docker answers there; start it, or name the one to use"
    )


def test_a_stack_without_a_file_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").touch()
    with pytest.raises(SettingsError) as refused:
        stack_file("prod", tmp_path)
    assert str(refused.value) == ("STACK is 'prod': there is no Pulumi.prod.yaml; use one of dev, or write that file")


def test_the_settings_of_the_stack_file_are_those_of_the_stack() -> None:
    assert stack_file_settings("dev").workers.count == 2
