"""What the graph of a stack with HDFS and YARN says: who has which volume, who finds whom by which name, and what more
or fewer DataNodes change."""

import json
import re
from functools import cache
from typing import Any

import pytest

from components.plan.sizes import MIB
from tests.graph.graph import Graph, Resource, record

pytestmark = pytest.mark.xdist_group("graph hadoop")

JOBS: dict[str, Any] = {
    "pi": {"args": ["pi", "2", "10"]},
    "words": {"args": ["wordcount", "/in", "/out"], "sample": "/in", "output": "/out"},
    "spark-pi": {"engine": "spark", "application": "/opt/spark/examples/pi.py", "args": ["10"]},
    "jar": {
        "engine": "spark",
        "application": "hdfs://namenode:8020/app.jar",
        "main_class": "org.example.Main",
        "deploy_mode": "client",
        "executors": 2,
    },
    "mine": {"engine": "spark", "application": "mine.py"},
}
DAEMONS = ("hdfs-namenode", "hdfs-secondary", "yarn-resourcemanager", "yarn-nodemanager", "yarn-history")
SERVICE = "docker:index/service:Service"
ADMISSION = "swarm:index:Admission"


@cache
def recorded(hadoop: str, workers: int = 5, mode: str = "applied", publish: str = "host") -> Graph:
    settings = {
        "services": {"web": None, "wordpress": None, "hadoop": json.loads(hadoop)},
        "workers": {"count": workers, "memory": "4g"},
        "network": {"publish_mode": publish},
    }
    return record(settings, mode)


def graph(hadoop: dict[str, Any] | None = None, **options: Any) -> Graph:
    return recorded(json.dumps(hadoop or {"jobs": JOBS}), **options)


def task(found: Graph, name: str) -> dict[str, Any]:
    return found.named(f"{name}-service").inputs["taskSpec"]


def container(found: Graph, name: str) -> dict[str, Any]:
    return task(found, name)["containerSpec"]


def job(found: Graph, name: str) -> Resource:
    return found.named(f"{name}-submitter")


def changed(before: Graph, after: Graph) -> list[str]:
    """Names of what is in both graphs and not the same in both."""
    both = [r for r in after.resources if r.urn in before.by_urn]
    return [r.name for r in both if r.inputs != before.by_urn[r.urn].inputs]


def test_each_datanode_has_a_service_a_volume_a_node_and_a_port_of_its_own() -> None:
    found = graph()
    for number in (1, 2, 3):
        name = f"hdfs-datanode-{number}"
        (mount,) = container(found, name)["mounts"]
        assert (mount["source"], mount["target"]) == (f"hadoop-datanode-{number}", "/data")
        assert task(found, name)["placement"]["constraints"] == [f"node.hostname == worker-{number}"]
        env = container(found, name)["env"]
        assert (env["HADOOP_NAME"], env["HADOOP_PORT"]) == (f"hadoop-datanode-{number}", str(20000 + number))
    assert [r for r in found.of_type(SERVICE) if r.inputs["name"] == "hadoop-datanode-4"] == []


@pytest.mark.parametrize(("few", "many", "workers"), [(3, 5, 5), (3, 3, 7), (1, 2, 5)])
def test_more_datanodes_or_workers_only_add(few: int, many: int, workers: int) -> None:
    """The open problem of the chapter (M133), in one setting: no DataNode moves, no part but them is touched."""
    hadoop = {"replication": 1, "jobs": JOBS}
    before, after = graph({"datanodes": few, **hadoop}), graph({"datanodes": many, **hadoop}, workers=workers)
    assert {r.urn for r in before.resources} <= {r.urn for r in after.resources}
    assert [name for name in changed(before, after) if name.startswith(("hdfs", "yarn", *JOBS))] == []
    added = {r.name for r in after.resources if r.urn not in before.by_urn and r.name.startswith("hdfs")}
    assert len(added) == 3 * (many - few)


