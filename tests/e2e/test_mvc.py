"""The MVC application on real Docker as a user has it: five tasks on labelled nodes, one migration, the database from
outside for a while, another release under load, one that fails, fewer tasks and none, a node that is lost."""

import http.cookiejar
import json
import re
import shlex
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from images.recipe import recipes
from tests.e2e.platform import (
    PREFIX,
    Platform,
    answering,
    fetch,
    leftovers,
    page,
    secrets_in,
    settings_of,
    standing,
)
from tests.e2e.together import replicas
from tests.e2e.visitors import visitors
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

PAGE = "http://127.0.0.1:13000/"
DATABASE_PORT = 13306
RELEASE = r"release \d\.\d|schema \d"
WORKERS = {"worker-1", "worker-2", "worker-3"}


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own."""
    found = settings_of("Pulumi.mvc.yaml")
    found["network"] = {"machines": "10.79.0.0/24"}
    found["ssh"] = {"first_port": 27900}
    found["load_balancer"] = {"statistics_port": 18411}
    found["services"]["mvc"] |= {"port": 13000}
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("mvc"), settings()) as made:
        yield made


def sql(platform: Platform, statement: str) -> str:
    """What the database's administrator is answered, beside the database."""
    inside = f'MYSQL_PWD=$(cat /run/secrets/root-password) mariadb -N mvc -e "{statement}"'
    return platform.on("worker-1", f"docker exec {database(platform)} sh -c {shlex.quote(inside)}").strip()


def database(platform: Platform) -> str:
    """The container of the database."""
    return platform.on("worker-1", "docker ps -qf name=mvc-database").strip()


def places() -> set[tuple[str, str]]:
    """Tasks that answer, each with its node."""
    pages = [fetch(PAGE)[1] for _ in range(25)]
    return {found for page in pages for found in re.findall(r'id="task">(\S+?)<.*?id="node">(\S+?)<', page, re.DOTALL)}


def tasks() -> int:
    return len({task for task, _ in places()})


