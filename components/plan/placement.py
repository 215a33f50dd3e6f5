"""Where tasks may run: placement constraints, reservations and volumes, checked against the nodes that the plan makes.
Swarm takes a service that fits nowhere and leaves it pending without an error; here it is refused before it exists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from components.naming import Role
from components.plan.errors import PlanError
from components.plan.sizes import MIB, format_size

SMALLEST_MEMORY = 4 * MIB
"""SwarmKit refuses a lower limit, and nothing useful runs in less (E2)."""

SMALLEST_CPUS = 0.001
"""SwarmKit's floor of a CPU limit."""

PLAIN_KEYS = ("node.id", "node.ip", "node.hostname", "node.role", "node.platform.os", "node.platform.arch")
LABEL_KEYS = ("node.labels.", "engine.labels.")

_KEYS_IN_WORDS = (
    "node.hostname, node.role, node.labels.<name>, node.id, node.platform.os or .arch, engine.labels.<name>"
)
_EXPRESSION = re.compile(r"\s*([A-Za-z_][\w./-]*)\s*(==|!=)\s*(\S(?:.*\S)?)\s*", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9:_.*()?+\[\]\\^$|/\s-]+", re.ASCII)
_ONE_NODE_KEYS = ("node.hostname", "node.id")
_KNOWN_LATER = ("node.id", "node.ip")


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`node.labels.disk == ssd` in its parts."""

    key: str
    equal: bool
    value: str

    def __str__(self) -> str:
        return f"{self.key} {'==' if self.equal else '!='} {self.value}"


@dataclass(frozen=True, kw_only=True)
class PlanNode:
    """What is known of a node before it exists. `memory_bytes` and `cpus` are what tasks may reserve; `architecture` is
    in Docker's words (`x86_64`, `aarch64`), None where only the machine will tell; the machines of a pool (`pooled`)
    get names of their own, which no setting can say."""

    name: str
    role: Role
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    engine_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    cpus: float = 1.0
    memory_bytes: int = 2**30
    os: str = "linux"
    architecture: str | None = None
    availability: Literal["active", "pause", "drain"] = "active"
    pooled: bool = False


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a service asks of the nodes. `replicas` is None in global mode; `max_replicas_per_node` 0 means no limit;
    reservations are per task; `host_ports` when it publishes a port in host mode."""

    service: str
    replicas: int | None
    constraints: tuple[str, ...] = ()
    max_replicas_per_node: int = 0
    host_ports: bool = False
    reserved_memory: int = 0
    reserved_cpus: float = 0.0


def parse_constraint(text: str, *, field: str) -> Constraint:
    """The parts of a constraint; PlanError for one that SwarmKit refuses, or that can never match (M57, E3)."""
    found = _EXPRESSION.fullmatch(text)
    if found is None or not _VALUE.fullmatch(found[3]):
        raise PlanError(
            field=field,
            value=text,
            problem="no placement constraint",
            fix="write key, == or !=, and a value, such as node.labels.disk == ssd",
        )
    constraint = Constraint(key=_canonical_key(found[1], text, field), equal=found[2] == "==", value=found[3])
    if constraint.key == "node.role" and constraint.value.lower() not in ("manager", "worker"):
        raise PlanError(
            field=field, value=text, problem="nodes are managers or workers", fix="compare with manager or worker"
        )
    return constraint


def check_constraint(text: str, *, field: str) -> None:
    """PlanError for a constraint that can never match."""
    parse_constraint(text, field=field)


def _canonical_key(key: str, text: str, field: str) -> str:
    """The key as SwarmKit reads it: the case of a label's name counts, that of the rest does not."""
    if key.lower() in PLAIN_KEYS:
        return key.lower()
    for prefix in LABEL_KEYS:
        if key.lower().startswith(prefix) and len(key) > len(prefix):
            return prefix + key[len(prefix) :]
    right_key = _likely_key(key)
    fix = f"use {text.replace(key, right_key, 1).strip()}" if right_key else f"use {_KEYS_IN_WORDS}"
    raise PlanError(field=field, value=text, problem=f"{key} is no constraint key and would never match", fix=fix)


def _likely_key(key: str) -> str | None:
    """The key that was meant: `node.type` → `node.labels.type`, `role` → `node.role`."""
    last = key.rpartition(".")[2]
    scope = key.partition(".")[0].lower()
    if f"node.{last.lower()}" in PLAIN_KEYS:
        return f"node.{last.lower()}"
    if last.lower() in ("os", "arch"):
        return f"node.platform.{last.lower()}"
    if last and last.lower() not in ("labels", "label", "node", "engine"):
        return f"{'engine' if scope == 'engine' else 'node'}.labels.{last}"
    return None


