"""HDFS and YARN on real Docker as a user has them: up with four jobs, more and fewer DataNodes by one setting without
the loss of a copy, parts that move and come back, down."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.platform import Platform, fetch, leftovers, page, settings_of, standing
from tests.e2e.together import hdfs
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(1200)]

NAMENODE = "http://127.0.0.1:18084"
RESOURCEMANAGER = "http://127.0.0.1:18085"
HISTORY = "http://127.0.0.1:18086"
SPARK_HISTORY = "http://127.0.0.1:18096"
WORDS = ["a\t1000", "be\t2000", "nodes\t2000", "not\t1000", "of\t2000", "or\t1000", "swarm\t2000", "to\t2000"]


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own."""
    found = settings_of("Pulumi.hadoop.yaml")
    found["network"] = {"machines": "10.75.0.0/24"}
    found["ssh"] = {"first_port": 27500}
    found["load_balancer"] = {"statistics_port": 18407}
    hadoop = found["services"]["hadoop"]
    hadoop["port"] = 18084
    hadoop["yarn"]["port"] = 18085
    hadoop["history"]["port"] = 18086
    hadoop["spark_history"]["port"] = 18096
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("hadoop"), settings()) as made:
        yield made


def bean(name: str) -> dict[str, Any]:
    """What the NameNode says of itself, through the load balancer."""
    status, text, _ = fetch(f"{NAMENODE}/jmx?qry=Hadoop:service=NameNode,name={name}")
    return json.loads(text)["beans"][0] if status == 200 else {}


def datanodes() -> dict[str, str]:
    """State of each DataNode that reports, by its name."""
    found = json.loads(bean("NameNodeInfo").get("LiveNodes", "{}"))
    return {name.partition(":")[0]: node["adminState"] for name, node in found.items()}


def in_service(number: int) -> None:
    """Wait until the first so many DataNodes are in service and no other is."""
    wanted = [f"hadoop-datanode-{n}" for n in range(1, number + 1)]

    def serving() -> list[str]:
        return sorted(name for name, state in datanodes().items() if state == "In Service")

    wait_for(lambda: f"{number} in service: {datanodes()}", lambda: serving() == wanted)


def cluster_id() -> str:
    return wait_for("the cluster's id", lambda: bean("NameNodeInfo")["ClusterId"])


def applications() -> list[dict[str, Any]]:
    """All that YARN ever ran."""
    return wait_for("an answer of YARN", lambda: json.loads(page(f"{RESOURCEMANAGER}/ws/v1/cluster/apps")))["apps"][
        "app"
    ]


def healthy(platform: Platform) -> None:
    """Wait until every block has all its copies: one that was just written may be on its way."""

    def reported() -> bool:
        report = hdfs(platform, "hdfs fsck / 2>/dev/null")
        assert "is HEALTHY" in report, report
        assert re.search(r"Under-replicated blocks:\s+0 ", report), report
        assert re.search(r"Missing blocks:\s+0\b", report), report
        return True

    wait_for("all copies", reported)


def checksum(platform: Platform) -> str:
    return hdfs(platform, "for n in 1 2 3 4 5 6; do hdfs dfs -cat /data/numbers-$n; done | md5sum").split()[0]


def test_up_brings_hdfs_yarn_and_no_image_of_another_product(platform: Platform) -> None:
    output = platform.make("up").stdout
    expected = {"hadoop-namenode": "1/1", "hadoop-secondary": "1/1", "hadoop-resourcemanager": "1/1"}
    expected |= {"hadoop-nodemanager": "2/2", "hadoop-history": "1/1", "hadoop-spark-history": "1/1"}
    expected |= {f"hadoop-datanode-{number}": "1/1" for number in (1, 2, 3)}
    for service, replicas in expected.items():
        assert re.search(rf"{service}\s.*{replicas}", output), output[-3000:]
    catalog = platform.on("worker-1", "curl -fsSk https://10.75.0.5:5000/v2/_catalog")
    assert json.loads(catalog) == {"repositories": ["hadoop", "haproxy"]}
    in_service(3)
    wait_for("the end of safe mode", lambda: bean("NameNodeInfo")["Safemode"] == "")


def test_jobs_of_mapreduce_and_of_spark_on_yarn_are_outputs_of_the_stack(platform: Platform) -> None:
    jobs = platform.outputs()["hadoop_jobs"]
    assert {name: job["exit_code"] for name, job in jobs.items()} == dict.fromkeys(
        ("pi", "word-count", "spark-pi", "spark-word-count"), 0
    )
    assert [line for line in jobs["pi"]["result"] if re.fullmatch(r"Estimated value of Pi is 3\.1\d+", line)]
    assert jobs["word-count"]["result"] == WORDS
    (pi,) = jobs["spark-pi"]["result"]
    assert re.fullmatch(r"Pi is roughly 3\.1\d+", pi)
    first, *counts = jobs["spark-word-count"]["result"]
    assert first == "13000 words, 8 different, in hdfs://namenode:8020/output/spark"
    assert sorted(counts) == [f"('{word}', {count})" for word, count in (line.split("\t") for line in WORDS)]


