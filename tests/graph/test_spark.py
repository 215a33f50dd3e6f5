"""What the graph of a stack with Spark says: who finds whom by which name, what each container may use, and what a
change of the settings changes."""

import json
import re
from functools import cache
from typing import Any

import pytest

from components.plan.sizes import MIB
from tests.graph.graph import Graph, Resource, record

pytestmark = pytest.mark.xdist_group("graph spark")

PI: dict[str, Any] = {"application": "/opt/spark/examples/pi.py", "args": ["20"]}
JAR = {"application": "/data/app.jar", "main_class": "org.example.Main", "executor_memory": "500m", "total_cores": 2}
MINE = {"application": "mine.py", "where": "driver"}
JOBS: dict[str, Any] = {"pi": PI, "jar": JAR, "mine": MINE}
SERVICE = "docker:index/service:Service"


@cache
def recorded(spark: str, mode: str = "applied", publish: str = "host") -> Graph:
    services = {"web": None, "wordpress": None, "spark": json.loads(spark)}
    return record({"services": services, "network": {"publish_mode": publish}}, mode)


def graph(spark: dict[str, Any] | None = None, **options: str) -> Graph:
    return recorded(json.dumps(spark or {"jobs": JOBS}), **options)


@cache
def on_hdfs(mode: str = "applied", publish: str = "host", datanodes: int = 3) -> Graph:
    services = {"spark": {"hdfs": True, "jobs": JOBS}, "hadoop": {"datanodes": datanodes}}
    settings = {
        "services": {"web": None, "wordpress": None, **services},
        "workers": {"count": 4, "memory": "4g"},
        "network": {"publish_mode": publish},
    }
    return record(settings, mode)


def overlays(found: Graph) -> set[str]:
    networks = found.of_type("docker:index/network:Network")
    return {network.inputs["name"] for network in networks if network.inputs["driver"] == "overlay"}


def container(found: Graph, name: str) -> dict[str, Any]:
    return found.named(f"spark-{name}-service").inputs["taskSpec"]["containerSpec"]


def limit(found: Graph, name: str) -> float:
    return found.named(f"spark-{name}-service").inputs["taskSpec"]["resources"]["limits"]["memoryBytes"]


def job(found: Graph, name: str) -> Resource:
    return found.named(f"{name}-driver")


def megabytes(text: str) -> int:
    return int(text.removesuffix("m"))


def test_nobody_is_told_an_address_of_a_task() -> None:
    """The chapter hands the master's address around, and the next master has another (E8)."""
    found = graph()
    told = [container(found, name) for name in ("master", "worker", "history")]
    told += [job(found, name).inputs["env"] | {"command": job(found, name).inputs["command"]} for name in JOBS]
    assert container(found, "worker")["env"]["SPARK_MASTER"] == "spark://spark-master:7077"
    assert container(found, "master")["hostname"] == "spark-master"
    # The registry's address, which is part of an image's name, is fixed in the plan.
    texts = [json.dumps({key: value for key, value in one.items() if key != "image"}) for one in told]
    assert [text for text in texts if re.search(r"\b\d+\.\d+\.\d+\.\d+\b", text)] == []


@pytest.mark.parametrize("memory", ["1g", "2g", "3500m"])
def test_heaps_follow_the_limit_of_the_container(memory: str) -> None:
    """The chapter's worker of 256 MB says that it has 1 GB (M118)."""
    found = graph({"memory": memory, "jobs": {"pi": PI}})
    env = container(found, "worker")["env"]
    heaps = megabytes(env["SPARK_WORKER_MEMORY"]) + megabytes(env["SPARK_DAEMON_MEMORY"])
    assert heaps < limit(found, "worker") / MIB - 200
    assert f"{megabytes(env['SPARK_WORKER_MEMORY'])}m" in job(found, "pi").inputs["command"]
    for name in ("master", "history"):
        heap = megabytes(container(found, name)["env"]["SPARK_DAEMON_MEMORY"])
        assert heap * MIB < limit(found, name)


def test_a_driver_gets_a_heap_that_fits_and_what_its_job_asks_for() -> None:
    found = graph()
    inputs = job(found, "jar").inputs
    assert megabytes(inputs["env"]["SPARK_DRIVER_MEMORY"]) * MIB < inputs["memory"]
    assert inputs["command"] == [
        *("spark-start", "submit", "--name", "jar", "--class", "org.example.Main", "--executor-memory", "500m"),
        *("--executor-cores", "1", "--total-executor-cores", "2", "/data/app.jar"),
    ]


