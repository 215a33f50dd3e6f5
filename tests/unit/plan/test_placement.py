"""Placement: what Swarm would leave pending for ever is refused, and nothing else is."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.plan.placement import (
    Demand,
    PlanNode,
    candidates,
    check_constraint,
    check_cpus,
    check_local_volume,
    check_memory,
    check_placement,
    check_reservations,
    parse_constraint,
)
from components.plan.sizes import GIB, MIB

MANAGER_1 = PlanNode(name="manager-1", role="manager", zone="a")
WORKER_1 = PlanNode(
    name="worker-1", role="worker", zone="a", labels={"disk": "ssd"}, memory_bytes=2 * GIB, architecture="x86_64"
)
WORKER_2 = PlanNode(
    name="worker-2", role="worker", zone="b", labels={"disk": "hdd"}, memory_bytes=2 * GIB, architecture="aarch64"
)
NODES = (MANAGER_1, WORKER_1, WORKER_2)


@pytest.mark.parametrize(
    ("constraint", "names"),
    [
        ("node.role == manager", ["manager-1"]),
        ("node.role != manager", ["worker-1", "worker-2"]),
        ("node.role==WORKER", ["worker-1", "worker-2"]),
        ("node.hostname == worker-2", ["worker-2"]),
        ("node.labels.disk == ssd", ["worker-1"]),
        ("node.labels.disk != ssd", ["manager-1", "worker-2"]),
        ("node.labels.absent == x", []),
        ("node.labels.absent != x", ["manager-1", "worker-1", "worker-2"]),
        ("node.labels.zone == b", ["worker-2"]),
        ("node.platform.os == linux", ["manager-1", "worker-1", "worker-2"]),
        # That of manager-1 is not known.
        ("node.platform.arch == aarch64", ["manager-1", "worker-2"]),
        ("node.platform.arch != aarch64", ["manager-1", "worker-1"]),
        ("engine.labels.storage == ssd", []),
        ("node.id == 2ivku8v2gvtg4", ["manager-1", "worker-1", "worker-2"]),
        ("node.ip != 10.60.0.0/24", ["manager-1", "worker-1", "worker-2"]),
    ],
)
def test_a_constraint_leaves_the_nodes_that_swarm_would(constraint: str, names: list[str]) -> None:
    assert [node.name for node in candidates([constraint], NODES, field="constraint")] == names


def test_a_drained_node_takes_no_tasks() -> None:
    drained = PlanNode(name="worker-3", role="worker", availability="drain")
    assert candidates((), [drained], field="constraint") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "node.type == mysql",
            "node.type is no constraint key and would never match; use node.labels.type == mysql",
        ),
        ("role == manager", "role is no constraint key and would never match; use node.role == manager"),
        ("hostname != a", "hostname is no constraint key and would never match; use node.hostname != a"),
        (
            "node.label.disk == ssd",
            "node.label.disk is no constraint key and would never match; use node.labels.disk == ssd",
        ),
        ("engine.disk == ssd", "engine.disk is no constraint key and would never match; use engine.labels.disk == ssd"),
        (
            "node.arch == x86_64",
            "node.arch is no constraint key and would never match; use node.platform.arch == x86_64",
        ),
        ("node.role == boss", "nodes are managers or workers; compare with manager or worker"),
        (
            "node.role = manager",
            "no placement constraint; write key, == or !=, and a value, such as node.labels.disk == ssd",
        ),
        (
            "node.role ==",
            "no placement constraint; write key, == or !=, and a value, such as node.labels.disk == ssd",
        ),
        ("", "no placement constraint; write key, == or !=, and a value, such as node.labels.disk == ssd"),
        (
            "node.labels == x",
            "node.labels is no constraint key and would never match; use node.hostname, node.role, "
            "node.labels.<name>, node.id, node.platform.os or .arch, engine.labels.<name>",
        ),
    ],
)
def test_a_constraint_that_never_matches_is_refused_with_the_right_form(text: str, message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_constraint(text, field="service db: constraint")
    assert str(refusal.value) == f"service db: constraint is {text!r}: {message}"


@given(
    st.sampled_from(["node.hostname", "node.role", "node.labels.disk", "node.platform.os"]),
    st.booleans(),
    st.text(" ", max_size=3),
    st.sampled_from(["manager", "worker"]),
)
def test_blanks_around_the_operator_mean_nothing(key: str, equal: bool, blanks: str, value: str) -> None:
    operator = "==" if equal else "!="
    parsed = parse_constraint(f"{blanks}{key}{blanks}{operator}{blanks}{value}{blanks}", field="constraint")
    assert (parsed.key, parsed.equal, parsed.value) == (key, equal, value)
    assert parse_constraint(str(parsed), field="constraint") == parsed


some_nodes = st.lists(
    st.builds(
        PlanNode,
        name=st.sampled_from(["manager-1", "worker-1", "worker-2"]),
        role=st.sampled_from(["manager", "worker"]),
        labels=st.dictionaries(st.sampled_from(["disk", "gpu"]), st.sampled_from(["x", "y"])),
        memory_bytes=st.integers(1, 6),
        cpus=st.integers(1, 4).map(float),
        availability=st.sampled_from(["active", "pause"]),
    ),
    max_size=4,
)
some_constraints = st.lists(
    st.sampled_from(["node.role == worker", "node.role != worker", "node.labels.disk == x", "node.labels.gpu != y"]),
    max_size=3,
).map(tuple)
demands = st.builds(
    Demand,
    service=st.just("web"),
    replicas=st.integers(0, 6),
    constraints=some_constraints,
    max_replicas_per_node=st.integers(0, 3),
    host_ports=st.booleans(),
    reserved_memory=st.integers(0, 4),
    reserved_cpus=st.sampled_from([0.0, 0.5, 1.0]),
)


def satisfied(constraint: str, node: PlanNode) -> bool:
    """A second, plainer reading of a constraint."""
    key, operator, value = constraint.split()
    actual = node.role if key == "node.role" else node.labels.get(key.split(".")[2], "")
    return (actual == value) == (operator == "==")


def fits(demand: Demand, nodes: list[PlanNode]) -> bool:
    """Whether some number of tasks on each node, all tried, makes the replicas."""
    usable = [
        node
        for node in nodes
        if node.availability == "active" and all(satisfied(text, node) for text in demand.constraints)
    ]

    def holds(node: PlanNode, tasks: int) -> bool:
        return (
            tasks * demand.reserved_memory <= node.memory_bytes
            and tasks * demand.reserved_cpus <= node.cpus
            and (not demand.max_replicas_per_node or tasks <= demand.max_replicas_per_node)
            and (not demand.host_ports or tasks <= 1)
        )

    assert demand.replicas is not None
    ways = product(range(demand.replicas + 1), repeat=len(usable))
    return any(sum(tasks) == demand.replicas and all(map(holds, usable, tasks)) for tasks in ways)


@given(demands, some_nodes)
def test_a_service_is_refused_exactly_when_no_distribution_fits(demand: Demand, nodes: list[PlanNode]) -> None:
    try:
        check_placement(demand, nodes)
    except PlanError:
        assert not fits(demand, nodes)
    else:
        assert fits(demand, nodes)


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (
            Demand(service="db", replicas=1, constraints=("node.labels.disk == nvme",)),
            "service db: constraints is ['node.labels.disk == nvme']: no active node matches all of them; "
            "label a node so that it matches, or change the constraints",
        ),
        (
            Demand(service="web", replicas=5, max_replicas_per_node=1),
            "service web: replicas is 5: 3 nodes match and max_replicas_per_node is 1; use at most 3, or more nodes",
        ),
        (
            Demand(service="edge", replicas=4, host_ports=True),
            "service edge: replicas is 4: 3 nodes match and a port in host mode allows one task on each; "
            "use at most 3, or more nodes",
        ),
        (
            Demand(service="spark", replicas=6, reserved_memory=GIB),
            "service spark: replicas is 6: the 3 nodes that match hold 5 tasks that reserve 1g each; "
            "use at most 5, reserve less, or give the nodes more",
        ),
        (
            Demand(service="spark", replicas=4, reserved_cpus=0.6, reserved_memory=MIB),
            "service spark: replicas is 4: the 3 nodes that match hold 3 tasks that reserve 1m and 0.6 CPUs each; "
            "use at most 3, reserve less, or give the nodes more",
        ),
        (
            Demand(service="agent", replicas=None, reserved_memory=2 * GIB),
            "service agent: reservation is '2g': more than node manager-1 has (1g, 1 CPUs); "
            "reserve less, or exclude the node by a constraint",
        ),
    ],
)
def test_replicas_that_cannot_be_placed_are_refused_with_the_arithmetic(demand: Demand, message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_placement(demand, NODES)
    assert str(refusal.value) == message


def test_a_service_scaled_to_nothing_needs_no_node() -> None:
    check_placement(Demand(service="db", replicas=0, constraints=("node.labels.disk == nvme",)), NODES)


def test_services_that_fit_alone_but_not_together_are_refused() -> None:
    one = Demand(service="one", replicas=3, reserved_memory=GIB)
    other = Demand(service="other", replicas=3, reserved_memory=GIB)
    check_reservations([one], NODES)
    with pytest.raises(PlanError) as refusal:
        check_reservations([one, other], NODES)
    assert str(refusal.value) == (
        "memory reserved by all services is '6g': all active nodes together have 5g; "
        "reserve less, run fewer replicas, or add nodes"
    )


def test_a_global_service_counts_once_for_each_node_that_it_runs_on() -> None:
    agent = Demand(service="agent", replicas=None, constraints=("node.role == worker",), reserved_cpus=1.0)
    spark = Demand(service="spark", replicas=2, reserved_cpus=1.0)
    with pytest.raises(PlanError, match=r"^CPUs reserved by all services is '4': all active nodes together have 3;"):
        check_reservations([agent, spark], NODES)


@pytest.mark.parametrize(
    ("size", "fix"),
    [
        (1024, "write the unit, such as 1024m"),
        (256, "write the unit, such as 256m"),
        (0, "use 4m or more, such as 256m"),
        (4 * MIB - 1, "use 4m or more, such as 256m"),
    ],
)
def test_a_memory_limit_without_its_unit_is_refused(size: int, fix: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_memory(size, field="service spark: memory")
    assert str(refusal.value) == (
        f"service spark: memory is {size}: bytes, and less than the 4 MiB that a task needs at least; {fix}"
    )


def test_the_smallest_limits_pass() -> None:
    check_memory(4 * MIB, field="memory")
    check_cpus(0.001, field="cpus")


@pytest.mark.parametrize("cpus", [0.0, 0.0009, -1.0, float("nan")])
def test_a_cpu_limit_below_swarms_is_refused(cpus: float) -> None:
    with pytest.raises(PlanError, match=r"less than the 0\.001 CPUs that a task needs at least; use 0\.1 or more"):
        check_cpus(cpus, field="cpus")


def test_a_local_volume_of_a_service_that_may_move_is_refused() -> None:
    with pytest.raises(PlanError) as refusal:
        check_local_volume(service="db", volume="data", replicas=1, constraints=["node.role == worker"], nodes=NODES)
    assert str(refusal.value) == (
        "service db: volume is 'data': a local volume stays on its node, but the tasks may run on others; "
        "pin the service with a constraint such as node.hostname == worker-1"
    )


@pytest.mark.parametrize(
    ("replicas", "constraints"),
    [
        (1, ["node.hostname == worker-1"]),
        (2, ["node.id == 2ivku8v2gvtg4"]),
        (1, ["node.labels.disk == ssd"]),
        (None, []),
    ],
)
def test_a_local_volume_is_fine_where_its_tasks_stay(replicas: int | None, constraints: list[str]) -> None:
    check_local_volume(service="db", volume="data", replicas=replicas, constraints=constraints, nodes=NODES)


def test_keeping_away_from_a_node_is_no_pin() -> None:
    with pytest.raises(PlanError, match="stays on its node"):
        check_local_volume(service="db", volume="data", replicas=1, constraints=["node.hostname != worker-1"])