@pytest.mark.usefixtures("platform")
def test_the_pages_show_what_ran() -> None:
    ran = [*[("MAPREDUCE", "SUCCEEDED")] * 2, *[("SPARK", "SUCCEEDED")] * 2]
    wait_for("all four", lambda: sorted((one["applicationType"], one["finalStatus"]) for one in applications()) == ran)

    def nodes() -> list[tuple[str, int]]:
        """YARN learns a little after an application has ended that its memory is free."""
        found = json.loads(page(f"{RESOURCEMANAGER}/ws/v1/cluster/nodes?states=RUNNING"))["nodes"]["node"]
        return [(one["state"], one["availMemoryMB"]) for one in found]

    wait_for("both nodes", lambda: nodes() == [("RUNNING", 1216)] * 2)

    def finished() -> list[str]:
        status, text, _ = fetch(f"{HISTORY}/ws/v1/history/mapreduce/jobs")
        found = (json.loads(text)["jobs"] or {}).get("job", []) if status == 200 else []
        return sorted(one["name"] for one in found)

    wait_for("both jobs of MapReduce", lambda: finished() == ["QuasiMonteCarlo", "word count"])

    def names() -> list[str]:
        status, text, _ = fetch(f"{SPARK_HISTORY}/api/v1/applications")
        return sorted(one["name"] for one in json.loads(text)) if status == 200 else []

    wait_for("both applications of Spark", lambda: len(names()) == 2)
    wait_for("the page of HDFS", lambda: "<h1>HDFS</h1>" in page(f"{NAMENODE}/"))


def test_whoever_sees_the_pages_deletes_nothing_and_ends_nothing(platform: Platform) -> None:
    request = urllib.request.Request(f"{NAMENODE}/webhdfs/v1/samples?op=DELETE&recursive=true", method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == 405
    assert "/samples/words.txt" in hdfs(platform, "hdfs dfs -ls /samples")


def test_a_second_up_and_a_refresh_change_nothing_and_run_nothing_again(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")
    assert len(applications()) == 4


def test_three_datanodes_become_five_and_three_again_without_the_loss_of_a_copy(platform: Platform) -> None:
    """The open problem of the chapter (M133)."""
    hdfs(
        platform,
        "hdfs dfs -mkdir /data; seq 400000 > /tmp/n; for n in 1 2 3; do hdfs dfs -put /tmp/n /data/numbers-$n; done",
    )
    healthy(platform)
    platform.write(hadoop={"datanodes": 5})
    output = platform.make("up").stdout
    assert "replaced" not in output
    in_service(5)
    hdfs(platform, "for n in 4 5 6; do hdfs dfs -put /tmp/n /data/numbers-$n; done")
    healthy(platform)
    before = checksum(platform)
    placed = hdfs(platform, "hdfs fsck /data -files -blocks -locations 2>/dev/null")
    assert {"20004", "20005"} & set(re.findall(r"[\d.]+:(2000\d)", placed)), (
        "the new ones have blocks that will have to move"
    )

    platform.write(hadoop={"datanodes": 3})
    output = platform.make("up").stdout
    assert re.search(r"- \d+ deleted", output), output[-2000:]
    in_service(3)
    healthy(platform)
    assert checksum(platform) == before
    services = platform.on("manager-1", "docker service ls --format {{.Name}}").split()
    assert sorted(name for name in services if "datanode" in name) == [f"hadoop-datanode-{n}" for n in (1, 2, 3)]


def test_fewer_datanodes_than_copies_are_refused_in_one_sentence_and_nothing_is_lost(platform: Platform) -> None:
    """Every part is started anew twice on the way, with another number of copies: NameNode and DataNodes come back with
    what they had, and no job runs again."""
    before, cluster = checksum(platform), cluster_id()
    platform.write(hadoop={"datanodes": 2})
    done = platform.make("up", check=False)
    assert done.returncode != 0
    sentence = "hadoop-datanode-3: there are files with 3 copies of each block, and 2 DataNodes would stay"
    assert sentence in done.stdout + done.stderr
    platform.write(hadoop={"datanodes": 3})
    assert "replaced" not in platform.make("up").stdout
    in_service(3)
    healthy(platform)
    assert cluster_id() == cluster
    assert checksum(platform) == before


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
