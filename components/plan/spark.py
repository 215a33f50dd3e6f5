"""How the memory limit of a container becomes the heaps of Spark inside it (M118): a JVM that does not know its limit
promises more than it has and is killed. All figures are MiB, and each overhead is stated and subtracted here alone."""

from dataclasses import dataclass

from components.plan.errors import PlanError
from components.plan.sizes import MIB, format_size

DAEMON_OVERHEAD = 192
"""What a daemon's JVM needs beside its heap: classes, compiled code, threads, network buffers."""

SMALLEST_DAEMON_HEAP = 64

WORKER_HEAP = 128
"""Heap of a worker's own daemon, which only starts and watches executors."""

CORE_OVERHEAD = 128
"""For each core of a worker: an executor's memory outside its heap, and its Python process."""

DRIVER_OVERHEAD = 192
"""A driver's memory outside its heap, and its Python process."""

HEAP_SHARE = (9, 10)
"""Of what is left, the part that is heap; the rest grows with it (garbage collector, buffers)."""

SMALLEST_HEAP = 480
"""Spark refuses executors and drivers that see less than 450 MiB, and the JVM sees a little less than its heap."""


@dataclass(frozen=True, kw_only=True)
class WorkerMemory:
    """Of a worker's container: the heap of its daemon, and what it offers to executors. In MiB."""

    daemon: int
    executors: int


def daemon_heap(limit: int, *, field: str) -> int:
    """Heap of a master or history server, in MiB, in a container of `limit` bytes."""
    heap = limit // MIB - DAEMON_OVERHEAD
    if heap < SMALLEST_DAEMON_HEAP:
        smallest = DAEMON_OVERHEAD + SMALLEST_DAEMON_HEAP
        raise _too_small(limit, smallest, "its JVM", field)
    return heap


def worker_memory(limit: int, cores: int, *, field: str) -> WorkerMemory:
    """How a worker's container of `limit` bytes is shared out."""
    fixed = WORKER_HEAP + DAEMON_OVERHEAD // 2 + CORE_OVERHEAD * cores
    heap = _share(limit // MIB - fixed)
    if heap < SMALLEST_HEAP:
        smallest = fixed + _whole(SMALLEST_HEAP)
        raise _too_small(
            limit, smallest, f"a worker with {cores} core{'s' if cores > 1 else ''} and one executor", field
        )
    return WorkerMemory(daemon=WORKER_HEAP, executors=heap)


def driver_heap(limit: int, *, field: str) -> int:
    """Heap of a driver, in MiB, in a container of `limit` bytes."""
    heap = _share(limit // MIB - DRIVER_OVERHEAD)
    if heap < SMALLEST_HEAP:
        raise _too_small(limit, DRIVER_OVERHEAD + _whole(SMALLEST_HEAP), "a driver", field)
    return heap


def check_executor(memory: int, cores: int, offered: int, worker_cores: int, *, field: str) -> int:
    """An executor's heap in MiB; PlanError where no worker could ever start it, and the job would wait for ever."""
    heap = memory // MIB
    if heap < SMALLEST_HEAP:
        raise _too_small(memory, SMALLEST_HEAP, "an executor", f"{field}.executor_memory")
    if heap > offered:
        raise PlanError(
            field=f"{field}.executor_memory",
            value=format_size(memory),
            problem=f"a worker offers {offered}m to executors",
            fix=f"use at most {offered}m, or give services.spark.memory more",
        )
    if cores > worker_cores:
        raise PlanError(
            field=f"{field}.executor_cores",
            value=cores,
            problem=f"a worker has {worker_cores}",
            fix=f"use at most {worker_cores}, or give services.spark.cores more",
        )
    return heap


def _share(rest: int) -> int:
    part, whole = HEAP_SHARE
    return max(rest, 0) * part // whole


def _whole(heap: int) -> int:
    """The least that has such a share."""
    part, whole = HEAP_SHARE
    return -(-heap * whole // part)


def _too_small(limit: int, smallest: int, who: str, field: str) -> PlanError:
    return PlanError(
        field=field, value=format_size(limit), problem=f"too little for {who}", fix=f"use {smallest}m or more"
    )
