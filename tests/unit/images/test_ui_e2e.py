"""The image of the page on real Docker, before an engine's answers: who it runs as, when it is healthy, what is seen in
a browser, and how it ends."""

import secrets
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from images import build, engine
from images.progress import Progress
from images.recipe import recipes
from tests.browser.look import look
from tests.unit.images.containers import Started
from tests.unit.images.engine_answers import Engine, serving
from tests.unit.images.test_ui import PASSWORD
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
_SECRET = "/run/secrets/ui-password"
# Below those that the system gives to whoever asks for any.
_PORT = 28950


@dataclass(frozen=True, kw_only=True)
class Served:
    """The page, the engine behind it, and where it is."""

    container: Started
    engine: Engine
    address: str


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    """The page in the network of the host, where the engine's answers are."""
    client = engine.connect()
    build.Builder(client=client, progress=Progress()).build(["ui"])
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    tmp_path.chmod(0o755)
    with serving() as answering:
        identity: str = client.create_container(
            recipes()["ui"].reference,
            name=f"flotilla-test-{secrets.token_hex(3)}",
            environment={"UI_ENGINE": answering.endpoint, "UI_PASSWORD_FILE": _SECRET, "UI_PORT": str(_PORT)},
            host_config=client.create_host_config(
                network_mode="host", binds=[f"{password}:{_SECRET}:ro"], cap_drop=["ALL"], read_only=True
            ),
        )["Id"]
        started = Started(client=client, identity=identity)
        try:
            client.start(identity)
            wait_for(lambda: f"a healthy page: {started.logs()}", lambda: started.run("ui-health")[0] == 0)
            yield Served(container=started, engine=answering, address=f"127.0.0.1:{_PORT}")
        finally:
            client.remove_container(identity, force=True, v=True)


def test_a_person_sees_nodes_and_services_in_a_browser_and_only_with_the_password(served: Served) -> None:
    page = look(f"http://admin:{PASSWORD}@{served.address}/basic", wait_for="manager-1", budget=2)
    assert "web replicated 2/3 registry:5000/web@sha256:0123456789ab" in page.text
    assert not page.is_blank
    form = look(f"http://{served.address}/", wait_for="Log in", budget=2)
    assert "manager-1" not in form.dom
    assert not form.is_blank


def test_it_is_healthy_when_it_can_list_services_and_not_when_it_only_runs(served: Served) -> None:
    served.engine.told.pop("/services?status=true")
    wait_for("the check to fail", lambda: served.container.run("ui-health")[0] != 0)
    assert served.container.run("curl", "-fsS", f"http://{served.address}/alive") == (0, "ok\n")
    served.container.says("was answered with 503: This node is not a swarm manager.")


def test_it_runs_without_root_and_ends_when_it_is_told(served: Served) -> None:
    assert served.container.run("id", "-un") == (0, "ui\n")
    assert served.container.stop() == 0


def test_without_engine_or_password_it_says_what_is_missing_and_ends(served: Served) -> None:
    client = served.container.client
    for environment, line in (
        ({}, "ui-start: UI_ENGINE is not set\n"),
        (
            {"UI_ENGINE": "tcp://x:1", "UI_PASSWORD_FILE": "/dev/null"},
            "no password in UI_PASSWORD_FILE: the password is empty",
        ),
    ):
        identity: str = client.create_container(recipes()["ui"].reference, environment=environment)["Id"]
        try:
            client.start(identity)
            assert client.wait(identity)["StatusCode"] == 1
            Started(client=client, identity=identity).says(line)
        finally:
            client.remove_container(identity, v=True)