def test_a_python_file_of_the_project_reaches_the_driver_as_a_config() -> None:
    found = graph()
    inputs = job(found, "mine").inputs
    (file,) = inputs["configs"]
    assert inputs["command"][-1] == file["fileName"] == "/opt/spark/jobs/mine.py"
    assert inputs["env"]["SPARK_MASTER"] == "local[*]"
    assert "configs" not in job(found, "pi").inputs
    assert found.named("mine-code").urn in job(found, "mine").dependencies


def test_master_workers_and_drivers_share_a_word_that_comes_as_a_file() -> None:
    found = graph()
    for name in ("master", "worker"):
        (file,) = container(found, name)["secrets"]
        assert (file["fileName"], file["fileMode"], file["fileUid"]) == ("/run/secrets/spark-secret", 0o400, "185")
        assert container(found, name)["env"]["SPARK_SECRET_FILE"] == file["fileName"]
    assert "secrets" not in container(found, "history")
    (file,) = job(found, "pi").inputs["secrets"]
    assert file["fileName"] == "spark-secret"
    words = {r.inputs["data"]["value"] for r in found.resources if r.name in ("pi-secret", "spark-master-secret")}
    assert len(words) == 1


def test_a_job_waits_for_the_master_and_for_who_makes_the_volume_known() -> None:
    found = graph()
    reached = found.reachable(job(found, "pi").urn)
    assert found.named("spark-master-service").urn in reached
    assert found.named("spark-history-service").urn in reached
    assert found.named("pi-driver").urn not in found.reachable(job(found, "jar").urn)


def test_history_server_and_drivers_stay_at_the_volume_and_nobody_else_does() -> None:
    found = graph({"data_node": "worker-2", "jobs": {"pi": PI}})
    pinned = "node.hostname == worker-2"
    history = found.named("spark-history-service").inputs["taskSpec"]
    assert pinned in history["placement"]["constraints"]
    assert history["containerSpec"]["mounts"][0]["target"] == "/data"
    assert job(found, "pi").inputs["constraints"] == [pinned]
    assert job(found, "pi").inputs["mounts"] == [{"type": "volume", "source": "spark", "target": "/data"}]
    for name in ("master", "worker"):
        placement = found.named(f"spark-{name}-service").inputs["taskSpec"]["placement"]
        assert placement["constraints"] == ["node.role != manager"]


def test_labels_place_master_and_workers() -> None:
    """As the chapter does: sparkmaster here, everything else there (M116)."""
    services = {
        "web": None,
        "wordpress": None,
        "spark": {
            "master_constraints": ["node.labels.type == sparkmaster"],
            "worker_constraints": ["node.labels.type != sparkmaster"],
        },
    }
    found = record({"services": services, "nodes": {"worker-1": {"labels": {"type": "sparkmaster"}}}}, "applied")
    placements = [found.named(f"spark-{name}-service").inputs["taskSpec"]["placement"] for name in ("master", "worker")]
    assert [one["constraints"] for one in placements] == [
        ["node.labels.type == sparkmaster"],
        ["node.labels.type != sparkmaster"],
    ]


@pytest.mark.parametrize("publish", ["host", "ingress"])
def test_spark_has_one_network_and_never_the_mesh(publish: str) -> None:
    """A second address is one that Spark may listen on in place of the right one (moby#24637)."""
    found = graph(publish=publish)
    for name in ("master", "worker", "history"):
        inputs = found.named(f"spark-{name}-service").inputs
        assert len(inputs["taskSpec"]["networksAdvanceds"]) == 1
        assert inputs["endpointSpec"]["mode"] == "dnsrr"
        assert [port["publishMode"] for port in inputs["endpointSpec"].get("ports", [])] in ([], ["host"])


def test_the_proxy_joins_the_network_of_two_services_once() -> None:
    found = graph()
    (edge,) = [r for r in found.of_type(SERVICE) if r.inputs["name"] == "edge"]
    assert len(edge.inputs["taskSpec"]["networksAdvanceds"]) == 1
    assert sorted(port["publishedPort"] for port in edge.inputs["endpointSpec"]["ports"]) == [8082, 8083]


def test_more_workers_change_one_service_and_run_no_job_again() -> None:
    """One setting, any number, at any time (M121)."""
    few, many = (graph({"workers": workers, "jobs": JOBS}) for workers in (3, 30))
    changed = [r.name for r in many.resources if r.inputs != few.by_urn[r.urn].inputs]
    assert set(few.by_urn) == set(many.by_urn)
    assert changed == ["spark-worker-service"]


