"""Spark on real Docker as a user has it: up with two jobs, their results, pages, more workers by one setting, down."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.look import look
from tests.e2e.platform import Platform, fetch, leftovers, page, settings_of, standing
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

PAGES = "http://127.0.0.1:18082"
HISTORY = "http://127.0.0.1:18083"


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own."""
    found = settings_of("Pulumi.spark.yaml")
    found["network"] = {"machines": "10.64.0.0/24"}
    found["ssh"] = {"first_port": 24000}
    found["load_balancer"] = {"statistics_port": 18406}
    found["services"]["spark"] |= {"port": 18082, "history": {"port": 18083}}
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("spark"), settings()) as made:
        yield made


def cluster() -> dict[str, Any]:
    """What the master's page knows, through the load balancer."""
    status, text, _ = fetch(f"{PAGES}/json/")
    return json.loads(text) if status == 200 else {"aliveworkers": 0, "workers": []}


def test_up_brings_master_workers_history_and_no_image_of_another_product(platform: Platform) -> None:
    output = platform.make("up").stdout
    for service, replicas in {"spark-master": "1/1", "spark-worker": "3/3", "spark-history": "1/1"}.items():
        assert re.search(rf"{service}\s.*{replicas}", output), output[-3000:]
    catalog = platform.on("worker-1", "curl -fsSk https://10.64.0.5:5000/v2/_catalog")
    assert json.loads(catalog) == {"repositories": ["haproxy", "spark"]}


def test_pi_and_word_count_are_outputs_of_the_stack(platform: Platform) -> None:
    jobs = platform.outputs()["spark_jobs"]
    assert [(name, job["exit_code"]) for name, job in sorted(jobs.items())] == [("pi", 0), ("word-count", 0)]
    (pi,) = jobs["pi"]["result"]
    assert re.fullmatch(r"Pi is roughly 3\.1\d+", pi)
    assert jobs["word-count"]["result"] == ["13000 words, 8 different, in /data/output"]
    assert any("Connecting to master spark://spark-master:7077" in line for line in jobs["pi"]["log"])


def test_the_counts_are_on_the_volume_of_the_data_node(platform: Platform) -> None:
    written = platform.on("worker-1", "cat /var/lib/docker/volumes/spark/_data/output/part-0000*")
    assert "('swarm', 2000)" in written
    assert len(written.splitlines()) == 8


def test_the_masters_page_shows_workers_that_offer_what_their_limit_leaves(platform: Platform) -> None:
    """Not 1024 MB in a container of less (M118)."""
    workers = wait_for("three workers", lambda: found["workers"] if (found := cluster())["aliveworkers"] == 3 else [])
    assert {(worker["cores"], worker["memory"]) for worker in workers} == {(1, 604)}
    assert "Spark Master at spark://spark-master:7077" in wait_for("the page", lambda: page(f"{PAGES}/"))
    through = f"{PAGES}/proxy/{workers[0]['id']}/"
    assert "Spark Worker at" in wait_for("a worker's page", lambda: page(through))


def test_the_history_server_shows_both_applications(platform: Platform) -> None:
    def names() -> list[str]:
        status, text, _ = fetch(f"{HISTORY}/api/v1/applications")
        return sorted(one["name"] for one in json.loads(text)) if status == 200 else []

    wait_for("both applications", lambda: names() == ["PythonPi", "WordCount"])


def test_a_person_sees_both_pages_in_a_browser(platform: Platform) -> None:
    master = look(f"{PAGES}/", wait_for="Workers: 3 Alive", budget=3)
    assert "Completed Applications (2)" in master.text
    assert not master.is_blank
    # The table of applications is made by a script.
    history = look(f"{HISTORY}/", wait_for="WordCount", budget=3)
    assert "PythonPi" in history.text
    assert not history.is_blank


def test_a_second_up_and_a_refresh_change_nothing_and_run_nothing_again(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")
    assert len(wait_for("what ran", lambda: cluster()["completedapps"])) == 2


def test_three_workers_become_six_in_one_setting(platform: Platform) -> None:
    platform.write(spark={"workers": 6})
    assert re.search(r"~ 1 updated", platform.make("up").stdout)
    wait_for("six workers", lambda: cluster()["aliveworkers"] == 6)


def test_workers_find_a_master_that_moved_by_its_name(platform: Platform) -> None:
    """The chapter tells workers the address of a task, and the next task has another (E8)."""

    def six() -> set[str]:
        found = cluster()
        assert found["aliveworkers"] == 6
        return {worker["id"] for worker in found["workers"]}

    before = wait_for("six workers", six)
    platform.on("manager-1", "docker service update --force --detach spark-master")
    wait_for("another master", lambda: cluster().get("completedapps") == [])
    assert wait_for("the workers at it", six) == before, "the same workers, not started anew"


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
