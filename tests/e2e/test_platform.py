"""The whole way of a user on real Docker: up, both applications, no change, scale, lose a machine, interrupt, down."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.browser.look import look
from tests.e2e.platform import PREFIX, STACK, Platform, answering, fetch, leftovers, page, secrets_in, standing
from tests.e2e.visitors import visitors
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

WEB = "http://127.0.0.1:18080/"
BLOG = "http://127.0.0.1:18081/"
STATISTICS = "http://127.0.0.1:18404/"
SETTINGS = {
    "cloud": "local",
    "network": {"machines": "10.61.0.0/24"},
    "ssh": {"first_port": 22000},
    "services": {"web": {"replicas": 3, "port": 18080}, "wordpress": {"replicas": 3, "port": 18081}},
    "load_balancer": {"statistics_port": 18404},
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("project"), SETTINGS) as made:
        yield made


def test_this_worker_has_all_tests_on_real_docker(request: pytest.FixtureRequest) -> None:
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@e2e")


def ready_nodes(output: str) -> list[str]:
    """Names in the rows of the table of nodes that say ready."""
    return re.findall(r"^│ (\S+)\s*│ (?:manager|worker)\s*│ ready", output, re.MULTILINE)


def test_up_ends_with_nodes_services_and_urls(platform: Platform) -> None:
    output = platform.make("up").stdout
    assert ready_nodes(output) == ["manager-1", "manager-2", "manager-3", "worker-1", "worker-2"]
    assert re.search(r"wordpress\s.*3/3", output)
    assert WEB in output
    assert BLOG in output


def test_web_answers_through_the_load_balancer_from_tasks_on_different_nodes(platform: Platform) -> None:
    wait_for("the page", lambda: page(WEB))
    wait_for("three tasks", lambda: len(answering(WEB, "x-served-by", 12)) == 3)
    nodes = set(re.findall(r"(?:manager|worker)-\d", " ".join(fetch(WEB)[1] for _ in range(12))))
    assert len(nodes) >= 2


def test_wordpress_answers_with_a_finished_site(platform: Platform) -> None:
    site = wait_for("the site", lambda: page(BLOG))
    assert "Flotilla" in site
    assert "wp-admin/install.php" not in site
    wait_for("two tasks", lambda: len(answering(BLOG, "x-served-by", 12)) >= 2)


def test_a_person_sees_both_applications_in_a_browser(platform: Platform) -> None:
    blog = look(BLOG, wait_for="Flotilla")
    assert not blog.is_blank
    web = look(WEB, wait_for="service web")
    assert not web.is_blank
    assert re.search(r"node (?:manager|worker)-\d", web.text), web.text


def backends_up() -> int:
    """Nodes that the load balancer finds healthy, as its statistics page tells."""
    rows = fetch(f"{STATISTICS};csv")[1].splitlines()
    return sum(row.startswith("web,server") and ",UP," in row for row in rows)


def test_every_node_is_a_checked_backend(platform: Platform) -> None:
    wait_for("five backends", lambda: backends_up() == 5)


def test_a_second_up_changes_nothing(platform: Platform) -> None:
    platform.make("up", "ARGS=--expect-no-changes")


def test_a_refresh_finds_no_drift(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")


def test_the_state_is_private_and_holds_no_plain_secret(platform: Platform) -> None:
    state = platform.folder / ".flotilla" / "state"
    assert state.stat().st_mode & 0o077 == 0
    texts = [path.read_text(errors="replace") for path in state.rglob("*") if path.is_file()]
    assert texts
    assert not any("SWMTKN" in text or "PRIVATE KEY" in text for text in texts)


def test_no_secret_of_the_stack_is_said_stored_plainly_or_seen_in_docker(platform: Platform) -> None:
    secrets = set(secrets_in(platform.export("--show-secrets")))
    assert len(secrets) > 20
    engine = docker.from_env()
    containers = engine.containers.list(filters={"label": f"flotilla.stack={PREFIX}"})
    assert len(containers) == 7
    swarm = platform.on("manager-1", "docker service inspect $(docker service ls -q)")
    node = platform.on("worker-1", "docker inspect $(docker ps -q); cat /var/lib/cloud/seed/nocloud/*")
    places = {
        "output": "".join(platform.said),
        "containers": str([container.attrs for container in containers]),
        "services": swarm,
        "tasks and user data": node,
        **{
            str(path): path.read_text(errors="replace")
            for path in (platform.folder / ".flotilla" / "state").rglob("*")
            if path.is_file()
        },
    }
    assert "wordpress" in swarm
    assert "ssh_authorized_keys" in node
    leaks = {(name, secret[:6]) for name, text in places.items() for secret in secrets if seen_in(text, secret)}
    assert leaks == set()


def seen_in(text: str, secret: str) -> bool:
    """Whether a text holds a secret, as it is or with its line breaks escaped as in JSON."""
    return secret in text or secret.replace("\n", "\\n") in text


def test_the_private_key_of_the_user_is_nowhere_in_the_state(platform: Platform) -> None:
    key = (platform.folder / ".flotilla" / "id_ed25519").read_text().splitlines()[2]
    shown = str(platform.export())
    assert key not in shown


def test_three_replicas_become_five(platform: Platform) -> None:
    platform.write(web={"replicas": 5})
    output = platform.make("up").stdout
    assert re.search(r"~ 1 updated", output)
    wait_for("five tasks", lambda: len(answering(WEB, "x-served-by", 30)) == 5)


def test_a_worker_is_added_and_removed_and_the_site_stays_up(platform: Platform) -> None:
    platform.settings["workers"] = {"count": 3}
    platform.write()
    with visitors(WEB, "worker-3") as visits:
        assert "worker-3" in ready_nodes(platform.make("up").stdout)
        wait_for("a sixth backend", lambda: backends_up() == 6)
        del platform.settings["workers"]
        platform.write()
        output = platform.make("up").stdout
    assert visits.lost == [], str(visits)
    assert "worker-3" not in platform.on("manager-1", "docker", "node", "ls")
    assert re.search(r"swarm-node-worker-3 deleted", output)
    assert f"{PREFIX}-worker-3" not in leftovers()


def test_the_loss_of_a_manager_is_survived_and_healed(platform: Platform) -> None:
    machine = docker.from_env().containers.get(f"{PREFIX}-manager-1")
    machine.kill()
    wait_for("the site without it", lambda: page(WEB) and page(BLOG))
    machine.start()
    wait_for(
        "the manager back",
        lambda: len(re.findall("Reachable|Leader", platform.on("manager-2", "docker", "node", "ls"))) == 3,
    )
    platform.make("up", "ARGS=--expect-no-changes")


def test_machines_that_are_replaced_come_back_as_the_same_nodes_with_their_data(platform: Platform) -> None:
    nodes = sorted(platform.on("manager-2", "docker node ls --format '{{.Hostname}} {{.ID}}'").split("\n"))
    platform.settings["network"]["mtu"] = 1400
    platform.write()
    assert re.search(r"10 replaced", platform.make("up").stdout)
    assert sorted(platform.on("manager-2", "docker node ls --format '{{.Hostname}} {{.ID}}'").split("\n")) == nodes
    wait_for("both applications", lambda: page(WEB) and "Flotilla" in page(BLOG))


def test_a_killed_engine_loses_nothing(platform: Platform) -> None:
    platform.write(web={"replicas": 2})
    process = subprocess.Popen(
        ["bin/hermetic", "up", "--stack", STACK, "--yes", "--skip-preview"],
        cwd=platform.folder,
        env=platform.environment | platform.backend,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    deadline = time.monotonic() + 60
    for line in process.stdout:
        if "updating" in line or time.monotonic() > deadline:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    cancelled = subprocess.run(
        ["bin/hermetic", "cancel", "--stack", STACK, "--yes"],
        cwd=platform.folder,
        env=platform.environment | platform.backend,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "has been canceled" in cancelled.stdout, cancelled.stderr
    platform.make("up")
    platform.make("up", "ARGS=--expect-no-changes")


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
    assert not (platform.folder / ".flotilla" / "state").exists()
    assert not (platform.folder / ".flotilla" / "passphrase").exists()
    assert "encryptionsalt" not in Path(platform.stack_file).read_text()
