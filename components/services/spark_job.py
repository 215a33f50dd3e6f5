"""A job on Spark: a driver that runs once to its end beside the volume, with its result as outputs. The driver is a
service of the swarm's own kind `job`: one that fails is an error with its last lines, and one that is done stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.plan.spark import driver_heap
from components.services.job_files import job_config, job_secret
from components.services.spark import DATA_FOLDER, SECRET_FILE
from components.storage.volume import StoredVolume
from components.swarm import resources as swarm
from components.swarm.cluster import JobRunner, Swarm

_CODE_FOLDER = "/opt/spark/jobs"
_ON_THE_DRIVER = "local[*]"


@dataclass(frozen=True, kw_only=True)
class SparkJobArgs:
    """`application` is a path in the container, unless `source` is the text of a Python file; `main_class` is for jars.

    `memory` is the driver's limit in bytes, `executor_memory` an executor's heap in MiB; `total_cores` None takes all
    that are free. `timeout` is in seconds. `run` runs the job again when it changes. `configuration` is Spark's own.
    `secret` is the word that the master asks for, `events_folder` is where the event log goes.
    """

    application: str
    source: str | None = None
    main_class: str | None = None
    args: tuple[str, ...] = ()
    where: Literal["cluster", "driver"]
    memory: int
    cpus: float
    executor_memory: int
    executor_cores: int
    total_cores: int | None = None
    timeout: int
    run: str = "1"
    configuration: Mapping[str, str] = field(default_factory=dict[str, str])
    master_url: pulumi.Input[str]
    secret: pulumi.Input[str]
    events_folder: pulumi.Input[str]
    network_id: pulumi.Input[str]
    volume: StoredVolume
    runner: JobRunner
    cluster: Swarm
    images: ImageSource


class SparkJob(Component):
    """One job; `result` is what it wrote on standard output, `log` its last lines of any kind."""

    token = "flotilla:services:SparkJob"
    declares = ("job", "exit_code", "result", "log")

    job: swarm.Job
    exit_code: pulumi.Output[int]
    result: pulumi.Output[Sequence[str]]
    log: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: SparkJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        application = args.application if args.source is None else f"{_CODE_FOLDER}/{name}.py"
        job = swarm.Job(
            self.child_name("driver"),
            managers=args.runner.managers,
            cluster_id=args.runner.cluster_id,
            image=args.images.reference("spark"),
            command=["spark-start", "submit", *_words(name, args), application, *args.args],
            env={
                "SPARK_MASTER": _ON_THE_DRIVER if args.where == "driver" else args.master_url,
                "SPARK_DRIVER_MEMORY": f"{driver_heap(args.memory, field=f'{name}: memory')}m",
                "SPARK_EVENTS": args.events_folder,
                "SPARK_SECRET_FILE": SECRET_FILE,
            },
            secrets=[
                job_secret(
                    self,
                    "secret",
                    content=args.secret,
                    file_name=PurePosixPath(SECRET_FILE).name,
                    cluster=args.cluster,
                )
            ],
            configs=None
            if args.source is None
            else [job_config(self, "code", content=args.source, path=application, cluster=args.cluster)],
            networks=[args.network_id],
            mounts=[swarm.JobMountArgs(type="volume", source=args.volume.source, target=DATA_FOLDER)],
            constraints=list(args.volume.at(DATA_FOLDER).constraints),
            memory=args.memory,
            cpus=args.cpus,
            timeout=args.timeout,
            triggers={"run": args.run},
            opts=self.child(provider=args.runner.plugin, deleted_with=args.cluster.resource),
        )
        self.publish(job=job, exit_code=job.exit_code, result=job.output, log=job.logs)


def _words(name: str, args: SparkJobArgs) -> list[str]:
    """What spark-submit is told before the application."""
    words = ["--name", name]
    if args.main_class is not None:
        words += ["--class", args.main_class]
    if args.where == "cluster":
        words += ["--executor-memory", f"{args.executor_memory}m", "--executor-cores", str(args.executor_cores)]
        if args.total_cores is not None:
            words += ["--total-executor-cores", str(args.total_cores)]
    for key, value in sorted(args.configuration.items()):
        words += ["--conf", f"{key}={value}"]
    return words