def matches(constraint: Constraint, node: PlanNode) -> bool:
    """Whether the node satisfies the constraint, as SwarmKit compares: without regard to case, an absent label empty.

    Ids and addresses are the swarm's to know: a constraint on what is not known yet is never a reason to say no.
    """
    value = None if constraint.key in _KNOWN_LATER else _value_of(constraint.key, node)
    return value is None or (value.lower() == constraint.value.lower()) == constraint.equal


def _value_of(key: str, node: PlanNode) -> str | None:
    plain = {
        "node.hostname": node.name,
        "node.role": node.role,
        "node.platform.os": node.os,
        "node.platform.arch": node.architecture,
    }
    if key in plain:
        return plain[key]
    if key.startswith("engine.labels."):
        return node.engine_labels.get(key.removeprefix("engine.labels."), "")
    name = key.removeprefix("node.labels.")
    return node.labels.get(name, node.zone if name == "zone" else "")


def candidates(constraints: Sequence[str], nodes: Sequence[PlanNode], *, field: str) -> tuple[PlanNode, ...]:
    """The nodes that take new tasks and satisfy every constraint."""
    parsed = [parse_constraint(text, field=field) for text in constraints]
    return tuple(
        node
        for node in nodes
        if node.availability == "active" and all(matches(constraint, node) for constraint in parsed)
    )


def check_placement(demand: Demand, nodes: Sequence[PlanNode]) -> None:
    """PlanError when not all tasks of the service can be placed at once."""
    where = f"service {demand.service}: "
    found = candidates(demand.constraints, nodes, field=f"{where}constraint")
    if not found:
        if demand.replicas == 0:
            return
        raise PlanError(
            field=f"{where}constraints",
            value=list(demand.constraints),
            problem="no active node matches all of them",
            fix="label a node so that it matches, or change the constraints",
        )
    if demand.replicas is None:
        _check_every_node(demand, found)
    else:
        _check_room(demand, demand.replicas, found)


def _check_every_node(demand: Demand, nodes: Sequence[PlanNode]) -> None:
    """In global mode each node has to hold the task."""
    for node in nodes:
        if not _room_of(demand, node):
            raise PlanError(
                field=f"service {demand.service}: reservation",
                value=_reservation(demand),
                problem=f"more than node {node.name} has ({_resources(node)})",
                fix="reserve less, or exclude the node by a constraint",
            )


def _check_room(demand: Demand, replicas: int, nodes: Sequence[PlanNode]) -> None:
    per_node = _most_per_node(demand)
    where = f"service {demand.service}: replicas"
    if per_node is not None and per_node * len(nodes) < replicas:
        limit = (
            "a port in host mode allows one task on each"
            if demand.host_ports
            else f"max_replicas_per_node is {demand.max_replicas_per_node}"
        )
        raise PlanError(
            field=where,
            value=replicas,
            problem=f"{len(nodes)} nodes match and {limit}",
            fix=f"use at most {per_node * len(nodes)}, or more nodes",
        )
    room = sum(_room_of(demand, node) for node in nodes if _reserves(demand)) if _reserves(demand) else replicas
    if room < replicas:
        raise PlanError(
            field=where,
            value=replicas,
            problem=f"the {len(nodes)} nodes that match hold {room} tasks that reserve {_reservation(demand)} each",
            fix=f"use at most {room}, reserve less, or give the nodes more",
        )


def _most_per_node(demand: Demand) -> int | None:
    if demand.host_ports:
        return 1
    return demand.max_replicas_per_node or None


def _reserves(demand: Demand) -> bool:
    return bool(demand.reserved_memory or demand.reserved_cpus)


