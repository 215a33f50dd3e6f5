"""Compose files on real Docker: two of the examples come up as stacks of their own, work, and leave by `docker stack
deploy` with their data."""

import base64
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.platform import Platform, fetch, leftovers, page, settings_of, standing
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

BLOG = "http://127.0.0.1:18090/"
SERIES = "http://127.0.0.1:18091"


def settings() -> dict[str, Any]:
    """Both examples in one stack, on ports and addresses of its own."""
    blog, series = settings_of("examples/compose-blog.yaml"), settings_of("examples/compose-series.yaml")
    return {
        **blog,
        "network": {"machines": "10.80.0.0/24"},
        "ssh": {"first_port": 28000},
        "load_balancer": {"statistics_port": 18412},
        "volumes": {**blog["volumes"], **series["volumes"]},
        "compose": {
            "blog": {**blog["compose"]["blog"], "publish": {"wordpress:80": 18090}},
            "series": {**series["compose"]["series"], "publish": {"influxdb:8086": 18091}},
        },
    }


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("compose"), settings()) as made:
        yield made


def samples() -> dict[str, int]:
    """How many samples InfluxDB has of each node."""
    query = urllib.parse.quote("SELECT COUNT(one) FROM load GROUP BY node")
    found = fetch(f"{SERIES}/query?db=metrics&q={query}")[1]
    return {node: int(count) for node, count in re.findall(r'"node":"([^"]+)".*?,(\d+)\]\]', found)}


def samples_of_all() -> dict[str, int]:
    return wait_for("samples of three nodes", lambda: found if len(found := samples()) == 3 else {})


def no_fewer(before: dict[str, int]) -> bool:
    """Whether the first answer has all samples that there were; a later one would have new ones in their place."""
    now = wait_for("InfluxDB", samples)
    return all(now.get(node, 0) >= count for node, count in before.items())


def services(platform: Platform) -> set[str]:
    return set(platform.on("manager-1", "docker service ls --format '{{.Name}} {{.Replicas}}'").splitlines())


def test_both_stacks_come_up_from_their_files(platform: Platform) -> None:
    platform.make("up")
    wanted = {"blog_db 1/1", "blog_wordpress 2/2", "series_influxdb 1/1", "series_sampler 3/3"}
    # The engine waits for replicas; the tasks of a global service may need a moment more.
    wait_for("every task", lambda: wanted <= services(platform))
    assert set(platform.on("manager-1", "docker stack ls --format '{{.Name}}'").split()) == {"blog", "series"}


def test_the_blog_of_the_file_is_a_finished_site(platform: Platform) -> None:
    assert "Flotilla from a Compose file" in wait_for("the site", lambda: page(BLOG))


def test_every_node_has_its_load_in_the_series(platform: Platform) -> None:
    wait_for("samples of three nodes", lambda: set(samples()) == {"manager-1", "worker-1", "worker-2"})


def test_a_second_up_and_a_refresh_change_nothing(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")


def test_the_series_is_still_there_when_its_task_was_replaced(platform: Platform) -> None:
    before = samples_of_all()
    platform.on("manager-1", "docker service update --force --detach=false --quiet series_influxdb", seconds=300)
    assert no_fewer(before)


def test_the_services_leave_by_docker_stack_deploy_with_their_data(platform: Platform) -> None:
    before = samples_of_all()
    text = platform.make("export-stack").stdout
    file = base64.b64encode(text.encode()).decode()
    platform.on("manager-1", "docker service rm $(docker service ls -q)")
    wait_for("their names free", lambda: not platform.on("manager-1", "docker ps -q").split())
    platform.on("manager-1", f"echo {file} | base64 -d > /tmp/own.yaml && docker stack deploy -c /tmp/own.yaml own")
    assert "Flotilla from a Compose file" in wait_for("the site", lambda: page(BLOG))
    assert no_fewer(before)


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
