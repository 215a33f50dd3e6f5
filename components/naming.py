"""Names: logical ones from stable keys, physical ones that fit an API's limit, and those of the nodes."""

import hashlib
import re
from typing import Final, Literal

from components.plan.errors import PlanError

Role = Literal["manager", "worker"]

MANAGER: Final = "manager"
WORKER: Final = "worker"

LONGEST_HOST_NAME = 63
"""Characters of one label of a host name (RFC 1035), which most APIs keep to as well."""

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
_NODE = re.compile(r"(manager|worker)-([1-9][0-9]*)", re.ASCII)
_HASH_LENGTH = 8


def logical_name(*keys: str) -> str:
    """The name of a resource in Pulumi's graph, from keys that stay: a node's name, a zone, a service."""
    for key in keys:
        _check_key(key, field="name")
    return "-".join(keys)


def physical_name(*keys: str, limit: int = LONGEST_HOST_NAME) -> str:
    """The name of a thing in an API that takes at most `limit` characters.

    A longer one is cut and ends with a hash of the whole, so that two long names do not become one.
    """
    name = logical_name(*keys)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    kept = name[: limit - _HASH_LENGTH - 1].rstrip("-_.")
    if not kept:
        raise PlanError(
            field="limit",
            value=limit,
            problem=f"too short for the name {name}",
            fix=f"allow {_HASH_LENGTH + 2} or more",
        )
    return f"{kept}-{digest}"


def stack_prefix(project: str, stack: str) -> str:
    """What the name of everything that a stack makes begins with: `flotilla-dev`.

    An organization before the stack's name (`acme/dev`) is left out.
    """
    return logical_name(project, stack.rpartition("/")[2])


def node_name(role: Role, number: int) -> str:
    """`manager-1`; numbers begin at 1."""
    if number < 1:
        raise PlanError(field=f"number of the {role}", value=number, problem="nodes count from 1", fix="use 1 or more")
    return f"{role}-{number}"


def node_names(role: Role, count: int) -> tuple[str, ...]:
    """`worker-1` to `worker-<count>`: one more only adds, one less only takes the last (E1)."""
    return tuple(node_name(role, number) for number in range(1, count + 1))


def parse_node_name(name: str, *, field: str = "node") -> tuple[Role, int]:
    """Role and number of `worker-2`; PlanError for anything else."""
    found = _NODE.fullmatch(name)
    if found is None:
        raise PlanError(
            field=field, value=name, problem="no name of a node", fix="use manager-<number> or worker-<number>"
        )
    return (MANAGER if found[1] == MANAGER else WORKER), int(found[2])


def node_order(name: str) -> tuple[str, int]:
    """Key to sort nodes by: managers first, `worker-2` before `worker-10`."""
    return parse_node_name(name)


def _check_key(key: str, *, field: str) -> None:
    if not _KEY.fullmatch(key):
        raise PlanError(
            field=field,
            value=key,
            problem="not usable in a name",
            fix="use letters, digits and . _ - between them",
        )