def test_a_datanode_is_let_go_before_its_service_and_volume_go_unless_all_of_hdfs_goes() -> None:
    found = graph()
    admission = found.named("hdfs-datanode-3-admission")
    namenode, service = found.named("hdfs-namenode-service"), found.named("hdfs-datanode-3-service")
    # What depends on something is deleted before it.
    assert {namenode.urn, service.urn} <= set(admission.dependencies)
    assert admission.deleted_with == namenode.urn
    assert admission.inputs["release"] == ["hadoop-member", "retire", "hadoop-datanode-3", "20003"]
    assert admission.inputs["admit"] == ["hadoop-member", "admit", "hadoop-datanode-3", "20003"]
    # The list of those who leave is beside the NameNode's own files.
    (own,) = container(found, "hdfs-namenode")["mounts"]
    (mount,) = admission.inputs["mounts"]
    assert (mount["source"], mount["target"]) == (own["source"], own["target"]) == ("hadoop-namenode", "/data")
    assert admission.inputs["constraints"] == task(found, "hdfs-namenode")["placement"]["constraints"]
    assert int(admission.inputs["env"]["MEMBER_SECONDS"]) < admission.inputs["timeout"] == 1800
    assert len(found.of_type(ADMISSION)) == 3


def test_no_datanode_waits_for_another() -> None:
    found = graph()
    for first, second in ((1, 2), (2, 1), (3, 1)):
        reached = found.reachable(found.named(f"hdfs-datanode-{first}-admission").urn)
        assert found.named(f"hdfs-datanode-{second}-service").urn not in reached


def test_nobody_is_told_an_address_of_a_task() -> None:
    found = graph()
    told = [container(found, name) for name in (*DAEMONS, "hdfs-datanode-1")]
    told += [job(found, name).inputs["env"] | {"command": job(found, name).inputs["command"]} for name in JOBS]
    texts = [json.dumps({key: value for key, value in one.items() if key != "image"}) for one in told]
    assert [text for text in texts if re.search(r"\b\d+\.\d+\.\d+\.\d+\b", text)] == []
    networks = {name: task(found, name)["networksAdvanceds"] for name in DAEMONS}
    for name, alias in (("hdfs-namenode", "namenode"), ("yarn-resourcemanager", "resourcemanager")):
        assert container(found, name)["hostname"] == alias
        assert networks[name][0]["aliases"] == [alias]
    assert all(len(joined) == 1 for joined in networks.values())
    # Docker resolves it, and Java takes it for a host name: the last part begins with a letter.
    assert container(found, "yarn-nodemanager")["hostname"] == "{{.Service.Name}}.{{.Task.Slot}}.{{.Task.ID}}.hadoop"


@pytest.mark.parametrize("memory", ["1344m", "2g"])
def test_heaps_and_what_is_offered_fit_into_the_limit(memory: str) -> None:
    """The chapter's NodeManagers offer 1024 MB whatever they have (M129, M69)."""
    found = graph({"yarn": {"nodemanager_memory": memory}, "jobs": JOBS})
    for name in (*DAEMONS, "hdfs-datanode-1"):
        limit = task(found, name)["resources"]["limits"]["memoryBytes"]
        assert int(container(found, name)["env"]["HADOOP_HEAP"]) * MIB <= limit - 150 * MIB
    env = container(found, "yarn-nodemanager")["env"]
    limit = task(found, "yarn-nodemanager")["resources"]["limits"]["memoryBytes"]
    assert (int(env["HADOOP_OFFERED_MEMORY"]) + int(env["HADOOP_HEAP"])) * MIB <= limit - 150 * MIB
    assert int(env["HADOOP_OFFERED_MEMORY"]) >= 1024
    # Who schedules believes the same as who offers.
    assert container(found, "yarn-resourcemanager")["env"]["HADOOP_OFFERED_MEMORY"] == env["HADOOP_OFFERED_MEMORY"]


@pytest.mark.parametrize(("hadoop", "copies"), [({"datanodes": 1}, "1"), ({}, "3"), ({"replication": 2}, "2")])
def test_everybody_keeps_as_many_copies_as_there_can_be(hadoop: dict[str, Any], copies: str) -> None:
    found = graph({**hadoop, "jobs": JOBS})
    told = [container(found, name)["env"] for name in (*DAEMONS, "hdfs-datanode-1")]
    assert {env["HADOOP_REPLICATION"] for env in told} == {copies}


def test_no_job_runs_again_because_of_more_copies_or_nodes() -> None:
    """The image asks HDFS how many copies it makes."""
    before = graph({"datanodes": 1, "jobs": JOBS})
    after = graph({"datanodes": 4, "yarn": {"nodemanagers": 3}, "decommission_timeout": "1h", "jobs": JOBS})
    touched = changed(before, after)
    assert "hdfs-namenode-service" in touched
    assert [name for name in touched if "submitter" in name] == []