def test_another_word_runs_a_job_again_and_that_one_alone() -> None:
    before = graph()
    after = graph({"jobs": {**JOBS, "pi": {**PI, "run": "2"}}})
    assert [r.name for r in after.resources if r.inputs != before.by_urn[r.urn].inputs] == ["pi-driver"]


def test_what_a_job_came_to_is_an_output_of_the_stack() -> None:
    found = graph()
    (outputs,) = [outputs for urn, outputs in found.outputs.items() if "::pulumi:pulumi:Stack::" in urn]
    assert set(outputs["spark_jobs"]) == set(JOBS)
    assert set(outputs["spark_jobs"]["pi"]) == {"exit_code", "result", "log"}


@pytest.mark.parametrize("publish", ["host", "ingress"])
def test_on_hdfs_all_of_spark_is_on_its_network_and_on_no_other(publish: str) -> None:
    """As in the chapter; a second address is one that Spark may tell others."""
    found = on_hdfs(publish=publish)
    assert overlays(found) == {"hadoop"}
    for name in ("master", "worker", "history"):
        networks = found.named(f"spark-{name}-service").inputs["taskSpec"]["networksAdvanceds"]
        assert [one["id"] for one in networks] == ["hadoop-overlay-network-id"]
    assert [job(found, name).inputs["networks"] for name in JOBS] == [["hadoop-overlay-network-id"]] * len(JOBS)


def test_on_hdfs_the_proxy_finds_spark_where_it_finds_hadoop() -> None:
    (edge,) = [r for r in on_hdfs().of_type(SERVICE) if r.inputs["name"] == "edge"]
    assert len(edge.inputs["taskSpec"]["networksAdvanceds"]) == 1
    published = sorted(port["publishedPort"] for port in edge.inputs["endpointSpec"]["ports"])
    assert published == [8082, 8083, 8084, 8085, 8086]


@pytest.mark.parametrize("mode", ["applied", "preview"])
def test_on_hdfs_who_uses_the_event_log_there_waits_for_it_and_who_does_not_does_not(mode: str) -> None:
    """M125-M127: what is written before HDFS is there is lost."""
    found = on_hdfs(mode)
    hdfs = {found.named(f"hdfs-{name}-service").urn for name in ("namenode", *(f"datanode-{n}" for n in (1, 2, 3)))}
    for name in ("spark-history-service", *(f"{name}-driver" for name in JOBS)):
        assert hdfs <= found.reachable(found.named(name).urn)
    for name in ("spark-master-service", "spark-worker-service"):
        assert not hdfs & found.reachable(found.named(name).urn)


def test_on_hdfs_the_event_log_is_in_the_folder_of_the_chapter_and_jobs_keep_the_volume() -> None:
    found = on_hdfs()
    told = [container(found, "history")["env"], *(job(found, name).inputs["env"] for name in JOBS)]
    assert {env["SPARK_EVENTS"] for env in told} == {"hdfs://namenode:8020/spark/history"}
    assert job(found, "pi").inputs["mounts"] == [{"type": "volume", "source": "spark", "target": "/data"}]
    assert found.named("spark-history-service").urn in found.reachable(job(found, "pi").urn)
    alone = graph()
    kept = [container(alone, "history")["env"], *(job(alone, name).inputs["env"] for name in JOBS)]
    assert {env["SPARK_EVENTS"] for env in kept} == {"/data/spark-events"}


def test_on_hdfs_more_datanodes_and_copies_touch_nothing_of_spark() -> None:
    """A job asks HDFS for the number of copies, so that it does not run again when that changes."""
    few, many = on_hdfs(datanodes=2), on_hdfs(datanodes=4)
    touched = {r.name for r in many.resources if r.urn in few.by_urn and r.inputs != few.by_urn[r.urn].inputs}
    assert "hdfs-namenode-service" in touched
    assert [name for name in touched if "spark" in name or "driver" in name] == []


def test_beside_hadoop_spark_keeps_a_network_of_its_own_unless_it_is_asked_onto_hdfs() -> None:
    services = {"web": None, "wordpress": None, "spark": {}, "hadoop": {}}
    found = record({"services": services, "workers": {"count": 3, "memory": "4g"}}, "applied")
    assert overlays(found) == {"spark", "hadoop"}
    history = found.named("spark-history-service")
    assert found.named("hdfs-namenode-service").urn not in found.reachable(history.urn)
