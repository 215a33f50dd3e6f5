"""One way to a daemon per provider instance: opened late, opened again when it died, closed at the end."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from hermetic.providers.docker import connection as module
from hermetic.providers.docker.connection import Connection, registry_of
from hermetic.providers.driver import ProviderError
from plugins.swarm.ssh import SshError


@dataclass(slots=True)
class Tunnel:
    """What `connect_docker` gives, without a daemon."""

    alive: bool = True
    closed: bool = False
    client: Any = field(default_factory=object)

    def close(self) -> None:
        self.closed = True


@dataclass(slots=True)
class Network:
    """Records the tunnels that were opened, and refuses when told to."""

    opened: list[Tunnel] = field(default_factory=list)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    refusal: SshError | None = None

    def connect(self, host: str, ssh_options: Sequence[str] = (), timeout: float = 0) -> Tunnel:
        del timeout
        self.asked.append((host, list(ssh_options)))
        if self.refusal:
            raise self.refusal
        self.opened.append(Tunnel())
        return self.opened[-1]


@pytest.fixture(name="network")
def network_fixture(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr(module, "connect_docker", network.connect)
    return network


@pytest.fixture(name="connection")
def connection_fixture(network: Network) -> Connection:
    del network
    connection = Connection()
    connection.configure({"host": "ssh://root@h:22", "sshOpts": '["-i", "key"]'})
    return connection


def test_the_way_is_opened_when_first_needed_and_once(network: Network, connection: Connection) -> None:
    assert network.asked == []
    with connection.client() as first, connection.client() as second:
        assert first is second
    assert network.asked == [("ssh://root@h:22", ["-i", "key"])]


def test_a_tunnel_that_died_is_opened_again(network: Network, connection: Connection) -> None:
    with connection.client():
        network.opened[0].alive = False
    with connection.client() as client:
        assert client is network.opened[1].client
    assert network.opened[0].closed


def test_a_connection_that_breaks_under_an_operation_is_opened_again_for_the_next(
    network: Network, connection: Connection
) -> None:
    told = "failed to connect to the Docker daemon at ssh://root@h:22: reset"
    with pytest.raises(ProviderError, match=told), connection.client():
        raise requests.exceptions.ConnectionError("reset")
    with connection.client():
        assert len(network.opened) == 2


def test_what_ssh_says_is_the_error(network: Network, connection: Connection) -> None:
    network.refusal = SshError("Permission denied (publickey)")
    with (
        pytest.raises(ProviderError, match=r"at ssh://root@h:22: Permission denied \(publickey\)"),
        connection.client(),
    ):
        pass


def test_closing_ends_the_tunnel(network: Network, connection: Connection) -> None:
    with connection.client():
        pass
    connection.close()
    assert network.opened[0].closed


def test_the_host_of_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert Connection().host == "tcp://10.0.0.1:2375"
    monkeypatch.delenv("DOCKER_HOST")
    assert Connection().host == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("library/nginx:1", "docker.io"),
        ("10.0.0.1:5000/nginx@sha256:0", "10.0.0.1:5000"),
        ("localhost/nginx", "localhost"),
        ("ghcr.io/a/b:1", "ghcr.io"),
    ],
)
def test_an_image_names_its_registry(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def login(header: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(header))


def test_credentials_go_only_to_their_own_registry() -> None:
    connection = Connection()
    entries = [{"address": "https://r.example/v2/", "username": "u", "password": "p"}]
    connection.configure({"registryAuth": json.dumps(entries)})
    assert login(connection.registry_auth("r.example/a:1"))["password"] == "p"
    assert login(connection.registry_auth("other.example/a:1")) == {}
    own = connection.registry_auth("r.example/a:1", {"serverAddress": "r.example", "username": "me", "password": "q"})
    assert login(own)["username"] == "me"


def test_credentials_of_a_docker_config_file_are_found(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"r.example": {"auth": base64.b64encode(b"u:p").decode()}}}))
    connection = Connection()
    connection.configure({"registryAuth": [{"address": "r.example", "configFile": str(file)}]})
    assert login(connection.registry_auth("r.example/a:1"))["username"] == "u"