def save(**form: str) -> int:
    """A product by the form, as a browser does it: the status of the page that it ends on."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page: str = browser.open(f"{PAGE}products/new", timeout=60).read().decode()
    (token,) = re.findall('name="token" value="([^"]+)"', page)
    data = urllib.parse.urlencode({"token": token, **form}).encode()
    try:
        return browser.open(f"{PAGE}products", data, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code


def test_up_brings_five_tasks_the_database_and_both_releases_to_every_node(platform: Platform) -> None:
    said = platform.make("up").stdout
    for service, running in {"mvc": "5/5", "mvc-database": "1/1"}.items():
        assert re.search(rf" {service}\s.*{running}", said), said[-3000:]
    assert PAGE in said
    catalog = platform.on("worker-1", "curl -fsSk https://10.79.0.5:5000/v2/_catalog")
    assert json.loads(catalog) == {"repositories": ["haproxy", "mariadb", "mvc", "mvc-1.1"]}


def test_five_tasks_answer_and_all_are_on_labelled_nodes(platform: Platform) -> None:
    wait_for("five tasks", lambda: tasks() == 5)
    wait_for("all three nodes", lambda: {node for _, node in places()} == WORKERS)
    wait_for("each of them by name", lambda: len(answering(PAGE, "x-served-by", 25)) == 5)
    labels = platform.on(
        "manager-1", "docker node inspect -f '{{.Description.Hostname}} {{.Spec.Labels.type}}' $(docker node ls -q)"
    )
    assert {tuple(line.split()) for line in labels.splitlines() if line.endswith(" mvc")} == {
        (w, "mvc") for w in WORKERS
    }


def test_a_product_added_by_the_form_is_shown_by_every_task(platform: Platform) -> None:
    assert save(name="Canoe <i>", category="Watersports", price="310.50") == 200

    def shown() -> dict[str, bool]:
        return {
            headers["x-served-by"]: "Canoe &lt;i&gt;" in page and "310.50" in page
            for status, page, headers in (fetch(PAGE) for _ in range(25))
            if status == 200
        }

    told = wait_for("an answer of each", lambda: found if len(found := shown()) == 5 else {})
    assert all(told.values())


def test_the_migration_ran_once_and_a_second_up_runs_nothing(platform: Platform) -> None:
    assert platform.outputs("--show-secrets")["mvc_migration"] == [
        "applied 0001-products",
        "release 1.0: the schema is 1",
    ]
    before = sql(platform, "SELECT version, name, applied_by, applied_at FROM schema_versions")
    assert before.startswith("1\t0001-products\trelease 1.0\t")
    jobs = platform.on("manager-1", "docker service ls -qf name=mvc-migration")
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")
    assert sql(platform, "SELECT version, name, applied_by, applied_at FROM schema_versions") == before
    assert sql(platform, "SELECT COUNT(*) FROM products") == "6"
    assert platform.on("manager-1", "docker service ls -qf name=mvc-migration") == jobs


def test_no_password_is_said_or_seen_in_docker(platform: Platform) -> None:
    secrets = set(secrets_in(platform.export("--show-secrets")))
    assert platform.outputs("--show-secrets")["mvc_database_password"] in secrets
    services = platform.on("manager-1", "docker service inspect $(docker service ls -q)")
    containers = platform.on("worker-1", "docker inspect $(docker ps -aq)")
    assert "mvc-database" in services
    assert "MVC_DATABASE_PASSWORD_FILE" in containers
    texts = [services, containers, *platform.said]
    assert {secret[:6] for secret in secrets if any(secret in text for text in texts)} == set()


def greeting() -> bytes:
    """What the database says first, under its published port."""
    try:
        with socket.create_connection(("127.0.0.1", DATABASE_PORT), timeout=5) as connection:
            return connection.recv(100)
    except OSError:
        return b""


def products_from_outside(password: str) -> str:
    """A client on the user's own computer."""
    client = ["mariadb", "--host=127.0.0.1", f"--port={DATABASE_PORT}", "--user=mvc", "-N", "mvc"]
    answer: bytes = docker.from_env().containers.run(
        recipes()["mariadb"].reference,
        [*client, "-e", "SELECT COUNT(*) FROM products"],
        environment={"MYSQL_PWD": password},
        network_mode="host",
        remove=True,
    )
    return answer.decode().strip()


def test_the_database_is_published_and_hidden_again_without_a_restart(platform: Platform) -> None:
    running = database(platform)
    assert greeting() == b""
    platform.write(mvc={"publish_database": DATABASE_PORT})
    with visitors(PAGE, RELEASE) as visits:
        platform.make("up")
    print(f"publish the database: {visits}")  # noqa: T201 - a figure for the documents
    wait_for("the database's greeting", lambda: b"MariaDB" in greeting())
    assert products_from_outside(platform.outputs("--show-secrets")["mvc_database_password"]) == "6"

    platform.write(mvc={"publish_database": None})
    platform.make("up")
    assert greeting() == b""
    assert str(DATABASE_PORT) not in platform.on("manager-1", "docker service inspect edge -f '{{json .Endpoint}}'")
    assert database(platform) == running


def test_a_migration_that_fails_stops_the_update_with_its_words_and_the_release_runs_on(platform: Platform) -> None:
    sql(platform, "REVOKE ALTER ON mvc.* FROM mvc; FLUSH PRIVILEGES")
    platform.write(mvc={"version": "1.1"})
    with visitors(PAGE, RELEASE) as visits:
        failed = platform.make("up", check=False)
    assert failed.returncode != 0
    assert "mvc-migrate: 0002-stock.sql failed: ALTER command denied" in failed.stdout + failed.stderr
    assert (set(visits.seen), visits.lost) == ({"release 1.0 schema 1"}, [])
    wait_for("five tasks", lambda: tasks() == 5)
    sql(platform, "GRANT ALTER ON mvc.* TO mvc")