def _room_of(demand: Demand, node: PlanNode) -> int:
    """Tasks of the service that the node holds when it holds nothing else."""
    limits = [limit for limit in (_most_per_node(demand), demand.replicas) if limit is not None]
    if demand.reserved_memory:
        limits.append(node.memory_bytes // demand.reserved_memory)
    if demand.reserved_cpus:
        limits.append(nano_cpus(node.cpus) // nano_cpus(demand.reserved_cpus))
    return min(limits, default=1)


def check_reservations(demands: Sequence[Demand], nodes: Sequence[PlanNode]) -> None:
    """PlanError when all services together reserve more than all nodes have.

    Necessary, not sufficient: which task goes where is the scheduler's business.
    """
    for demand in demands:
        check_placement(demand, nodes)
    active = [node for node in nodes if node.availability == "active"]
    memory = sum(demand.reserved_memory * _tasks(demand, nodes) for demand in demands)
    cpus = sum(nano_cpus(demand.reserved_cpus) * _tasks(demand, nodes) for demand in demands)
    if memory > (available := sum(node.memory_bytes for node in active)):
        raise _beyond("memory", format_size(memory), format_size(available))
    if cpus > (available := sum(nano_cpus(node.cpus) for node in active)):
        raise _beyond("CPUs", f"{cpus / 1e9:g}", f"{available / 1e9:g}")


def _beyond(resource: str, wanted: str, available: str) -> PlanError:
    return PlanError(
        field=f"{resource} reserved by all services",
        value=wanted,
        problem=f"all active nodes together have {available}",
        fix="reserve less, run fewer replicas, or add nodes",
    )


def _tasks(demand: Demand, nodes: Sequence[PlanNode]) -> int:
    if demand.replicas is not None:
        return demand.replicas
    return len(candidates(demand.constraints, nodes, field=f"service {demand.service}: constraint"))


def _reservation(demand: Demand) -> str:
    parts = [format_size(demand.reserved_memory)] if demand.reserved_memory else []
    if demand.reserved_cpus:
        parts.append(f"{demand.reserved_cpus:g} CPUs")
    return " and ".join(parts)


def _resources(node: PlanNode) -> str:
    return f"{format_size(node.memory_bytes)}, {node.cpus:g} CPUs"


def nano_cpus(cpus: float) -> int:
    """CPUs in the unit of Docker's API."""
    return round(cpus * 1e9)


def check_memory(size: int, *, field: str) -> None:
    """PlanError for a memory limit in bytes that is lower than Swarm takes: mostly its unit was forgotten."""
    if size < SMALLEST_MEMORY:
        fix = f"write the unit, such as {size}m" if 4 <= size <= 65536 else "use 4m or more, such as 256m"
        raise PlanError(
            field=field, value=size, problem="bytes, and less than the 4 MiB that a task needs at least", fix=fix
        )


def check_cpus(cpus: float, *, field: str) -> None:
    """PlanError for a CPU limit that is lower than Swarm takes."""
    if not cpus >= SMALLEST_CPUS:
        raise PlanError(
            field=field,
            value=cpus,
            problem=f"less than the {SMALLEST_CPUS} CPUs that a task needs at least",
            fix="use 0.1 or more, or a fraction such as 0.25",
        )


def check_local_volume(
    *, service: str, volume: str, replicas: int | None, constraints: Sequence[str], nodes: Sequence[PlanNode] = ()
) -> None:
    """PlanError for a local volume of a service that may run elsewhere: its data would not follow (M59, E15).

    A global service has a volume on each node; else the constraints have to leave one node, by name or, when `nodes`
    are given, by a label that only one of them has.
    """
    if replicas is None:
        return
    where = f"service {service}: constraint"
    parsed = [parse_constraint(text, field=where) for text in constraints]
    if any(constraint.equal and constraint.key in _ONE_NODE_KEYS for constraint in parsed):
        return
    if sum(all(matches(constraint, node) for constraint in parsed) for node in nodes) == 1:
        return
    raise PlanError(
        field=f"service {service}: volume",
        value=volume,
        problem="a local volume stays on its node, but the tasks may run on others",
        fix="pin the service with a constraint such as node.hostname == worker-1",
    )


def check_block_volume(*, service: str, volume: str, replicas: int | None, update: str, rollback: str) -> None:
    """PlanError for a service that could have two tasks on a block volume (M110): two that write to it destroy what is
    on it. `update` and `rollback` are the orders in which tasks are replaced."""
    where, one_task = f"service {service}", f"block volume {volume} is for one task"
    if replicas is None:
        raise PlanError(field=f"{where}: mode", value="global", problem=one_task, fix="use replicated, with 1 replica")
    if replicas != 1:
        raise PlanError(field=f"{where}: replicas", value=replicas, problem=one_task, fix="use 1")
    for kind, order in (("update", update), ("rollback", rollback)):
        if order != "stop-first":
            raise PlanError(
                field=f"{where}: {kind} order",
                value=order,
                problem=f"two tasks would have block volume {volume} at once",
                fix="use stop-first",
            )
