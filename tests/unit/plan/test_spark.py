"""Memory of Spark: what all parts in a container may use together is never more than its limit (M118)."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.plan import spark
from components.plan.errors import PlanError
from components.plan.sizes import MIB

LIMITS = st.integers(min_value=4 * MIB, max_value=2**42)
CORES = st.integers(min_value=1, max_value=64)


@given(limit=LIMITS, cores=CORES)
def test_daemon_executors_and_their_overheads_fit_into_a_worker(limit: int, cores: int) -> None:
    try:
        memory = spark.worker_memory(limit, cores, field="memory")
    except PlanError:
        assume(False)
        raise
    overhead = spark.DAEMON_OVERHEAD // 2 + spark.CORE_OVERHEAD * cores
    assert (memory.daemon + memory.executors + overhead) * MIB <= limit
    assert memory.executors >= spark.SMALLEST_HEAP


@given(limit=LIMITS, cores=CORES)
def test_a_tenth_of_what_executors_get_is_left_for_what_grows_with_the_heap(limit: int, cores: int) -> None:
    try:
        memory = spark.worker_memory(limit, cores, field="memory")
    except PlanError:
        assume(False)
        raise
    rest = limit // MIB - memory.daemon - spark.DAEMON_OVERHEAD // 2 - spark.CORE_OVERHEAD * cores
    assert rest - memory.executors >= rest // 10
    assert memory.executors > rest * 0.9 - 1, "not less than the share either"


@given(limit=LIMITS, more=st.integers(min_value=0, max_value=2**34), cores=CORES)
def test_a_larger_limit_never_gives_less(limit: int, more: int, cores: int) -> None:
    for heap in (
        lambda size: spark.worker_memory(size, cores, field="").executors,
        lambda size: spark.driver_heap(size, field=""),
        lambda size: spark.daemon_heap(size, field=""),
    ):
        try:
            small = heap(limit)
        except PlanError:
            continue
        assert heap(limit + more) >= small


@given(limit=LIMITS)
def test_a_driver_and_a_daemon_fit_into_their_containers(limit: int) -> None:
    for heap, overhead in ((spark.driver_heap, spark.DRIVER_OVERHEAD), (spark.daemon_heap, spark.DAEMON_OVERHEAD)):
        try:
            size = heap(limit, field="")
        except PlanError:
            continue
        assert (size + overhead) * MIB <= limit


@given(cores=CORES)
def test_the_size_that_a_refusal_names_is_the_smallest_that_works(cores: int) -> None:
    with pytest.raises(PlanError) as error:
        spark.worker_memory(256 * MIB, cores, field="memory")
    smallest = int(str(error.value).rpartition("use ")[2].partition("m")[0])
    assert spark.worker_memory(smallest * MIB, cores, field="memory").executors >= spark.SMALLEST_HEAP
    with pytest.raises(PlanError):
        spark.worker_memory((smallest - 1) * MIB, cores, field="memory")


def test_the_worker_of_256_mib_that_promised_a_gigabyte_is_refused() -> None:
    """The chapter's page shows 1024 MB for a container of 256 MB (M118)."""
    with pytest.raises(PlanError) as error:
        spark.worker_memory(256 * MIB, 1, field="services.spark.memory")
    assert str(error.value) == (
        "services.spark.memory is '256m': too little for a worker with 1 core and one executor; use 886m or more"
    )


def test_the_defaults_come_to_these_figures() -> None:
    assert spark.worker_memory(1024 * MIB, 1, field="") == spark.WorkerMemory(daemon=128, executors=604)
    assert spark.driver_heap(1024 * MIB, field="") == 748
    assert spark.daemon_heap(512 * MIB, field="") == 320


@pytest.mark.parametrize(
    ("memory", "cores", "message"),
    [
        (479, 1, "job.executor_memory is '479m': too little for an executor; use 480m or more"),
        (
            605,
            1,
            "job.executor_memory is '605m': a worker offers 604m to executors; "
            "use at most 604m, or give services.spark.memory more",
        ),
        (
            604,
            2,
            "job.executor_cores is 2: a worker has 1; use at most 1, or give services.spark.cores more",
        ),
    ],
)
def test_an_executor_that_no_worker_could_start_is_refused(memory: int, cores: int, message: str) -> None:
    with pytest.raises(PlanError) as error:
        spark.check_executor(memory * MIB, cores, 604, 1, field="job")
    assert str(error.value) == message
    assert spark.check_executor(604 * MIB, 1, 604, 1, field="job") == 604