def test_a_spark_job_runs_its_driver_in_the_cluster() -> None:
    """M132; what the driver wrote comes back by the submitter."""
    inputs = job(graph(), "spark-pi").inputs
    assert inputs["command"] == [
        *("hadoop-start", "spark", "--name", "spark-pi", "--deploy-mode", "cluster", "--driver-memory", "512m"),
        *("--executor-memory", "512m", "--executor-cores", "1", "--num-executors", "1"),
        *("/opt/spark/examples/pi.py", "10"),
    ]
    assert "SPARK_EVENTS" not in inputs["env"]
    events = job(graph({"spark_history": {}, "jobs": JOBS}), "spark-pi").inputs["env"]["SPARK_EVENTS"]
    assert events == "hdfs://namenode:8020/spark/history"


def test_a_driver_beside_its_submitter_has_the_memory_of_that_container() -> None:
    inputs = job(graph(), "jar").inputs
    words = inputs["command"]
    assert int(words[words.index("--driver-memory") + 1].removesuffix("m")) * MIB < inputs["memory"]
    assert words[words.index("--class") + 1] == "org.example.Main"
    assert words[words.index("--num-executors") + 1] == "2"


def test_a_mapreduce_job_is_a_jar_with_words_and_says_what_it_reads_and_makes() -> None:
    inputs = job(graph(), "words").inputs
    jar = "/opt/hadoop/examples/mapreduce.jar"
    assert inputs["command"] == ["hadoop-start", "mapreduce", jar, "wordcount", "/in", "/out"]
    assert (inputs["env"]["JOB_SAMPLE"], inputs["env"]["JOB_OUTPUT"]) == ("/in", "/out")
    assert "JOB_OUTPUT" not in job(graph(), "pi").inputs["env"]


def test_a_python_file_of_the_project_reaches_the_submitter_as_a_config() -> None:
    found = graph()
    (file,) = job(found, "mine").inputs["configs"]
    assert job(found, "mine").inputs["command"][-1] == file["fileName"] == "/opt/hadoop/jobs/mine.py"
    assert found.named("mine-code").urn in job(found, "mine").dependencies


def test_jobs_wait_for_all_that_they_need_and_for_no_other_job() -> None:
    found = graph()
    reached = found.reachable(job(found, "pi").urn)
    needed = (*(name for name in DAEMONS if name != "hdfs-secondary"), *(f"hdfs-datanode-{n}" for n in (1, 2, 3)))
    assert {found.named(f"{name}-service").urn for name in needed} <= reached
    assert job(found, "words").urn not in reached


@pytest.mark.parametrize("publish", ["host", "ingress"])
def test_hadoop_never_has_the_mesh(publish: str) -> None:
    found = graph(publish=publish)
    for name in DAEMONS:
        inputs = found.named(f"{name}-service").inputs
        assert inputs["endpointSpec"]["mode"] == "dnsrr"
        assert [port["publishMode"] for port in inputs["endpointSpec"].get("ports", [])] in ([], ["host"])


def test_whoever_sees_the_pages_changes_nothing() -> None:
    """HDFS and YARN delete and end for anybody who asks by HTTP."""
    found = graph({"spark_history": {}})
    (edge,) = [r for r in found.of_type(SERVICE) if r.inputs["name"] == "edge"]
    assert sorted(port["publishedPort"] for port in edge.inputs["endpointSpec"]["ports"]) == [8084, 8085, 8086, 8096]
    configuration = found.outputs[found.named("edge").urn]["configuration"]
    assert configuration.count("http-request deny deny_status 405 unless { method GET HEAD OPTIONS }") == 4


def test_what_a_job_came_to_is_an_output_of_the_stack() -> None:
    (outputs,) = [outputs for urn, outputs in graph().outputs.items() if "::pulumi:pulumi:Stack::" in urn]
    assert set(outputs["hadoop_jobs"]) == set(JOBS)
    assert set(outputs["hadoop_jobs"]["pi"]) == {"exit_code", "result", "log"}


def test_without_jobs_and_event_log_there_is_neither() -> None:
    found = graph({"datanodes": 1})
    assert [r.name for r in found.resources if "submitter" in r.name or "spark" in r.name] == []
