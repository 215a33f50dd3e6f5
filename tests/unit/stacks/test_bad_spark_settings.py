"""Bad settings of Spark, one line of the table each: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports
from stacks.products.catalogue import overlay_tasks

PI = {"application": "/opt/spark/examples/pi.py"}


def stack(spark: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"services": {"web": None, "wordpress": None, "spark": spark}, **sections}


def on_hdfs(spark: dict[str, Any]) -> dict[str, Any]:
    services = {"web": None, "wordpress": None, "spark": {"hdfs": True, **spark}, "hadoop": {"datanodes": 2}}
    return {"services": services, "workers": {"count": 2, "memory": "4g"}}


def job(**changes: Any) -> dict[str, Any]:
    return stack({"jobs": {"pi": {**PI, **changes}}})


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"workers": -1}), "services.spark.workers is -1: use at least 0"),
    (stack({"cores": 0}), "services.spark.cores is 0: use at least 1"),
    (stack({"port": 0}), "services.spark.port is 0: use at least 1"),
    (
        stack({"memory": "lots"}),
        "services.spark.memory is 'lots': no size; write a number with a unit, such as 512m or 2g",
    ),
    (
        stack({"memory": "256m"}),
        "services.spark.memory is '256m': too little for a worker with 1 core and one executor; use 886m or more",
    ),
    (
        stack({"cores": 4}),
        "services.spark.memory is '1g': too little for a worker with 4 cores and one executor; use 1270m or more",
    ),
    (
        stack({"master_memory": "128m"}),
        "services.spark.master_memory is '128m': too little for its JVM; use 256m or more",
    ),
    (
        stack({"history": {"memory": "200m"}}),
        "services.spark.history.memory is '200m': too little for its JVM; use 256m or more",
    ),
    (
        stack({"worker_constraints": ["node.type == sparkworker"]}),
        "service spark-worker: constraint is 'node.type == sparkworker': node.type is no constraint key and would never match; use node.labels.type == sparkworker",
    ),
    (
        stack({"master_constraints": ["node.labels.type == sparkmaster"]}),
        "service spark-master: constraints is ['node.labels.type == sparkmaster']: no active node matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        stack({}, workers={"count": 0}),
        "service spark-master: constraints is ['node.role != manager']: no active node matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        stack({"data_node": "worker-9"}),
        "services.spark.data_node is 'worker-9': the history server and jobs run there, and the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        stack({}, nodes={"worker-1": {"availability": "drain"}}),
        "services.spark.data_node is 'worker-1': the history server and jobs run there, and the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-2",
    ),
    (
        stack({"data_node": "worker-1"}, volumes={"spark": {"node": "worker-2"}}),
        "services.spark.data_node is 'worker-1': volumes.spark.node is worker-2; leave it out",
    ),
    (
        stack({"port": 8083}),
        "services.spark.history.port is 8083/tcp: service spark publishes it already; publish another port with one of the two",
    ),
    (
        stack({"history": {"port": 8404}}),
        "load_balancer.statistics_port is 8404: services.spark.history.port has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    (
        stack({"hdfs": True}),
        "services.spark.hdfs is True: the stack has no HDFS; add services.hadoop, or use false",
    ),
    (
        on_hdfs({"workers": 230}),
        "network.overlay_prefix is 24: the overlay of service hadoop has 253 usable addresses, but 248 tasks, 1 virtual addresses and 5 nodes need 254; use 23 or fewer tasks",
    ),
    (
        stack({"workers": 300}),
        "network.overlay_prefix is 24: the overlay of service spark has 253 usable addresses, but 308 tasks, 1 virtual addresses and 5 nodes need 314; use 23 or fewer tasks",
    ),
    (
        stack({"jobs": {"two words": PI}}),
        "services.spark.jobs.two words is 'two words': no name of a job; use up to 32 letters, digits and - between them",
    ),
    (stack({"jobs": {"pi": {}}}), "services.spark.jobs.pi.application is missing; it has no default"),
    (job(application=""), "services.spark.jobs.pi.application is '': use some text"),
    (
        job(application="pi.scala"),
        "services.spark.jobs.pi.application is 'pi.scala': neither a Python file nor a jar; name a file that ends in .py or .jar",
    ),
    (
        job(application="app.jar", main_class="org.example.Main"),
        "services.spark.jobs.pi.application is 'app.jar': a jar is too large to be handed over; put it on the volume and name it as /data/…",
    ),
    (
        job(application="/data/app.jar"),
        "services.spark.jobs.pi.main_class is None: the application is a jar file; name the class to run of the jar",
    ),
    (
        job(main_class="org.example.Main"),
        "services.spark.jobs.pi.main_class is 'org.example.Main': the application is a py file; leave it out: a Python file has no class",
    ),
    (
        job(main_class="rm -rf"),
        "services.spark.jobs.pi.main_class is 'rm -rf': use the full name of a class, such as org.example.Main",
    ),
    (job(where="yarn"), "services.spark.jobs.pi.where is 'yarn': use 'cluster' or 'driver'"),
    (job(memory="512m"), "services.spark.jobs.pi.memory is '512m': too little for a driver; use 726m or more"),
    (
        job(executor_memory="2g"),
        "services.spark.jobs.pi.executor_memory is '2g': a worker offers 604m to executors; use at most 604m, or give services.spark.memory more",
    ),
    (
        job(executor_cores=2),
        "services.spark.jobs.pi.executor_cores is 2: a worker has 1; use at most 1, or give services.spark.cores more",
    ),
    (job(total_cores=0), "services.spark.jobs.pi.total_cores is 0: use at least 1"),
    (
        job(timeout="soon"),
        "services.spark.jobs.pi.timeout is 'soon': no duration; write numbers with units, such as 10s, 1m30s or 2160h",
    ),
    (
        stack({"workers": 0, "jobs": {"pi": PI}}),
        "services.spark.jobs.pi is 'pi': it would wait for ever: services.spark.workers is 0; use a worker, or where: driver",
    ),
    (
        stack({"master": "10.0.0.3"}),
        "services.spark.master is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
]


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_of_spark_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("spark", parse_settings(settings))
    assert str(refusal.value) == message


def test_spark_is_off_unless_a_stack_file_asks_for_it() -> None:
    settings = parse_settings({})
    assert settings.services.spark is None
    assert "spark" not in built_images(settings)
    assert [volume.name for volume in make_plan("dev", settings).volumes] == ["wordpress-database"]


def test_a_stack_with_spark_builds_its_image_and_the_proxy_alone_and_publishes_two_ports() -> None:
    settings = parse_settings(stack({}))
    assert built_images(settings) == ("haproxy", "spark")
    assert published_ports(settings) == {"spark": 8082, "spark.history": 8083}
    assert make_plan("spark", settings).warnings == ()


def test_the_tasks_of_spark_are_counted_on_the_overlay_that_they_are_on() -> None:
    """Hadoop alone: four parts, two DataNodes with an errand each, two NodeManagers."""
    spark: dict[str, Any] = {"workers": 5, "jobs": {"pi": PI}}
    assert overlay_tasks(parse_settings(on_hdfs({**spark, "hdfs": False}))) == {"spark": 8, "hadoop": 10}
    assert overlay_tasks(parse_settings(on_hdfs(spark))) == {"hadoop": 18}


def test_the_volume_is_that_of_the_chapter_unless_the_stack_declares_another() -> None:
    """75 GB in the profile bronze (M105)."""
    (volume,) = make_plan("spark", parse_settings(stack({}))).volumes
    assert (volume.name, volume.node, volume.size_gib, volume.profile) == ("spark", "worker-1", 75, "bronze")
    declared = {"spark": {"node": "worker-2", "size": "10g", "profile": "gold"}}
    (volume,) = make_plan("spark", parse_settings(stack({}, volumes=declared))).volumes
    assert (volume.name, volume.node, volume.size_gib, volume.profile) == ("spark", "worker-2", 10, "gold")


def test_workers_that_could_use_more_than_there_is_are_a_warning() -> None:
    (warning,) = make_plan("spark", parse_settings(stack({"workers": 30}))).warnings
    assert warning.startswith("services.spark.workers is 30: busy workers may use 30g, and the nodes")


def test_a_job_on_the_driver_alone_needs_no_worker() -> None:
    make_plan("spark", parse_settings(stack({"workers": 0, "jobs": {"pi": {**PI, "where": "driver"}}})))
