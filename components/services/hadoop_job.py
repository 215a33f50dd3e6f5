"""A job on YARN: one of MapReduce, or of Spark with its driver in the cluster (M132). What submits it is a job of the
swarm, and what the driver wrote becomes an output although it ran elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components.component import Component
from components.services.hadoop import EVENTS_FOLDER, IMAGE, HadoopImage
from components.services.job_files import job_config
from components.swarm import resources as swarm
from components.swarm.cluster import JobRunner

_CODE_FOLDER = "/opt/hadoop/jobs"


@dataclass(frozen=True, kw_only=True)
class SparkOnYarn:
    """What a Spark job asks of YARN: heaps are in MiB. `source` is the text of a Python file of the project, None where
    the application is a path in the container or in HDFS; `events` is whether it keeps an event log."""

    deploy_mode: Literal["cluster", "client"]
    driver_memory: int
    executor_memory: int
    executors: int
    executor_cores: int
    events: bool
    source: str | None = None
    configuration: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class HadoopJobArgs:
    """`spark` is None for a job of MapReduce. `sample` is a file in HDFS that is written where there is none, `output`
    a folder there that the job makes: it is removed before and shown after. `memory` is the submitter's limit in
    bytes, `timeout` in seconds; `run` runs the job again when it changes."""

    application: str
    main_class: str | None
    args: tuple[str, ...]
    spark: SparkOnYarn | None
    sample: str | None
    output: str | None
    memory: int
    cpus: float
    timeout: int
    run: str
    file_system: pulumi.Input[str]
    resourcemanager: pulumi.Input[str]
    runner: JobRunner
    made: HadoopImage


class HadoopJob(Component):
    """One job; `result` is what it wrote on standard output, `log` the last lines of any kind."""

    token = "flotilla:services:HadoopJob"
    declares = ("job", "exit_code", "result", "log")

    job: swarm.Job
    exit_code: pulumi.Output[int]
    result: pulumi.Output[Sequence[str]]
    log: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: HadoopJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        source = args.spark.source if args.spark else None
        application = args.application if source is None else f"{_CODE_FOLDER}/{name}.py"
        job = swarm.Job(
            self.child_name("submitter"),
            managers=args.runner.managers,
            cluster_id=args.runner.cluster_id,
            image=args.made.images.reference(IMAGE),
            command=_command(name, args, application),
            env=_environment(args),
            configs=None
            if source is None
            else [job_config(self, "code", content=source, path=application, cluster=args.made.cluster)],
            networks=[args.made.overlay.network_id],
            memory=args.memory,
            cpus=args.cpus,
            timeout=args.timeout,
            triggers={"run": args.run},
            opts=self.child(provider=args.runner.plugin, deleted_with=args.made.cluster.resource),
        )
        self.publish(job=job, exit_code=job.exit_code, result=job.output, log=job.logs)


def _command(name: str, args: HadoopJobArgs, application: str) -> list[str]:
    if args.spark is None:
        chosen = [args.main_class] if args.main_class else []
        return ["hadoop-start", "mapreduce", application, *chosen, *args.args]
    return ["hadoop-start", "spark", "--name", name, *_words(args, args.spark), application, *args.args]


def _words(args: HadoopJobArgs, spark: SparkOnYarn) -> list[str]:
    """What spark-submit is told before the application."""
    words = ["--deploy-mode", spark.deploy_mode, "--driver-memory", f"{spark.driver_memory}m"]
    words += ["--executor-memory", f"{spark.executor_memory}m", "--executor-cores", str(spark.executor_cores)]
    words += ["--num-executors", str(spark.executors)]
    if args.main_class is not None:
        words += ["--class", args.main_class]
    for key, value in sorted(spark.configuration.items()):
        words += ["--conf", f"{key}={value}"]
    return words


def _environment(args: HadoopJobArgs) -> dict[str, pulumi.Input[str]]:
    found: dict[str, pulumi.Input[str]] = {
        "HADOOP_FILE_SYSTEM": args.file_system,
        "HADOOP_RESOURCEMANAGER": args.resourcemanager,
    }
    if args.sample is not None:
        found["JOB_SAMPLE"] = args.sample
    if args.output is not None:
        found["JOB_OUTPUT"] = args.output
    if args.spark is not None:
        found["JOB_DEPLOY_MODE"] = args.spark.deploy_mode
        if args.spark.events:
            found["SPARK_EVENTS"] = EVENTS_FOLDER
    return found
