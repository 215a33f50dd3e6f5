"""Whether a service's tasks are where they should be, and in the tasks' own words why they are not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
import docker.errors
import requests

from hermetic.providers.docker.wire import task_log
from hermetic.providers.driver import Operation, ProviderError

_LAST_LINES = 10
_SETTLED_SECONDS = 2.0
_STEADY_SECONDS = 1.0
_POLL_SECONDS = 0.5
_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_STOPPED_STATES = {
    "rollback_completed": "service rollback completed",
    "paused": "service update paused",
    "rollback_paused": "service rollback paused",
}

Task = Mapping[str, Any]


class DidNotConvergeError(ProviderError):
    """The tasks were not all running in time; the message says what they say themselves."""


def wait_created(operation: Operation, client: docker.APIClient, identity: str, timeout: float, written: str) -> None:
    """Until as many tasks run as there are replicas; a task with a healthcheck runs when it is healthy."""
    wanted = _replicas(client.inspect_service(identity))
    steady: frozenset[str] = frozenset()
    since = time.monotonic()

    def running() -> bool:
        nonlocal steady, since
        tasks = _running(operation, client, identity, wanted)
        if tasks != steady:  # a command that ends at once is seen running too, now and then
            steady, since = tasks, time.monotonic()
        return len(tasks) >= wanted and time.monotonic() - since >= min(_STEADY_SECONDS, wanted)

    _wait(operation, client, identity, running, timeout, written)


def wait_updated(operation: Operation, client: docker.APIClient, identity: str, timeout: float, written: str) -> None:
    """Until the swarm calls the update complete; ProviderError as soon as it paused it or rolled it back."""
    begin = time.monotonic()

    def updated() -> bool:
        service = client.inspect_service(identity)
        status = service.get("UpdateStatus") or {}
        state = status.get("State")
        if state in _STOPPED_STATES:
            why = causes(client, identity)
            raise ProviderError(f"{_STOPPED_STATES[state]}: {status.get('Message', '')}{why}")
        wanted = _replicas(service)
        running = len(_running(operation, client, identity, wanted, state)) >= wanted
        # A change that needs no new tasks has no update status at all; give one that does the time to begin.
        settled = not state and time.monotonic() - begin > _SETTLED_SECONDS
        return running and (state == "completed" or settled)

    _wait(operation, client, identity, updated, timeout, written)


def _wait(
    operation: Operation,
    client: docker.APIClient,
    identity: str,
    reached: Any,
    timeout: float,
    written: str,
) -> None:
    last = time.monotonic() + timeout
    try:
        operation.wait_until(reached, "the tasks", timeout, _POLL_SECONDS)
    except ProviderError as error:
        if time.monotonic() < last and operation.left > 0:
            raise
        message = f"Service with ID ({identity}) did not converge after {written}"
        raise DidNotConvergeError(message + causes(client, identity)) from error


def _running(
    operation: Operation, client: docker.APIClient, identity: str, wanted: int, state: str | None = None
) -> frozenset[str]:
    """The tasks that run now; how many is told."""
    tasks = client.tasks({"service": identity, "desired-state": "running"})
    running = frozenset(str(task["ID"]) for task in tasks if task["Status"]["State"] == "running")
    told = f" ({state.replace('_', ' ')})" if state else ""
    operation.progress(f"{len(running)}/{wanted} replicas running{told}")
    return running


def _replicas(service: Mapping[str, Any]) -> int:
    """How many tasks there should be; 0 for a global service, of which only the swarm knows."""
    return int((service["Spec"]["Mode"].get("Replicated") or {}).get("Replicas", 0))


def causes(client: docker.APIClient, identity: str) -> str:
    """What the service's newest tasks say of themselves, a clause for each different reason; '' when nothing."""
    tasks: Sequence[Task] = sorted(
        client.tasks({"service": identity}), key=lambda task: task["CreatedAt"], reverse=True
    )
    reasons: dict[str, Task] = {}
    for task in tasks:
        if reason := _reason(task):
            reasons.setdefault(reason, task)
    nodes = {node["ID"]: node["Description"]["Hostname"] for node in client.nodes()} if reasons else {}
    clauses = [_clause(client, reason, task, nodes) for reason, task in list(reasons.items())[:3]]
    return f"; {'; '.join(clauses)}" if clauses else ""


def _reason(task: Task) -> str:
    status = task["Status"]
    if status["State"] == "running":
        return ""
    if status["State"] == "complete":  # what the swarm also says of a task that its healthcheck ended politely
        return "finished with exit code 0, of itself or because its healthcheck failed"
    return str(status.get("Err") or ("" if status["State"] in _ENDED else status.get("Message", "")))


def _clause(client: docker.APIClient, reason: str, task: Task, nodes: Mapping[str, str]) -> str:
    node = nodes.get(task.get("NodeID", ""))
    place = f" on {node}" if node else ""
    clause = f"task {task.get('Slot', task['ID'])}{place} is {task['Status']['State']}: {reason}"
    if not (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
        return clause
    try:
        lines = task_log(client, task["ID"], _LAST_LINES)
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        return f"{clause} (its log could not be read: {error})"
    return f"{clause}; its last lines: {lines}" if lines else clause


def wait_stopped(operation: Operation, client: docker.APIClient, identity: str, seconds: float) -> None:
    """Until no task of a removed service is left on a node that is up; one that stays is told, and is no error."""
    down = {node["ID"] for node in client.nodes() if node["Status"]["State"] == "down"}

    def stopped() -> bool:
        # A filter by a service that is gone is refused: all tasks are looked through.
        left = [
            task
            for task in client.tasks()
            if task["ServiceID"] == identity
            and task["Status"]["State"] not in _ENDED
            and task.get("NodeID") not in down
        ]
        if left:
            operation.progress(f"waiting for {len(left)} tasks to stop")
        return not left

    try:
        operation.wait_until(stopped, "the tasks to stop", seconds, _POLL_SECONDS)
    except ProviderError as error:
        operation.progress(f"the service is removed, but its tasks are still there: {error}")
