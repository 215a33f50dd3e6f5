"""Every product on one swarm, as `make up STACK=all` has it: each does its work beside all the others, and goes without
a trace. What each can do beyond that is in its own module."""

import base64
import json
import re
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.look import look
from tests.e2e.platform import Platform, fetch, leftovers, settings_of, standing, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

SHIFT = 10_000
PAGE = "http://127.0.0.1"
PAGES = {
    "web": f"{PAGE}:18080/",
    "wordpress": f"{PAGE}:18081/",
    "spark": f"{PAGE}:18082/",
    "spark history": f"{PAGE}:18083/",
    "namenode": f"{PAGE}:18084/",
    "resource manager": f"{PAGE}:18085/cluster",
    "mvc": f"{PAGE}:13000/",
}
PROMETHEUS = "127.0.0.1:19090"
ALERTS = "127.0.0.1:19093"
UI = "127.0.0.1:19000"
REGISTRY = "https://127.0.0.1:15000/v2/_catalog"


def shifted(value: Any) -> Any:
    """Settings with every port on another number."""
    if isinstance(value, dict):
        return {key: one + SHIFT if key == "port" else shifted(one) for key, one in value.items()}
    return value


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own, and quick to tell what is wrong."""
    found = shifted(settings_of("Pulumi.all.yaml"))
    found["services"]["monitoring"] |= {"interval": "5s"}
    found["services"]["monitoring"]["alerts"] |= {"after": "10s"}
    return {
        **found,
        "network": {"machines": "10.81.0.0/24"},
        "ssh": {"first_port": 28100},
        "load_balancer": {"statistics_port": 18413},
    }


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("all"), settings()) as made:
        yield made


@pytest.fixture(scope="module")
def known(platform: Platform) -> dict[str, Any]:
    """The outputs of the stack, with its passwords."""
    return platform.outputs("--show-secrets")


def asked(url: str, user: str, password: str, authority: str | None = None) -> Any:
    """The document behind a password."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {word}"})
    trusted = ssl.create_default_context(cadata=authority) if authority else None
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return json.load(answer)


def replicas(platform: Platform) -> dict[str, str]:
    """What runs of what is wanted, by service; what is done of what was to be done, by job."""
    rows = platform.on("manager-1", "docker service ls --format '{{.Name}}|{{.Replicas}}'").splitlines()
    return dict(row.split("|") for row in rows)


def complete(replicas: str) -> bool:
    """Whether all runs that is wanted, or the job is done: `3/3`, `0/1 (1/1 completed)`."""
    return "1/1 completed" in replicas or re.fullmatch(r"([1-9]\d*)/\1", replicas) is not None


def test_everything_comes_up_by_one_command(platform: Platform) -> None:
    platform.make("up")
    # The engine waits for replicas; the tasks of a global service may need a moment more.
    wait_for("every task", lambda: all(complete(each) for each in replicas(platform).values()), 120)
    assert {"web", "wordpress", "spark-worker", "hadoop-namenode", "mvc", "registry", "ui"} <= set(replicas(platform))


def test_jobs_of_spark_and_hadoop_are_outputs_of_the_stack(known: dict[str, Any]) -> None:
    spark, hadoop = known["spark_jobs"], known["hadoop_jobs"]
    assert re.fullmatch(r"Pi is roughly 3\.1\d+", spark["pi"]["result"][-1])
    assert spark["word-count"]["result"] == ["13000 words, 8 different, in /data/output"]
    assert any("Estimated value of Pi is 3." in line for line in hadoop["pi"]["result"])


def test_hdfs_is_healthy(platform: Platform) -> None:
    container = "$(docker ps -q -f label=com.docker.swarm.service.name=hadoop-namenode)"
    report = platform.on("worker-1", f"docker exec {container} sh -c 'hdfs fsck / 2>/dev/null'")
    assert "is HEALTHY" in report
    assert re.search(r"Under-replicated blocks:\s+0 ", report), report


@pytest.mark.parametrize("product", PAGES)
@pytest.mark.usefixtures("platform")
def test_the_page_of_a_product_answers_through_the_load_balancer(product: str) -> None:
    wait_for(f"the page of {product}", lambda: fetch(PAGES[product])[0] == 200, 120)


def test_the_registry_lists_its_catalogue_over_tls(known: dict[str, Any]) -> None:
    found = asked(REGISTRY, known["registry_user"], known["registry_password"], known["registry_authority"])
    assert found == {"repositories": []}


def test_a_person_sees_nodes_and_services_of_every_product(known: dict[str, Any]) -> None:
    monitoring, ui = known["monitoring_password"], known["ui_password"]
    page = look(f"http://flotilla:{monitoring}@{PROMETHEUS}/consoles/swarm.html", wait_for="hadoop-namenode")
    assert all(name in page.text for name in ("worker-4", "spark-worker", "mvc-database", "wordpress"))
    assert not page.is_blank
    page = look(f"http://admin:{ui}@{UI}/basic", wait_for="hadoop-namenode")
    assert all(name in page.text for name in ("worker-4", "spark-worker", "mvc-database", "wordpress"))
    assert not page.is_blank


def test_an_alert_fires_for_a_service_that_finds_no_node_and_ends(platform: Platform, known: dict[str, Any]) -> None:
    def fires() -> bool:
        url = f"http://{ALERTS}/api/v2/alerts?active=true"
        labels = [alert["labels"] for alert in asked(url, "flotilla", known["monitoring_password"])]
        return any((one["alertname"], one.get("service")) == ("ServiceBelowReplicas", "drill") for one in labels)

    image = platform.on("manager-1", "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'")
    create = "docker service create --detach --name drill --endpoint-mode dnsrr --constraint node.labels.moon==full"
    platform.on("manager-1", f"{create} {image.strip()}")
    try:
        wait_for("the alert", fires, 120)
    finally:
        platform.on("manager-1", "docker service rm drill")
    wait_for("its end", lambda: not fires(), 120)


def test_a_second_up_changes_nothing_and_runs_nothing_again(platform: Platform) -> None:
    platform.make("up", "ARGS=--expect-no-changes")


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
