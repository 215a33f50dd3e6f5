"""How containers share out their memory in Hadoop, and which worker has which DataNode. All sizes are MiB."""

from components.naming import WORKER, node_name
from components.plan.errors import PlanError
from components.plan.sizes import MIB, format_size

NODEMANAGER_HEAP = 160
"""Heap of a NodeManager's own daemon, which starts containers and serves their output."""

NODEMANAGER_OVERHEAD = 160
"""What its JVM needs beside the heap."""

TASK_MEMORY = 512
"""A container of a MapReduce job: its master, a map or a reduce (`mapred-site.xml` of the image)."""

SMALLEST_OFFER = 2 * TASK_MEMORY
"""The master of a job and one task: with less no job would ever end."""

SPARK_OVERHEAD = 256
"""What a Spark driver or executor on YARN is given beside its heap, for its Python process (`hadoop-start`)."""

SMALLEST_SPARK_HEAP = 480
"""Spark refuses less."""

MOST_COPIES = 3
"""Of each block, where nothing else is said and there are as many DataNodes."""

_FIRST_DATA_PORT = 20000


def offered_memory(limit: int, *, field: str) -> int:
    """What a NodeManager in a container of `limit` bytes offers to containers of jobs."""
    offered = limit // MIB - NODEMANAGER_HEAP - NODEMANAGER_OVERHEAD
    if offered < SMALLEST_OFFER:
        smallest = SMALLEST_OFFER + NODEMANAGER_HEAP + NODEMANAGER_OVERHEAD
        raise PlanError(
            field=field,
            value=format_size(limit),
            problem="too little for a NodeManager that holds a job's master and one task",
            fix=f"use {smallest}m or more",
        )
    return offered


def spark_container(heap: int, offered: int, *, field: str) -> int:
    """The heap in MiB, from bytes, of a Spark driver or executor; PlanError where no NodeManager could hold it."""
    if heap // MIB < SMALLEST_SPARK_HEAP:
        raise PlanError(
            field=field,
            value=format_size(heap),
            problem="too little for Spark",
            fix=f"use {SMALLEST_SPARK_HEAP}m or more",
        )
    if heap // MIB + SPARK_OVERHEAD > offered:
        raise PlanError(
            field=field,
            value=format_size(heap),
            problem=f"with {SPARK_OVERHEAD}m beside the heap more than a NodeManager offers ({offered}m)",
            fix=f"use at most {offered - SPARK_OVERHEAD}m, or give services.hadoop.yarn.nodemanager_memory more",
        )
    return heap // MIB


def check_driver_and_executor(driver: int, executor: int, offered: int, *, field: str) -> None:
    """PlanError where the only NodeManager, by heaps in bytes, holds a driver and no executor and never will."""
    wanted = (driver + executor) // MIB + 2 * SPARK_OVERHEAD
    if wanted > offered:
        raise PlanError(
            field=field,
            value=f"{wanted}m",
            problem=f"what a driver and one executor take, and the only NodeManager offers {offered}m",
            fix="use two NodeManagers, or give services.hadoop.yarn.nodemanager_memory more",
        )


def copies(datanodes: int, wanted: int | None, *, field: str) -> int:
    """How many copies there are of each block."""
    if wanted is None:
        return min(MOST_COPIES, datanodes)
    if wanted > datanodes:
        raise PlanError(
            field=field,
            value=wanted,
            problem=f"each copy of a block is on another DataNode, and there are {datanodes}",
            fix=f"use at most {datanodes}, or more datanodes",
        )
    return wanted


def datanode_nodes(datanodes: int) -> dict[int, str]:
    """The node of each DataNode by its number, which is that of the worker: one DataNode more changes no other, and
    neither does one worker more."""
    return {number: node_name(WORKER, number) for number in range(1, datanodes + 1)}


def data_port(number: int) -> int:
    """The port for blocks of a DataNode. Each has its own: who leaves is known by address and port, and the address may
    be that of another task tomorrow."""
    return _FIRST_DATA_PORT + number
