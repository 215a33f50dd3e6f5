"""The vocabulary of Spark in a stack file (M113-M122)."""

from typing import Literal

from pydantic import Field

from stacks import patterns
from stacks.section import Duration, NodeName, Port, Replicas, Section, Size

AWAY_FROM_MANAGERS = ["node.role != manager"]


class SparkHistorySettings(Section):
    """The history server, which shows finished applications from their event log on the volume `spark`, or in HDFS."""

    port: Port = Field(default=8083, description="Published port of its pages.")
    memory: Size = Field(default="512m", description="Limit of its container.")


class SparkJobSettings(Section):
    """A job that runs once to its end: `make up` waits for it, and its result is an output of the stack."""

    application: str = Field(
        pattern=patterns.NOT_EMPTY,
        description="Python file or jar: a path in the container (`/opt/spark/examples/pi.py`, `/data/app.jar`), "
        "or a Python file of the project, relative to its folder.",
    )
    main_class: str | None = Field(
        default=None, pattern=patterns.CLASS_NAME, description="Class to run of a jar, such as org.example.Main."
    )
    args: list[str] = Field(default_factory=list, description="Words for the application.")
    where: Literal["cluster", "driver"] = Field(
        default="cluster",
        description="`cluster` runs tasks on the workers; `driver` runs everything in the driver, where the volume is.",
    )
    memory: Size = Field(default="1g", description="Limit of the driver's container.")
    cpus: float = Field(default=1.0, ge=0.1, le=256, description="CPUs of the driver's container.")
    executor_memory: Size | None = Field(
        default=None, description="Heap of each executor; else all that a worker offers."
    )
    executor_cores: int | None = Field(
        default=None, ge=1, le=256, description="Cores of each executor; else all of a worker."
    )
    total_cores: int | None = Field(
        default=None, ge=1, description="Most cores of the whole job; else all that are free."
    )
    timeout: Duration = Field(default="10m", description="How long it may take.")
    run: str = Field(default="1", pattern=patterns.NOT_EMPTY, description="Another word here runs the job again.")


class SparkSettings(Section):
    """Spark standalone: a master, workers, a history server, and jobs."""

    workers: Replicas = Field(default=3, description="Worker tasks; any number, at any time (M121).")
    memory: Size = Field(default="1g", description="Limit of each worker's container; executors get what it leaves.")
    cores: int = Field(default=1, ge=1, le=256, description="Cores that each worker offers, and its CPU limit.")
    port: Port = Field(default=8082, description="Published port of the master's pages, which lead to the workers'.")
    master_memory: Size = Field(default="512m", description="Limit of the master's container.")
    master_constraints: list[str] = Field(
        default=AWAY_FROM_MANAGERS, description="Where the master runs: `node.labels.type == sparkmaster` (M116)."
    )
    worker_constraints: list[str] = Field(
        default=AWAY_FROM_MANAGERS, description="Where workers run: `node.labels.type == sparkworker` (M116)."
    )
    data_node: NodeName | None = Field(
        default=None,
        description="Node of the volume `spark`, which jobs see as `/data`: worker-1, or what `volumes.spark` says.",
    )
    hdfs: bool = Field(
        default=False,
        description="Whether jobs read and write `hdfs://namenode:8020/...` of `services.hadoop`, and the event log is "
        "there, in `/spark/history` (M125-M127).",
    )
    history: SparkHistorySettings = Field(default_factory=SparkHistorySettings)
    jobs: dict[str, SparkJobSettings] = Field(default_factory=dict, description="Jobs by name.")
