"""Registry, monitoring, management page and MVC application on one swarm: each does its work beside the others, and
goes without a trace. What each can do beyond that is in its own module."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.look import Page, look
from tests.e2e.platform import Platform, fetch, leftovers, standing
from tests.e2e.together import HOST, PROMETHEUS, UI, asked, complete, replicas, some_of_all
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PRODUCTS = ("web", "registry", "monitoring", "ui", "mvc")
ALERTS = f"{HOST}:19093/api/v2/alerts?active=true"
REGISTRY = "https://127.0.0.1:15000/v2/_catalog"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("services"), some_of_all(*PRODUCTS, workers=3)) as made:
        yield made


@pytest.fixture(scope="module")
def known(platform: Platform) -> dict[str, Any]:
    """The outputs of the stack, with its passwords."""
    return platform.outputs("--show-secrets")


def test_everything_comes_up_by_one_command(platform: Platform) -> None:
    platform.make("up")
    # The engine waits for replicas; the tasks of a global service may need a moment more.
    wait_for("every task", lambda: complete(replicas(platform)))
    assert {"web", "registry", "monitoring-prometheus", "ui", "mvc"} <= set(replicas(platform))


def test_the_application_answers_from_its_migrated_database(known: dict[str, Any]) -> None:
    wait_for("the application", lambda: fetch(f"{HOST}:13000/")[0] == 200)
    assert known["mvc_migration"] == ["applied 0001-products", "release 1.0: the schema is 1"]


def test_the_registry_lists_its_catalogue_over_tls(known: dict[str, Any]) -> None:
    words = known["registry_user"], known["registry_password"], known["registry_authority"]
    assert wait_for("the registry", lambda: asked(REGISTRY, *words)) == {"repositories": []}


@pytest.mark.parametrize("page", ["monitoring", "ui"])
def test_a_person_sees_nodes_and_services_in_a_browser(known: dict[str, Any], page: str) -> None:
    address = {
        "monitoring": f"http://flotilla:{known['monitoring_password']}@{PROMETHEUS}/consoles/swarm.html",
        "ui": f"http://admin:{known['ui_password']}@{UI}/basic",
    }

    def whole() -> Page:
        """What is measured comes node by node."""
        seen = look(address[page], wait_for="mvc-database")
        names = ("manager-1", "worker-3", "registry", "monitoring-prometheus")
        assert [name for name in names if name not in seen.text] == [], seen.text
        return seen

    assert not wait_for("all of it", whole).is_blank


def test_an_alert_fires_for_a_service_that_finds_no_node_and_ends(platform: Platform, known: dict[str, Any]) -> None:
    def fires() -> bool:
        alerts = [alert["labels"] for alert in asked(ALERTS, "flotilla", known["monitoring_password"])]
        return any((one["alertname"], one.get("service")) == ("ServiceBelowReplicas", "drill") for one in alerts)

    image = platform.on("manager-1", "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'")
    create = "docker service create --detach --name drill --endpoint-mode dnsrr --constraint node.labels.moon==full"
    platform.on("manager-1", f"{create} {image.strip()}")
    try:
        wait_for("the alert", fires)
    finally:
        platform.on("manager-1", "docker service rm drill")
    wait_for("its end", lambda: not fires())


def test_a_second_up_changes_nothing_and_runs_nothing_again(platform: Platform) -> None:
    platform.make("up", "ARGS=--expect-no-changes")


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
