"""Raft's arithmetic: how many managers a swarm needs, how many it can lose, and in which zone each of them is."""

from collections import Counter
from collections.abc import Mapping, Sequence

from components.naming import MANAGER, node_names
from components.plan.errors import PlanError

MOST_MANAGERS = 9
MOST_MANAGERS_WITHOUT_WARNING = 7


def majority(managers: int) -> int:
    """Managers that have to agree before anything changes."""
    return managers // 2 + 1


def tolerates(managers: int) -> int:
    """Managers that may be lost while the others still form a majority (M26)."""
    return managers - majority(managers)


def check_manager_count(count: int, *, field: str = "managers.count") -> tuple[str, ...]:
    """Warnings about a number of managers that works; PlanError for one that does not (M25-M27, E17)."""
    if count < 1:
        raise _refusal(field, count, "a swarm has at least one manager")
    if count > MOST_MANAGERS:
        raise _refusal(field, count, f"more than {MOST_MANAGERS} managers make every change slower and nothing safer")
    if count % 2 == 0:
        raise _refusal(field, count, _even(count))
    if count > MOST_MANAGERS_WITHOUT_WARNING:
        return (f"{field} is {count}: every change waits for {majority(count)} managers; 7 tolerate the loss of 3",)
    return ()


def _even(count: int) -> str:
    lost = tolerates(count)
    tolerated = f"the loss of {lost}, no more than {count - 1} do" if lost else "no loss"
    return f"a swarm of {count} managers tolerates {tolerated} (majority {majority(count)})"


def _refusal(field: str, count: int, problem: str) -> PlanError:
    return PlanError(field=field, value=count, problem=problem, fix="use 1, 3, 5 or 7")


def spread_managers(count: int, zones: Sequence[str], *, field: str = "zones") -> dict[str, str]:
    """The zone of each manager by name, as evenly as can be.

    The order of `zones` means nothing, and more managers move none that is there. Another zone does move managers, one
    reason why a cluster keeps the zones that it began with.
    """
    if not zones:
        raise PlanError(field=field, value=[], problem="managers have to be in a zone", fix="name at least one")
    ordered = sorted(set(zones))
    return {name: ordered[index % len(ordered)] for index, name in enumerate(node_names(MANAGER, count))}


def zone_warnings(zone_of_manager: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each zone whose loss would take the majority along."""
    managers = len(zone_of_manager)
    return tuple(
        f"zone {zone} holds {inside} of {managers} managers: losing it loses the majority of {majority(managers)}; "
        "spread the managers over 3 zones"
        for zone, inside in sorted(Counter(zone_of_manager.values()).items())
        if managers - inside < majority(managers)
    )
