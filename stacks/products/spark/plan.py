"""What can be wrong with the settings of Spark, refused before any resource exists, and what they come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from components.plan.errors import PlanError
from components.plan.placement import Demand, PlanNode, candidates, check_placement
from components.plan.sizes import format_size, parse_size
from components.plan.spark import WorkerMemory, check_executor, daemon_heap, driver_heap, worker_memory
from components.services.hadoop import OVERLAY
from stacks.products.jobs import check_job_name, check_main_class
from stacks.products.product import Product, adopted_volume
from stacks.products.spark.settings import SparkJobSettings, SparkSettings
from stacks.settings import Settings, VolumeSettings

SPARK_VOLUME = "spark"
DEFAULT_NODE = "worker-1"
_FIELD = "services.spark"


class SparkProduct(Product):
    """Spark standalone (M113-M122)."""

    name = "spark"

    def uses_others(self, settings: Settings) -> bool:
        return spark_settings(settings).hdfs

    def images(self, settings: Settings) -> tuple[str, ...]:
        del settings
        return ("spark",)

    def ports(self, settings: Settings) -> Mapping[str, int]:
        spark = spark_settings(settings)
        return {"spark": spark.port, "spark.history": spark.history.port}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        spark = spark_settings(settings)
        return {OVERLAY if spark.hdfs else "spark": spark.workers + len(spark.jobs) + 2}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        check_spark(settings, spark_settings(settings), nodes)

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        return spark_warnings(settings, spark_settings(settings), nodes)

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        return {SPARK_VOLUME: spark_volume(settings)}

    def files(self, settings: Settings) -> Mapping[str, str]:
        return {
            f"{_FIELD}.jobs.{name}.application": job.application
            for name, job in spark_settings(settings).jobs.items()
            if not job.application.startswith("/")
        }


def spark_settings(settings: Settings) -> SparkSettings:
    """The settings of a Spark that is wanted."""
    assert settings.services.spark is not None
    return settings.services.spark


@dataclass(frozen=True, kw_only=True)
class SparkLimits:
    """The sizes of the settings in bytes; `worker` is how a worker's container is shared out, in MiB."""

    memory: int
    master: int
    history: int
    worker: WorkerMemory


def spark_limits(spark: SparkSettings) -> SparkLimits:
    """Limits, each checked against what Spark needs in it."""
    memory = parse_size(spark.memory, field=f"{_FIELD}.memory")
    master = parse_size(spark.master_memory, field=f"{_FIELD}.master_memory")
    history = parse_size(spark.history.memory, field=f"{_FIELD}.history.memory")
    daemon_heap(master, field=f"{_FIELD}.master_memory")
    daemon_heap(history, field=f"{_FIELD}.history.memory")
    worker = worker_memory(memory, spark.cores, field=f"{_FIELD}.memory")
    return SparkLimits(memory=memory, master=master, history=history, worker=worker)


def spark_volume(settings: Settings) -> VolumeSettings:
    """The volume `spark` (M105): as the settings declare it, else one on the data node."""
    node = spark_settings(settings).data_node
    return adopted_volume(
        settings,
        SPARK_VOLUME,
        node=node,
        field=f"{_FIELD}.data_node",
        otherwise=VolumeSettings(node=node or DEFAULT_NODE),
    )


def check_spark(settings: Settings, spark: SparkSettings, nodes: Sequence[PlanNode]) -> None:
    """PlanError for what could not run."""
    limits = spark_limits(spark)
    if spark.hdfs and settings.services.hadoop is None:
        raise PlanError(
            field=f"{_FIELD}.hdfs",
            value=spark.hdfs,
            problem="the stack has no HDFS",
            fix="add services.hadoop, or use false",
        )
    volume = spark_volume(settings)
    master = Demand(service="spark-master", replicas=1, constraints=tuple(spark.master_constraints))
    check_placement(master, nodes)
    check_placement(_workers(spark), nodes)
    active = [node.name for node in nodes if node.availability == "active"]
    if volume.node not in active:
        raise PlanError(
            field=f"{_FIELD}.data_node",
            value=volume.node,
            problem="the history server and jobs run there, and the stack has no such active node",
            fix=f"use one of {', '.join(active[:10])}",
        )
    for name, job in spark.jobs.items():
        _check_job(name, job, spark, limits)


def spark_warnings(settings: Settings, spark: SparkSettings, nodes: Sequence[PlanNode]) -> Iterator[str]:
    """What works, and may not be meant."""
    found = candidates(spark.worker_constraints, nodes, field=f"{_FIELD}.worker_constraints")
    wanted = spark.workers * spark_limits(spark).memory
    room = sum(node.memory_bytes for node in found)
    if wanted > room:
        yield (
            f"{_FIELD}.workers is {spark.workers}: busy workers may use {format_size(wanted)}, and the nodes that they "
            f"may run on have {format_size(room)}; a node that runs out of memory kills tasks"
        )
    if settings.cloud != "local":
        yield (
            f"{_FIELD}.port is {spark.port}: everybody may look at Spark's pages, which ask for no password and show "
            "what jobs are given; let a network of yours alone reach the load balancer"
        )


def _workers(spark: SparkSettings) -> Demand:
    return Demand(service="spark-worker", replicas=spark.workers, constraints=tuple(spark.worker_constraints))


def _check_job(name: str, job: SparkJobSettings, spark: SparkSettings, limits: SparkLimits) -> None:
    field = f"{_FIELD}.jobs.{name}"
    check_job_name(name, field=field)
    driver_heap(parse_size(job.memory, field=f"{field}.memory"), field=f"{field}.memory")
    if job.executor_memory is not None or job.executor_cores is not None:
        memory = job.executor_memory or f"{limits.worker.executors}m"
        check_executor(
            parse_size(memory, field=f"{field}.executor_memory"),
            job.executor_cores or spark.cores,
            limits.worker.executors,
            spark.cores,
            field=field,
        )
    if job.where == "cluster" and not spark.workers:
        raise PlanError(
            field=field,
            value=name,
            problem="it would wait for ever: services.spark.workers is 0",
            fix="use a worker, or where: driver",
        )
    _check_application(field, job)


def _check_application(field: str, job: SparkJobSettings) -> None:
    kind = PurePosixPath(job.application).suffix
    if kind not in (".py", ".jar"):
        raise PlanError(
            field=f"{field}.application",
            value=job.application,
            problem="neither a Python file nor a jar",
            fix="name a file that ends in .py or .jar",
        )
    if kind == ".jar" and not job.application.startswith("/"):
        raise PlanError(
            field=f"{field}.application",
            value=job.application,
            problem="a jar is too large to be handed over",
            fix="put it on the volume and name it as /data/…",
        )
    check_main_class(kind, job.main_class, field=f"{field}.main_class")
