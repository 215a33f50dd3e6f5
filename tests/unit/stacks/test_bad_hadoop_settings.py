"""Bad settings of HDFS and YARN, one line of the table each: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports

SPARK = {"engine": "spark", "application": "/opt/spark/examples/pi.py"}
FIELD = "services.hadoop"


def stack(hadoop: dict[str, Any], **sections: Any) -> dict[str, Any]:
    services = {"web": None, "wordpress": None, "hadoop": hadoop}
    return {"services": services, "workers": {"count": 4, "memory": "4g"}, **sections}


def job(**changes: Any) -> dict[str, Any]:
    return stack({"jobs": {"pi": changes}})


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"datanodes": 0}), f"{FIELD}.datanodes is 0: use at least 1"),
    (
        stack({"datanodes": 5}),
        f"{FIELD}.datanodes is 5: each is on a worker of its own, and the stack has 4; use at most 4, or more workers",
    ),
    (
        stack({}, nodes={"worker-3": {"availability": "drain"}}),
        f"{FIELD}.datanodes is 3: hadoop-datanode-3 is on worker-3, which takes no tasks; make worker-3 active, or use at most 2",
    ),
    (
        stack({"replication": 4}),
        f"{FIELD}.replication is 4: each copy of a block is on another DataNode, and there are 3; use at most 3, or more datanodes",
    ),
    (stack({"replication": 0}), f"{FIELD}.replication is 0: use at least 1"),
    (
        stack({"namenode_memory": "200m"}),
        f"{FIELD}.namenode_memory is '200m': too little for its JVM; use 256m or more",
    ),
    (
        stack({"datanode_memory": "128m"}),
        f"{FIELD}.datanode_memory is '128m': too little for its JVM; use 256m or more",
    ),
    (
        stack({"history": {"memory": "lots"}}),
        f"{FIELD}.history.memory is 'lots': no size; write a number with a unit, such as 512m or 2g",
    ),
    (
        stack({"yarn": {"nodemanager_memory": "1g"}}),
        f"{FIELD}.yarn.nodemanager_memory is '1g': too little for a NodeManager that holds a job's master and one task; use 1344m or more",
    ),
    (
        stack({"namenode_node": "worker-9"}),
        f"{FIELD}.namenode_node is 'worker-9': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2, worker-3, worker-4",
    ),
    (
        stack({"yarn": {"constraints": ["node.labels.type == yarn"]}}),
        "service hadoop-resourcemanager: constraints is ['node.labels.type == yarn']: no active node matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        stack({}, volumes={"hadoop-datanode-2": {"node": "worker-2"}}),
        f"volumes.hadoop-datanode-2 is {{'node': 'worker-2'}}: HDFS has a volume of this name; use {FIELD}.datanode_size and the like, or another name",
    ),
    (
        stack({"decommission_timeout": "30s"}),
        f"{FIELD}.decommission_timeout is '30s': too short for blocks to be copied; use 2m or more, such as 30m",
    ),
    (
        stack({"port": 8085}),
        "services.hadoop.yarn.port is 8085/tcp: service hadoop publishes it already; publish another port with one of the two",
    ),
    (
        stack({"jobs": {"two words": {}}}),
        f"{FIELD}.jobs.two words is 'two words': no name of a job; use up to 32 letters, digits and - between them",
    ),
    (
        stack({"yarn": {"nodemanagers": 0}, "jobs": {"pi": {}}}),
        f"{FIELD}.jobs.pi is 'pi': it would wait for ever: {FIELD}.yarn.nodemanagers is 0; use a NodeManager",
    ),
    (job(engine="tez"), f"{FIELD}.jobs.pi.engine is 'tez': use 'mapreduce' or 'spark'"),
    (
        job(application="/opt/spark/examples/pi.py"),
        f"{FIELD}.jobs.pi.application is '/opt/spark/examples/pi.py': no .jar file, which is what engine mapreduce runs; name another file, or another engine",
    ),
    (
        job(application="mine.jar"),
        f"{FIELD}.jobs.pi.application is 'mine.jar': a jar is too large to be handed over; put it into HDFS and name it as hdfs://namenode:8020/...",
    ),
    (
        job(engine="spark"),
        f"{FIELD}.jobs.pi.main_class is None: the application is a jar file; name the class to run of the jar",
    ),
    (
        job(**SPARK, main_class="org.example.Main"),
        f"{FIELD}.jobs.pi.main_class is 'org.example.Main': the application is a py file; leave it out: a Python file has no class",
    ),
    (
        job(**SPARK, executor_memory="1g"),
        f"{FIELD}.jobs.pi.executor_memory is '1g': with 256m beside the heap more than a NodeManager offers (1216m); use at most 960m, or give {FIELD}.yarn.nodemanager_memory more",
    ),
    (
        job(**SPARK, driver_memory="256m"),
        f"{FIELD}.jobs.pi.driver_memory is '256m': too little for Spark; use 480m or more",
    ),
    (
        job(**SPARK, executor_cores=3),
        f"{FIELD}.jobs.pi.executor_cores is 3: a NodeManager offers 1; use at most 1, or give {FIELD}.yarn.cores more",
    ),
    (
        stack({"yarn": {"nodemanagers": 1}, "jobs": {"pi": SPARK}}),
        f"{FIELD}.jobs.pi is '1536m': what a driver and one executor take, and the only NodeManager offers 1216m; use two NodeManagers, or give {FIELD}.yarn.nodemanager_memory more",
    ),
    (
        stack({"yarn": {"cores": 2}}),
        f"{FIELD}.yarn.cores is 2: a NodeManager may use as many CPUs, and worker-1 has 1; use 1, or give the workers more CPUs",
    ),
    (job(memory="512m"), f"{FIELD}.jobs.pi.memory is '512m': too little for a driver; use 726m or more"),
]


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_of_hadoop_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("hadoop", parse_settings(settings))
    assert str(refusal.value) == message


def test_datanodes_on_workers_of_a_pool_are_refused() -> None:
    """Their machines come and go by themselves, and have no names that a volume could be pinned to."""
    aws: dict[str, Any] = {
        "cloud": "aws",
        "aws": {"region": "eu-west-1"},
        "registry": {"address": "registry.example.org"},
    }
    aws["ssh"] = {"admin_networks": ["203.0.113.0/24"]}
    settings = stack({}, workers={"count": 5, "pool": True}, **aws)
    with pytest.raises(SettingsError, match=r"worker-1"):
        make_plan("hadoop", parse_settings(settings))


def test_hadoop_brings_its_image_its_ports_and_a_volume_for_each_datanode() -> None:
    settings = parse_settings(stack({"datanodes": 2, "spark_history": {"port": 9000}}))
    assert built_images(settings) == ("hadoop", "haproxy")
    assert published_ports(settings) == {
        "hadoop": 8084,
        "hadoop.yarn": 8085,
        "hadoop.history": 8086,
        "hadoop.spark_history": 9000,
    }
    assert {volume.name: volume.node for volume in make_plan("hadoop", settings).volumes} == {
        "hadoop-namenode": "worker-1",
        "hadoop-datanode-1": "worker-1",
        "hadoop-datanode-2": "worker-2",
    }


def test_pages_that_anybody_may_change_through_are_warned_of() -> None:
    plan = make_plan("hadoop", parse_settings(stack({}, network={"publish_mode": "ingress"})))
    assert [warning for warning in plan.warnings if "let everybody who reaches them delete files" in warning]
    assert make_plan("hadoop", parse_settings(stack({}))).warnings == ()


def test_nodes_that_are_too_small_for_all_parts_are_warned_of() -> None:
    plan = make_plan("hadoop", parse_settings(stack({}, workers={"count": 3, "memory": "1g"})))
    assert [warning for warning in plan.warnings if "busy parts may use" in warning]