def test_another_release_is_rolled_out_under_load_after_its_migration_and_no_request_is_lost(
    platform: Platform,
) -> None:
    platform.write(mvc={"version": "1.1"})
    with visitors(PAGE, RELEASE) as visits:
        platform.make("up")
        wait_for("the new release alone", lambda: all("release 1.1" in fetch(PAGE)[1] for _ in range(15)))
    print(f"release 1.0 -> 1.1: {visits}")  # noqa: T201 - a figure for the documents
    assert visits.lost == []
    # The old release works on the new tables; the new one never saw the old ones.
    assert {"release 1.0 schema 2", "release 1.1 schema 2"} <= set(visits.seen)
    assert "release 1.1 schema 1" not in visits.seen
    assert platform.outputs("--show-secrets")["mvc_migration"] == ["applied 0002-stock", "release 1.1: the schema is 2"]
    assert sql(platform, "SELECT version, applied_by FROM schema_versions") == "1\trelease 1.0\n2\trelease 1.1"
    assert save(name="Paddle", category="Watersports", price="12.00", stock="40") == 200
    assert '<td class="figure">40</td>' in wait_for("the page", lambda: page(PAGE))


def test_a_release_that_cannot_start_rolls_itself_back_and_no_request_is_lost(platform: Platform) -> None:
    platform.write(mvc={"memory": "6m"})
    with visitors(PAGE, RELEASE) as visits:
        failed = platform.make("up", check=False)
    print(f"a release that cannot start: {visits}")  # noqa: T201 - a figure for the documents
    assert failed.returncode != 0
    assert "rollback" in failed.stdout + failed.stderr
    assert (set(visits.seen), visits.lost) == ({"release 1.1 schema 2"}, [])
    platform.write(mvc={"memory": "128m"})
    platform.make("up")
    wait_for("five tasks", lambda: tasks() == 5)


def test_five_tasks_become_three_then_none_and_five_again(platform: Platform) -> None:
    platform.write(mvc={"replicas": 3})
    assert re.search(r"~ 1 updated", platform.make("up").stdout)
    wait_for("three tasks", lambda: tasks() == 3)
    platform.write(mvc={"replicas": 0})
    platform.make("up")
    wait_for("an answer that there is nobody", lambda: fetch(PAGE)[0] == 503)
    wait_for("none of them", lambda: replicas(platform)["mvc"] == "0/0")
    platform.write(mvc={"replicas": 5})
    platform.make("up")
    wait_for("five tasks", lambda: tasks() == 5)


def test_requests_go_on_when_a_node_is_lost(platform: Platform) -> None:
    """E16: the chapter's load balancer knows one node."""
    machine = docker.from_env().containers.get(f"{PREFIX}-worker-3")
    with visitors(PAGE, 'id="node">(\\S+?)<') as visits:
        machine.kill()
        wait_for("its tasks elsewhere", lambda: tasks() == 5 and {n for _, n in places()} == WORKERS - {"worker-3"})
    print(f"a node is lost: {visits}")  # noqa: T201 - a figure for the documents
    # What was on its way to the node, and nothing after that.
    assert len(visits.lost) <= 5, visits.lost
    machine.start()
    wait_for("the node", lambda: "Down" not in platform.on("manager-1", "docker node ls"))


def test_global_mode_is_one_task_on_every_labelled_node(platform: Platform) -> None:
    platform.settings["services"]["mvc"].pop("replicas")
    platform.write(mvc={"mode": "global"})
    assert "1 replaced" in platform.make("up").stdout
    wait_for("a task on each", lambda: sorted(node for _, node in places()) == sorted(WORKERS))
    platform.make("up", "ARGS=--expect-no-changes")


def test_the_release_before_comes_back_to_every_node_and_no_request_is_lost(platform: Platform) -> None:
    """A global service is rolled as others are; what the later release added to the tables is left alone."""
    platform.write(mvc={"version": "1.0"})
    with visitors(PAGE, RELEASE) as visits:
        platform.make("up")
        wait_for("the old release alone", lambda: all("release 1.0" in fetch(PAGE)[1] for _ in range(15)))
    print(f"release 1.1 -> 1.0 in global mode: {visits}")  # noqa: T201 - a figure for the documents
    assert visits.lost == []
    assert platform.outputs("--show-secrets")["mvc_migration"] == ["release 1.0: the schema is 2"]


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
