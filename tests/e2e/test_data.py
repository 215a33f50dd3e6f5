"""Hadoop, and Spark on its HDFS, on one swarm: their jobs run to their end, HDFS is whole, and both go without a trace.
What each can do beyond that is in its own module."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.browser.look import look
from tests.e2e.platform import Platform, fetch, leftovers, standing
from tests.e2e.together import HOST, complete, hdfs, replicas, some_of_all
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PAGES = {"spark": 18082, "spark history": 18083, "namenode": 18084, "resource manager": 18085, "job history": 18086}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("data"), some_of_all("spark", "hadoop", workers=3)) as made:
        yield made


def test_both_come_up_by_one_command(platform: Platform) -> None:
    platform.make("up")
    wait_for("every task", lambda: complete(replicas(platform)))
    assert {"spark-master", "spark-worker", "hadoop-namenode", "hadoop-datanode-3"} <= set(replicas(platform))


def test_their_jobs_are_outputs_of_the_stack(platform: Platform) -> None:
    known = platform.outputs()
    assert re.fullmatch(r"Pi is roughly 3\.1\d+", known["spark_jobs"]["pi"]["result"][-1])
    assert known["spark_jobs"]["word-count"]["result"] == ["13000 words, 8 different, in /data/output"]
    counted = known["spark_jobs"]["hdfs-word-count"]["result"]
    assert counted == ["6000 words, 4 different, in hdfs://namenode:8020/output/spark"]
    assert any("Estimated value of Pi is 3." in line for line in known["hadoop_jobs"]["pi"]["result"])


def test_hdfs_is_healthy(platform: Platform) -> None:
    # A copy of a block that was just written may be on its way.
    healthy = r"(?s)Under-replicated blocks:\s+0 .*is HEALTHY"
    wait_for("all copies", lambda: re.search(healthy, hdfs(platform, "hdfs fsck / 2>/dev/null")))


def test_what_the_workers_of_spark_wrote_is_in_hdfs_with_all_its_copies(platform: Platform) -> None:
    counts = hdfs(platform, 'hdfs dfs -cat "/output/spark/part-*" 2>/dev/null').splitlines()
    assert sorted(counts) == ["('be', 2000)", "('not', 1000)", "('or', 1000)", "('to', 2000)"]
    files = [
        line.split() for line in hdfs(platform, "hdfs dfs -ls -R /output/spark /spark/history 2>/dev/null").splitlines()
    ]
    assert {(copies, owner) for kind, copies, owner, *_ in files if kind.startswith("-")} == {("3", "spark")}


@pytest.mark.usefixtures("platform")
def test_the_history_server_shows_what_is_finished_from_hdfs() -> None:
    def finished() -> list[tuple[str, str]]:
        status, text, _ = fetch(f"{HOST}:{PAGES['spark history']}/api/v1/applications")
        known = [(one["name"], one["attempts"][0]) for one in json.loads(text)] if status == 200 else []
        return sorted((name, last["logSourceFullPath"]) for name, last in known if last["completed"])

    events = "hdfs://namenode:8020/spark/history"
    names = ("HdfsWordCount", "PythonPi", "WordCount")
    wait_for("all three applications", lambda: finished() == [(name, events) for name in names])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("platform")
def test_every_page_answers_through_the_load_balancer(page: str) -> None:
    wait_for(f"the page of {page}", lambda: fetch(f"{HOST}:{PAGES[page]}/")[0] == 200)


@pytest.mark.usefixtures("platform")
def test_a_person_sees_the_workers_of_spark() -> None:
    seen = look(f"{HOST}:{PAGES['spark']}/", wait_for="Workers: 3 Alive", budget=3)
    assert "spark://spark-master:7077" in seen.text
    assert not seen.is_blank


def test_a_second_up_changes_nothing_and_runs_nothing_again(platform: Platform) -> None:
    platform.make("up", "ARGS=--expect-no-changes")


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
