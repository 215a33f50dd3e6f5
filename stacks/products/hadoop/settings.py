"""The vocabulary of HDFS and YARN in a stack file (M123-M132)."""

from typing import Literal

from pydantic import Field

from components.storage.profiles import DEFAULT_SIZE_GIB, Profile
from stacks import patterns
from stacks.section import Duration, NodeName, Port, Replicas, Section, Size

AWAY_FROM_MANAGERS = ["node.role != manager"]
EXAMPLES = "/opt/hadoop/examples/mapreduce.jar"


class HistorySettings(Section):
    """The server that shows finished jobs of MapReduce, from HDFS."""

    port: Port = Field(default=8086, description="Published port of its pages (in the container 19888).")
    memory: Size = Field(default="384m", description="Limit of its container.")


class SparkOnYarnHistorySettings(Section):
    """The server that shows finished Spark jobs, from their event log in HDFS (M127)."""

    port: Port = Field(default=8096, description="Published port of its pages (in the container 18080).")
    memory: Size = Field(default="512m", description="Limit of its container.")


class YarnSettings(Section):
    """The ResourceManager, and NodeManagers that run the containers of jobs."""

    port: Port = Field(
        default=8085, description="Published port of the ResourceManager's pages (in the container 8088)."
    )
    memory: Size = Field(default="512m", description="Limit of the ResourceManager's container.")
    constraints: list[str] = Field(
        default=AWAY_FROM_MANAGERS, description="Where the ResourceManager and the history servers run."
    )
    nodemanagers: Replicas = Field(default=2, description="NodeManagers; any number, at any time (M129).")
    nodemanager_memory: Size = Field(
        default="1536m", description="Limit of each NodeManager's container; jobs get what it leaves."
    )
    cores: int = Field(default=1, ge=1, le=256, description="Cores that each NodeManager offers, and its CPU limit.")
    nodemanager_constraints: list[str] = Field(default=AWAY_FROM_MANAGERS, description="Where NodeManagers run.")


class HadoopJobSettings(Section):
    """A job on YARN that runs once to its end: `make up` waits for it, and its result is an output of the stack."""

    engine: Literal["mapreduce", "spark"] = Field(default="mapreduce", description="What runs it.")
    application: str = Field(
        default=EXAMPLES,
        pattern=patterns.NOT_EMPTY,
        description="Jar, or with Spark a Python file too: a path in the container, `hdfs://...`, or a Python file of "
        "the project, relative to its folder.",
    )
    main_class: str | None = Field(
        default=None, pattern=patterns.CLASS_NAME, description="Class to run of a jar, where it does not name one."
    )
    args: list[str] = Field(default_factory=list, description="Words for the application.")
    sample: str | None = Field(
        default=None,
        pattern=patterns.URL_PATH,
        description="File in HDFS that is written, with a small text, where there is none.",
    )
    output: str | None = Field(
        default=None,
        pattern=patterns.URL_PATH,
        description="Folder in HDFS that the job makes: removed before it, and shown as part of the result.",
    )
    memory: Size = Field(default="1g", description="Limit of the container that submits it.")
    cpus: float = Field(default=1.0, ge=0.1, le=256, description="CPUs of that container.")
    deploy_mode: Literal["cluster", "client"] = Field(
        default="cluster",
        description="Spark: whether the driver runs in a container of YARN or in the one that submits.",
    )
    driver_memory: Size = Field(default="512m", description="Spark: heap of the driver.")
    executor_memory: Size = Field(default="512m", description="Spark: heap of each executor.")
    executors: int = Field(default=1, ge=1, le=10_000, description="Spark: how many executors.")
    executor_cores: int = Field(default=1, ge=1, le=256, description="Spark: cores of each executor.")
    timeout: Duration = Field(default="15m", description="How long it may take.")
    run: str = Field(default="1", pattern=patterns.NOT_EMPTY, description="Another word here runs the job again.")


class HadoopSettings(Section):
    """HDFS and YARN: a NameNode, DataNodes that scale in one setting, and what runs jobs on them."""

    datanodes: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="DataNodes, one on each of the first workers; more or fewer at any time (M133).",
    )
    replication: int | None = Field(
        default=None,
        ge=1,
        le=512,
        description="Copies of each block: 3, or one on each DataNode where there are fewer.",
    )
    permissions: bool = Field(
        default=False, description="Whether HDFS checks who may do what; names are taken on trust either way (M123)."
    )
    port: Port = Field(default=8084, description="Published port of the NameNode's pages (in the container 9870).")
    namenode_memory: Size = Field(default="448m", description="Limit of the NameNode's container.")
    namenode_node: NodeName = Field(default="worker-1", description="Node that holds the NameNode's volume.")
    namenode_size: Size = Field(default="20g", description="Size of that volume (not local).")
    namenode_profile: Profile = Field(default="bronze", description="Storage profile of that volume (not local).")
    secondary_memory: Size = Field(default="384m", description="Limit of the container that makes checkpoints.")
    datanode_memory: Size = Field(default="384m", description="Limit of each DataNode's container.")
    datanode_size: Size = Field(
        default=f"{DEFAULT_SIZE_GIB}g", description="Size of each DataNode's volume (not local)."
    )
    datanode_profile: Profile = Field(
        default="bronze", description="Storage profile of the DataNodes' volumes (not local)."
    )
    decommission_timeout: Duration = Field(
        default="30m", description="How long the blocks of a DataNode that leaves may take to be elsewhere."
    )
    yarn: YarnSettings = Field(default_factory=YarnSettings)
    history: HistorySettings = Field(default_factory=HistorySettings)
    spark_history: SparkOnYarnHistorySettings | None = Field(
        default=None, description="Spark jobs keep an event log where this is given."
    )
    jobs: dict[str, HadoopJobSettings] = Field(default_factory=dict, description="Jobs by name.")
