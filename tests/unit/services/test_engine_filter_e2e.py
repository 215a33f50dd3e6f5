"""The proxy before a real Docker Engine: what it answers, what it refuses, and that no way of writing a path leads past
it."""

import json
import secrets
import socket
from collections.abc import Callable, Generator
from http.client import HTTPConnection
from pathlib import Path

import docker
import pytest

from components.services.engine_filter import PORT, SOCKET, SWARM_PATHS, render
from components.services.haproxy import CONFIGURATION_PATH
from images import build, engine
from images.progress import Progress
from images.recipe import recipes
from tests.unit.images.containers import Started
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
COMMAND = ["haproxy", "-db", "-f", CONFIGURATION_PATH]


def _start(client: docker.APIClient, folder: Path, configuration: str) -> Started:
    """A container as the component says: root without capabilities, on a read-only file system."""
    file = folder / "haproxy.cfg"
    file.write_text(configuration)
    file.chmod(0o444)
    folder.chmod(0o755)
    identity: str = client.create_container(
        recipes()["haproxy"].reference,
        COMMAND,
        name=f"flotilla-test-{secrets.token_hex(3)}",
        user="0:0",
        ports=[PORT],
        host_config=client.create_host_config(
            binds=[f"{SOCKET}:{SOCKET}:ro", f"{file}:{CONFIGURATION_PATH}:ro"],
            cap_drop=["ALL"],
            read_only=True,
            port_bindings={PORT: ("127.0.0.1", None)},
        ),
    )["Id"]
    client.start(identity)
    return Started(client=client, identity=identity)


@pytest.fixture(scope="module")
def client() -> docker.APIClient:
    client = engine.connect()
    build.Builder(client=client, progress=Progress()).build(["haproxy"])
    return client


@pytest.fixture
def proxy(client: docker.APIClient, tmp_path: Path) -> Generator[Callable[[str], Started]]:
    """Starts a proxy with a configuration and waits until it answers."""
    started: list[Started] = []

    def start(configuration: str) -> Started:
        started.append(_start(client, tmp_path, configuration))
        one = started[-1]
        wait_for(
            lambda: f"a ping: {one.logs()}", lambda: one.run("curl", "-fsS", f"http://127.0.0.1:{PORT}/_ping")[0] == 0
        )
        return one

    try:
        yield start
    finally:
        for one in started:
            client.remove_container(one.identity, force=True, v=True)


def _ask(started: Started, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", started.port(PORT), timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def _raw(started: Started, request: str, *, end: bool = True) -> list[str]:
    """The status lines that come back for bytes as they are; with `end` no more will come, and the proxy may then leave
    requests that wait behind another unanswered."""
    with socket.create_connection(("127.0.0.1", started.port(PORT)), timeout=60) as connection:
        connection.sendall(request.encode())
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return [line for line in answer.decode(errors="replace").splitlines() if line.startswith("HTTP/")]


def test_a_reader_gets_what_is_named_and_nothing_else(proxy: Callable[[str], Started]) -> None:
    started = proxy(render((*SWARM_PATHS, "/containers/json", "/containers/{id}/json")))
    status, text = _ask(started, "/v1.41/containers/json?all=1")
    assert status == 200
    assert started.identity in [container["Id"] for container in json.loads(text)]
    assert _ask(started, f"/containers/{started.identity}/json")[0] == 200
    assert _ask(started, "/version")[0] == 200
    # The engine's own answer where there is no swarm.
    assert _ask(started, "/nodes")[0] in {200, 503}

    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "get"):
        assert _ask(started, "/v1.41/containers/json", method)[0] in {403, 400}, method
    for path in (
        *("/swarm", "//swarm", "/v1.41/swarm", "/v1.41//swarm", "/containers/../swarm", "/containers/..%2fswarm"),
        *("/nodes/../swarm", "/nodes/%2e%2e/swarm", "/%73warm", "/v1.41/%73%77arm", "/swarm?x=/nodes", "/./swarm"),
        *("/secrets", "/configs", f"/containers/{started.identity}/logs", "/images/json", "/swarm#/nodes", "*"),
        *("http://docker/swarm", "http://docker/nodes", "/events", f"/containers/{started.identity}/top", "/nodes/"),
    ):
        assert _ask(started, path)[0] in {403, 400}, path
    assert _ask(started, "/swarm")[0] == 403
    assert _ask(started, "/containers/../swarm")[0] == 403
    started.says("/containers/../swarm")


def test_no_second_request_comes_through_behind_an_allowed_one(proxy: Callable[[str], Started]) -> None:
    started = proxy(render(SWARM_PATHS))
    hidden = "GET /swarm HTTP/1.1\r\nHost: x\r\n\r\n"
    for header in (f"Content-Length: {len(hidden)}", "Transfer-Encoding: chunked", "Content-Length:"):
        lines = _raw(started, f"GET /version HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n{hidden}")
        assert lines
        assert not any(" 200 " in line for line in lines), header
    # One after the other on a connection that is kept: each is looked at.
    first = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    last = "GET /swarm HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert [line.split()[1] for line in _raw(started, first + last, end=False)] == ["200", "403"]
    upgrade = "GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert [line.split()[1] for line in _raw(started, upgrade)] == ["200"]


def test_a_writer_changes_what_is_named_and_still_sees_no_token(proxy: Callable[[str], Started]) -> None:
    started = proxy(render(("/volumes/create", "/volumes/{id}"), "write"))
    name = f"flotilla-test-{secrets.token_hex(3)}"
    connection = HTTPConnection("127.0.0.1", started.port(PORT), timeout=60)
    connection.request("POST", "/volumes/create", json.dumps({"Name": name}), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 201
    assert _ask(started, f"/volumes/{name}", "DELETE")[0] == 204
    assert _ask(started, "/swarm")[0] == 403
    assert _ask(started, "/containers/create", "POST", "{}")[0] == 403


def test_the_proxy_has_no_capability_and_ends_when_it_is_told(proxy: Callable[[str], Started]) -> None:
    started = proxy(render(SWARM_PATHS))
    assert "CapEff:\t0000000000000000" in started.run("cat", "/proc/1/status")[1]
    assert started.run("touch", "/usr/local/etc/haproxy/other")[0] != 0
    assert started.stop() == 0
