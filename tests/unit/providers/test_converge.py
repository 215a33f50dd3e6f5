"""Convergence: what the tasks do decides, and what they say is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hermetic.providers.docker import converge
from hermetic.providers.docker.converge import DidNotConvergeError, causes, wait_created, wait_stopped, wait_updated
from hermetic.providers.driver import Operation, ProviderError

SERVICE = "the-service"


class Swarm:
    """The few answers of a daemon that convergence asks for; each list of tasks is one moment, the last one stays."""

    def __init__(self, *moments: list[dict[str, Any]], replicas: int = 2, status: dict[str, Any] | None = None) -> None:
        self.moments = list(moments)
        self.replicas = replicas
        self.status = status
        self.down = False

    def inspect_service(self, identity: str) -> dict[str, Any]:
        assert identity == SERVICE
        status = {"UpdateStatus": self.status} if self.status else {}
        return {"Spec": {"Mode": {"Replicated": {"Replicas": self.replicas}}}, **status}

    def tasks(self, filters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        del filters
        return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]

    def nodes(self) -> list[dict[str, Any]]:
        state = "down" if self.down else "ready"
        return [{"ID": "n1", "Description": {"Hostname": "worker-1"}, "Status": {"State": state}}]


def task(number: int, state: str, **status: Any) -> dict[str, Any]:
    return {
        "ID": f"t{number}",
        "Slot": number,
        "NodeID": "n1",
        "ServiceID": SERVICE,
        "CreatedAt": f"2030-01-01T00:00:0{number}",
        "Status": {"State": state, **status},
    }


def running(*numbers: int) -> list[dict[str, Any]]:
    return [task(number, "running") for number in numbers]


@pytest.fixture(name="operation")
def operation_fixture() -> Operation:
    return Operation.within("urn", 60, threading.Event())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(converge, "_STEADY_SECONDS", 0.05)
    monkeypatch.setattr(converge, "_SETTLED_SECONDS", 0.1)


def created(operation: Operation, swarm: Swarm, timeout: float = 5) -> None:
    wait_created(operation, swarm, SERVICE, timeout, "5s")  # type: ignore[arg-type]


def updated(operation: Operation, swarm: Swarm, timeout: float = 5) -> None:
    wait_updated(operation, swarm, SERVICE, timeout, "5s")  # type: ignore[arg-type]


def test_a_service_is_made_when_all_its_tasks_run(operation: Operation) -> None:
    created(operation, Swarm([], running(1), running(1, 2)))


def test_a_service_of_no_replicas_is_made_at_once(operation: Operation) -> None:
    created(operation, Swarm([], replicas=0))


def test_a_task_that_ends_again_and_again_is_not_running(operation: Operation) -> None:
    flickering = [[task(number, "running"), task(number + 1, "running")] for number in range(1, 9)] * 1000
    failed = [task(9, "failed", Err="task: non-zero exit (3)")]
    with pytest.raises(DidNotConvergeError, match=r"did not converge after 5s; task 9 on worker-1 is failed: .*\(3\)"):
        created(operation, Swarm(*flickering[:6], failed), timeout=0.6)


def test_a_task_that_finds_no_node_is_told_in_the_swarms_words(operation: Operation) -> None:
    pending = task(1, "pending", Err="no suitable node (insufficient resources on 1 node)", Message="pending task")
    with pytest.raises(DidNotConvergeError, match=r"no suitable node \(insufficient resources on 1 node\)"):
        created(operation, Swarm([pending]), timeout=0.1)


def test_a_task_that_its_healthcheck_ended_is_told(operation: Operation) -> None:
    with pytest.raises(DidNotConvergeError, match="because its healthcheck failed"):
        created(operation, Swarm([task(1, "complete", Message="finished")]), timeout=0.1)


def test_the_same_reason_is_told_once_and_the_newest_first() -> None:
    failed = [task(number, "failed", Err="boom") for number in (1, 2, 3)] + [task(4, "rejected", Err="no image")]
    told = causes(Swarm(failed), SERVICE)  # type: ignore[arg-type]
    assert told == "; task 4 on worker-1 is rejected: no image; task 3 on worker-1 is failed: boom"


def test_an_update_is_done_when_the_swarm_says_so(operation: Operation) -> None:
    updated(operation, Swarm(running(1, 2), status={"State": "completed"}))


def test_an_update_that_needs_no_new_tasks_is_done_when_they_run(operation: Operation) -> None:
    updated(operation, Swarm(running(1), running(1, 2)))


def test_an_update_under_way_is_waited_for(operation: Operation) -> None:
    with pytest.raises(DidNotConvergeError):
        updated(operation, Swarm(running(1, 2), status={"State": "updating"}), timeout=0.3)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("rollback_completed", "service rollback completed: rolled back"),
        ("paused", "service update paused: rolled back"),
        ("rollback_paused", "service rollback paused: rolled back"),
    ],
)
def test_an_update_that_the_swarm_gave_up_fails_at_once(operation: Operation, state: str, words: str) -> None:
    swarm = Swarm([task(1, "failed", Err="boom")], status={"State": state, "Message": "rolled back"})
    with pytest.raises(ProviderError, match=f"^{words}; task 1 on worker-1 is failed: boom$"):
        updated(operation, swarm)


def test_progress_counts_the_tasks() -> None:
    told: list[str] = []
    operation = Operation.within("urn", 60, threading.Event(), lambda _, line: told.append(line))
    created(operation, Swarm([], running(1), running(1, 2)))
    assert told == ["0/2 replicas running", "1/2 replicas running", "2/2 replicas running"]


def test_a_removed_service_is_waited_for_until_its_tasks_are_gone(operation: Operation) -> None:
    swarm = Swarm(running(1, 2), running(1), [task(1, "shutdown")])
    wait_stopped(operation, swarm, SERVICE, 5)  # type: ignore[arg-type]
    assert swarm.moments == [[task(1, "shutdown")]]


def test_tasks_of_a_node_that_is_down_are_not_waited_for(operation: Operation) -> None:
    swarm = Swarm(running(1))
    swarm.down = True
    wait_stopped(operation, swarm, SERVICE, 60)  # type: ignore[arg-type]
    assert operation.left > 50


def test_a_task_that_does_not_stop_is_told_and_no_error() -> None:
    told: list[str] = []
    operation = Operation.within("urn", 60, threading.Event(), lambda _, line: told.append(line))
    wait_stopped(operation, Swarm(running(1)), SERVICE, 0.1)  # type: ignore[arg-type]
    assert told[-1].startswith("the service is removed, but its tasks are still there")
