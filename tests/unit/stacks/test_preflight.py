"""What is in the way on this computer is said in one line before anything is begun."""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings, stack_file
from stacks.plan import make_plan
from stacks.preflight import check, check_credentials, check_engine, connect, stack_file_settings
from stacks.settings import Settings


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
    with listening() as port:
        yield port


@pytest.fixture
def statistics() -> Iterator[int]:
    """Another one."""
    with listening() as port:
        yield port


@contextmanager
def listening() -> Generator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def ours(*ports: int) -> list[dict[str, Any]]:
    """The ports of a container of the stack: whatever else runs on this computer, they are not in the way."""
    return [{"IP": "127.0.0.1", "PublicPort": port} for port in ports]


def refusal(engine: Engine, **settings: Any) -> str:
    parsed = parse_settings({"ssh": {"first_port": 31000}, **settings})
    with pytest.raises(SettingsError) as refused:
        check(engine, make_plan("dev", parsed), parsed)  # pyright: ignore[reportArgumentType]
    return str(refused.value)


def test_a_port_that_another_program_has_is_named_with_its_setting(taken: int) -> None:
    assert refusal(Engine(), services={"web": {"port": taken}, "wordpress": None}) == (
        f"services.web.port is {taken}: another program has it on 127.0.0.1; end that program, or use another port"
    )


def test_a_port_of_our_own_container_is_not_in_the_way(taken: int, statistics: int) -> None:
    engine = Engine(ports=ours(taken, statistics), subnet="10.60.0.0/16")
    settings = {"services": {"web": {"port": taken}, "wordpress": None}}
    assert refusal(engine, **settings, load_balancer={"statistics_port": statistics}).startswith("network.machines")


def test_an_address_that_this_computer_does_not_have_is_refused() -> None:
    assert refusal(Engine(), load_balancer={"address": "192.0.2.1"}) == (
        "services.web.port is 8080: this computer has no address 192.0.2.1; use load_balancer.address 127.0.0.1"
    )


def test_a_network_of_docker_that_overlaps_is_named(taken: int, statistics: int) -> None:
    engine = Engine(ports=ours(taken, statistics), subnet="10.60.0.0/16")
    services = {"web": {"port": taken}, "wordpress": None}
    assert refusal(engine, services=services, load_balancer={"statistics_port": statistics}) == (
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


def rented(cloud: str, **settings: Any) -> Settings:
    return parse_settings({"cloud": cloud, **settings})


def lacking(settings: Settings, environment: dict[str, str], home: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        check_credentials(settings, environment, home)
    return str(refused.value)


def test_the_engine_of_this_repository_never_changes_a_rented_cloud() -> None:
    with pytest.raises(SettingsError) as refused:
        check_engine("production", "aws", "hermetic")
    assert str(refused.value) == (
        "stack production is on cloud aws, which only the Pulumi CLI can change: install it "
        "(https://www.pulumi.com/docs/install/); without it, `make preview STACK=production` shows what it would do"
    )
    check_engine("production", "aws", "pulumi")


def test_missing_credentials_of_aws_are_named_with_what_to_set(tmp_path: Path) -> None:
    assert lacking(rented("aws"), {}, tmp_path) == (
        "AWS credentials are missing: set AWS_PROFILE (and log in: `aws sso login`), or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY"
    )


def test_half_a_key_of_aws_is_no_credential(tmp_path: Path) -> None:
    assert lacking(rented("aws"), {"AWS_ACCESS_KEY_ID": "AKIA"}, tmp_path).startswith("AWS credentials are missing")


def test_a_profile_a_key_pair_or_a_file_are_credentials_of_aws(tmp_path: Path) -> None:
    check_credentials(rented("aws"), {"AWS_PROFILE": "work"}, tmp_path)
    check_credentials(rented("aws"), {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"}, tmp_path)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").touch()
    check_credentials(rented("aws"), {}, tmp_path)


def test_missing_credentials_of_openstack_are_named_with_what_to_set(tmp_path: Path) -> None:
    assert lacking(rented("openstack", openstack={"cloud": "site"}), {}, tmp_path) == (
        "OpenStack credentials are missing: no clouds.yaml names site; write one (./clouds.yaml or "
        "~/.config/openstack/clouds.yaml), or set OS_AUTH_URL with OS_APPLICATION_CREDENTIAL_ID and "
        "OS_APPLICATION_CREDENTIAL_SECRET"
    )


def test_an_address_alone_does_not_log_in_to_openstack(tmp_path: Path) -> None:
    environment = {"OS_AUTH_URL": "https://keystone.example.com"}
    assert lacking(rented("openstack"), environment, tmp_path).startswith("OpenStack credentials are missing")
    check_credentials(rented("openstack"), {**environment, "OS_APPLICATION_CREDENTIAL_SECRET": "x"}, tmp_path)


def test_a_clouds_yaml_that_knows_the_cloud_is_a_credential_of_openstack(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text("clouds: {site: {auth: {auth_url: https://keystone.example.com}}}")
    check_credentials(rented("openstack", openstack={"cloud": "site"}), {}, tmp_path)
    check_credentials(rented("openstack"), {"OS_CLOUD": "site"}, tmp_path)
    assert "names other" in lacking(rented("openstack", openstack={"cloud": "other"}), {}, tmp_path)
