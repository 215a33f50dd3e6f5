"""The state of the swarm as a manager has it: nodes, managers, and what services have of what they should have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .engine import Engine
from .text import Families

Object = Mapping[str, Any]
_RUNNING = "running"


def add_swarm(families: Families, engine: Engine) -> None:
    """Ask a manager for nodes, services and tasks that should run."""
    nodes: list[Object] = engine.get("/nodes")
    services: list[Object] = engine.get("/services")
    tasks: list[Object] = engine.get("/tasks", filters=json.dumps({"desired-state": [_RUNNING]}))
    add_nodes(families, nodes)
    add_services(families, services, tasks, nodes)


def add_nodes(families: Families, nodes: Iterable[Object]) -> None:
    """One sample of each kind for a node; those of managers for managers alone."""
    for node in sorted(nodes, key=lambda one: one["Description"]["Hostname"]):
        spec, description = node["Spec"], node["Description"]
        labels = {"node": description["Hostname"], "node_id": node["ID"], "role": spec["Role"]}
        ready = node["Status"]["State"] == "ready"
        families.gauge("flotilla_swarm_node_ready", "1 for a node that the managers hear of.", ready, labels)
        active = spec["Availability"] == "active"
        families.gauge("flotilla_swarm_node_active", "1 for a node that may get tasks (M31).", active, labels)
        resources: Mapping[str, int] = description.get("Resources") or {}
        memory = resources.get("MemoryBytes", 0)
        families.gauge("flotilla_swarm_node_memory_bytes", "Memory that tasks may reserve.", memory, labels)
        cpus = resources.get("NanoCPUs", 0) / 1e9
        families.gauge("flotilla_swarm_node_cpus", "CPUs that tasks may reserve.", cpus, labels)
        engine = {"version": (description.get("Engine") or {}).get("EngineVersion", "")}
        state = {"availability": spec["Availability"], "state": node["Status"]["State"]}
        text = "Always 1: state, availability and engine of a node."
        families.gauge("flotilla_swarm_node_info", text, 1, {**labels, **state, **engine})
        if manager := node.get("ManagerStatus"):
            reachable = manager["Reachability"] == "reachable"
            text = "1 for a manager that others reach (M42)."
            families.gauge("flotilla_swarm_manager_reachable", text, reachable, labels)
            leader = bool(manager.get("Leader"))
            families.gauge("flotilla_swarm_manager_leader", "1 for the manager that leads.", leader, labels)


def add_services(
    families: Families, services: Iterable[Object], tasks: Sequence[Object], nodes: Iterable[Object]
) -> None:
    """What each service should have, and has. A task on a node that nobody hears of says that it runs, and may not."""
    heard = {node["ID"] for node in nodes if node["Status"]["State"] == "ready"}
    wanted = Counter(task["ServiceID"] for task in tasks)
    running = Counter(
        task["ServiceID"] for task in tasks if task["Status"]["State"] == _RUNNING and task.get("NodeID") in heard
    )
    for service in sorted(services, key=lambda one: one["Spec"]["Name"]):
        mode: Object = service["Spec"]["Mode"]
        if "Replicated" in mode:
            labels, desired = {"mode": "replicated"}, mode["Replicated"].get("Replicas") or 0
        elif "Global" in mode:
            labels, desired = {"mode": "global"}, wanted[service["ID"]]
        else:
            continue  # a job ends, and then has nothing that runs
        own = {"service": service["Spec"]["Name"], "service_id": service["ID"], **labels}
        text = "Tasks that a service should have."
        families.gauge("flotilla_swarm_service_tasks_desired", text, desired, own)
        text = "Tasks of a service that run, and passed their health check."
        families.gauge("flotilla_swarm_service_tasks_running", text, running[service["ID"]], own)
        state: str = (service.get("UpdateStatus") or {}).get("State", "")
        text = "1 for a service whose update or rollback stopped by itself."
        families.gauge("flotilla_swarm_service_update_paused", text, state.endswith("paused"), own)
