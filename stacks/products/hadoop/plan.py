"""What can be wrong with the settings of HDFS and YARN, refused before any resource exists, and what they come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from components.plan.durations import parse_duration
from components.plan.errors import PlanError
from components.plan.hadoop import check_driver_and_executor, copies, datanode_nodes, offered_memory, spark_container
from components.plan.placement import Demand, PlanNode, candidates, check_placement
from components.plan.sizes import format_size, parse_size
from components.plan.spark import daemon_heap, driver_heap
from components.services.hdfs import NAMENODE, datanode_name
from components.services.yarn import NODEMANAGER, RESOURCEMANAGER
from stacks.products.hadoop.settings import HadoopJobSettings, HadoopSettings
from stacks.products.jobs import check_job_name, check_main_class
from stacks.products.product import Product, check_data_node, memory_limit, reserve_volume
from stacks.settings import Settings, VolumeSettings

_FIELD = "services.hadoop"
_SHORTEST_DECOMMISSION = 120 * 10**9
_PARTS = 4
"""NameNode, secondary, ResourceManager and history server."""


class HadoopProduct(Product):
    """HDFS and YARN (M123-M133)."""

    name = "hadoop"

    def images(self, settings: Settings) -> tuple[str, ...]:
        del settings
        return ("hadoop",)

    def ports(self, settings: Settings) -> Mapping[str, int]:
        hadoop = hadoop_settings(settings)
        ports = {"hadoop": hadoop.port, "hadoop.yarn": hadoop.yarn.port, "hadoop.history": hadoop.history.port}
        if hadoop.spark_history:
            ports["hadoop.spark_history"] = hadoop.spark_history.port
        return ports

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        hadoop = hadoop_settings(settings)
        # Each DataNode that comes or goes has an errand at the same time.
        members = 2 * hadoop.datanodes + hadoop.yarn.nodemanagers
        return {"hadoop": _PARTS + bool(hadoop.spark_history) + members + len(hadoop.jobs)}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        check_hadoop(settings, hadoop_settings(settings), nodes)

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        return hadoop_warnings(settings, hadoop_settings(settings), nodes)

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        hadoop = hadoop_settings(settings)
        namenode = VolumeSettings(node=hadoop.namenode_node, size=hadoop.namenode_size, profile=hadoop.namenode_profile)
        return {
            NAMENODE: namenode,
            **{
                datanode_name(number): VolumeSettings(
                    node=node, size=hadoop.datanode_size, profile=hadoop.datanode_profile
                )
                for number, node in datanode_nodes(hadoop.datanodes).items()
            },
        }

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        datanodes = map(datanode_name, datanode_nodes(hadoop_settings(settings).datanodes))
        return {NAMENODE: f"{_FIELD}.namenode_size", **dict.fromkeys(datanodes, f"{_FIELD}.datanode_size")}

    def files(self, settings: Settings) -> Mapping[str, str]:
        return {
            f"{_FIELD}.jobs.{name}.application": job.application
            for name, job in hadoop_settings(settings).jobs.items()
            if not _is_elsewhere(job.application)
        }


def hadoop_settings(settings: Settings) -> HadoopSettings:
    """The settings of a Hadoop that is wanted."""
    assert settings.services.hadoop is not None
    return settings.services.hadoop


@dataclass(frozen=True, kw_only=True)
class HadoopLimits:
    """The sizes of the settings in bytes; `offered` is what a NodeManager offers to containers, in MiB, `copies` how
    many there are of each block, `decommission` the seconds that a DataNode may take to leave."""

    namenode: int
    secondary: int
    datanode: int
    resourcemanager: int
    nodemanager: int
    history: int
    spark_history: int | None
    offered: int
    copies: int
    decommission: int


def hadoop_limits(hadoop: HadoopSettings) -> HadoopLimits:
    """Limits, each checked against what a daemon needs in it."""
    nodemanager = memory_limit(hadoop.yarn.nodemanager_memory, field=f"{_FIELD}.yarn.nodemanager_memory")
    return HadoopLimits(
        namenode=_daemon(hadoop.namenode_memory, "namenode_memory"),
        secondary=_daemon(hadoop.secondary_memory, "secondary_memory"),
        datanode=_daemon(hadoop.datanode_memory, "datanode_memory"),
        resourcemanager=_daemon(hadoop.yarn.memory, "yarn.memory"),
        nodemanager=nodemanager,
        history=_daemon(hadoop.history.memory, "history.memory"),
        spark_history=_daemon(hadoop.spark_history.memory, "spark_history.memory") if hadoop.spark_history else None,
        offered=offered_memory(nodemanager, field=f"{_FIELD}.yarn.nodemanager_memory"),
        copies=copies(hadoop.datanodes, hadoop.replication, field=f"{_FIELD}.replication"),
        decommission=_decommission(hadoop.decommission_timeout),
    )


def check_hadoop(settings: Settings, hadoop: HadoopSettings, nodes: Sequence[PlanNode]) -> None:
    """PlanError for what could not run."""
    limits = hadoop_limits(hadoop)
    for name in (NAMENODE, *map(datanode_name, datanode_nodes(hadoop.datanodes))):
        reserve_volume(settings, name, owner="HDFS", fix=f"use {_FIELD}.datanode_size and the like, or another name")
    check_data_node(hadoop.namenode_node, nodes, service=NAMENODE, field=f"{_FIELD}.namenode_node")
    _check_datanodes(hadoop, nodes)
    yarn = hadoop.yarn
    check_placement(Demand(service=RESOURCEMANAGER, replicas=1, constraints=tuple(yarn.constraints)), nodes)
    check_placement(
        Demand(service=NODEMANAGER, replicas=yarn.nodemanagers, constraints=tuple(yarn.nodemanager_constraints)), nodes
    )
    _check_cores(hadoop, nodes)
    for name, job in hadoop.jobs.items():
        _check_job(name, job, hadoop, limits)


def hadoop_warnings(settings: Settings, hadoop: HadoopSettings, nodes: Sequence[PlanNode]) -> Iterator[str]:
    """What works, and may not be meant."""
    limits = hadoop_limits(hadoop)
    wanted = (
        limits.namenode
        + limits.secondary
        + limits.resourcemanager
        + limits.history
        + (limits.spark_history or 0)
        + limits.datanode * hadoop.datanodes
        + limits.nodemanager * hadoop.yarn.nodemanagers
    )
    room = sum(node.memory_bytes for node in nodes if node.availability == "active" and node.role == "worker")
    if wanted > room:
        yield (
            f"{_FIELD}: busy parts may use {format_size(wanted)}, and the workers have {format_size(room)}; a node "
            "that runs out of memory kills tasks"
        )
    if settings.cloud != "local":
        yield (
            f"{_FIELD}.port is {hadoop.port}: everybody may look at the pages of HDFS and YARN, which ask for no "
            "password and show what is in files and jobs; let a network of yours alone reach the load balancer"
        )
    if settings.network.publish_mode == "ingress":
        yield (
            f"{_FIELD}.port is {hadoop.port}: without the proxy on every node (publish_mode: host) the pages of HDFS "
            "let everybody who reaches them delete files"
        )


def _check_datanodes(hadoop: HadoopSettings, nodes: Sequence[PlanNode]) -> None:
    active = {node.name for node in nodes if node.availability == "active" and not node.pooled}
    workers = sum(node.role == "worker" for node in nodes if not node.pooled)
    if hadoop.datanodes > workers:
        raise PlanError(
            field=f"{_FIELD}.datanodes",
            value=hadoop.datanodes,
            problem=f"each is on a worker of its own, and the stack has {workers}",
            fix=f"use at most {workers}, or more workers" if workers else "use workers that are not a pool",
        )
    for number, node in datanode_nodes(hadoop.datanodes).items():
        if node not in active:
            raise PlanError(
                field=f"{_FIELD}.datanodes",
                value=hadoop.datanodes,
                problem=f"{datanode_name(number)} is on {node}, which takes no tasks",
                fix=f"make {node} active, or use at most {number - 1}",
            )


def _check_cores(hadoop: HadoopSettings, nodes: Sequence[PlanNode]) -> None:
    """No engine starts a container that may use more CPUs than its node has."""
    field = f"{_FIELD}.yarn.cores"
    found = candidates(hadoop.yarn.nodemanager_constraints, nodes, field=f"{_FIELD}.yarn.nodemanager_constraints")
    for node in found:
        if hadoop.yarn.cores > node.cpus:
            raise PlanError(
                field=field,
                value=hadoop.yarn.cores,
                problem=f"a NodeManager may use as many CPUs, and {node.name} has {node.cpus:g}",
                fix=f"use {max(1, int(node.cpus))}, or give the workers more CPUs",
            )


def _check_job(name: str, job: HadoopJobSettings, hadoop: HadoopSettings, limits: HadoopLimits) -> None:
    field = f"{_FIELD}.jobs.{name}"
    check_job_name(name, field=field)
    if not hadoop.yarn.nodemanagers:
        raise PlanError(
            field=field,
            value=name,
            problem=f"it would wait for ever: {_FIELD}.yarn.nodemanagers is 0",
            fix="use a NodeManager",
        )
    memory = parse_size(job.memory, field=f"{field}.memory")
    driver_heap(memory, field=f"{field}.memory")
    _check_application(field, job)
    if job.engine == "spark":
        executor = parse_size(job.executor_memory, field=f"{field}.executor_memory")
        spark_container(executor, limits.offered, field=f"{field}.executor_memory")
        driver = parse_size(job.driver_memory, field=f"{field}.driver_memory")
        if job.deploy_mode == "cluster":
            spark_container(driver, limits.offered, field=f"{field}.driver_memory")
            if hadoop.yarn.nodemanagers == 1:
                check_driver_and_executor(driver, executor, limits.offered, field=field)
        if job.executor_cores > hadoop.yarn.cores:
            raise PlanError(
                field=f"{field}.executor_cores",
                value=job.executor_cores,
                problem=f"a NodeManager offers {hadoop.yarn.cores}",
                fix=f"use at most {hadoop.yarn.cores}, or give {_FIELD}.yarn.cores more",
            )


def _check_application(field: str, job: HadoopJobSettings) -> None:
    kind = PurePosixPath(job.application).suffix
    kinds = (".jar",) if job.engine == "mapreduce" else (".jar", ".py")
    if kind not in kinds:
        raise PlanError(
            field=f"{field}.application",
            value=job.application,
            problem=f"no {' or '.join(kinds)} file, which is what engine {job.engine} runs",
            fix="name another file, or another engine",
        )
    if kind == ".jar" and not _is_elsewhere(job.application):
        raise PlanError(
            field=f"{field}.application",
            value=job.application,
            problem="a jar is too large to be handed over",
            fix="put it into HDFS and name it as hdfs://namenode:8020/...",
        )
    if job.engine == "spark":
        check_main_class(kind, job.main_class, field=f"{field}.main_class")


def _is_elsewhere(application: str) -> bool:
    return application.startswith(("/", "hdfs://"))


def _daemon(text: str, name: str) -> int:
    size = memory_limit(text, field=f"{_FIELD}.{name}")
    daemon_heap(size, field=f"{_FIELD}.{name}")
    return size


def _decommission(text: str) -> int:
    field = f"{_FIELD}.decommission_timeout"
    duration = parse_duration(text, field=field)
    if duration < _SHORTEST_DECOMMISSION:
        raise PlanError(
            field=field, value=text, problem="too short for blocks to be copied", fix="use 2m or more, such as 30m"
        )
    return duration // 10**9
