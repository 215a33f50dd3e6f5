"""The arithmetic of managers: a swarm decides by the majority of its managers, reachable or not."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manager:
    """One manager as `docker node ls` shows it."""

    node_id: str
    name: str
    reachable: bool


def majority(managers: int) -> int:
    """How many of so many managers have to be reachable for the swarm to decide anything."""
    return managers // 2 + 1


def refusal(managers: Sequence[Manager], leaving: str, verb: str = "removing") -> str | None:
    """Why the manager with the node id `leaving` must stay, or None when it may go.

    It may go when those that remain, counted as they answer now, still have their majority; so removing a dead manager
    of a swarm that decides is always right, and the last manager never goes this way.
    """
    name = next((one.name for one in managers if one.node_id == leaving), leaving)
    remaining = [one for one in managers if one.node_id != leaving]
    reachable = sum(one.reachable for one in remaining)
    needed = majority(len(remaining))
    if remaining and reachable >= needed:
        return None
    silent = ", ".join(one.name for one in remaining if not one.reachable)
    fix = f"bring {silent} back first, or remove what is dead first" if silent else "add another manager first"
    return (
        f"{verb} {name} leaves {reachable} reachable of {len(remaining)} managers; "
        f"majority is {needed if remaining else 1}: {fix}"
    )
