"""Taking a volume to another node: what is refused before anything is stopped, and what happens when it goes wrong."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from stacks.move import Remote, move
from stacks.outputs import Node, StackError

NAMES = ("manager-1", "worker-1", "worker-2")


def service(
    name: str = "registry",
    *,
    volume: str = "registry",
    constraints: tuple[str, ...] = ("node.hostname == worker-1",),
    mode: dict[str, Any] | None = None,
) -> dict[str, Any]:
    mounts = [{"Type": "tmpfs", "Target": "/run"}, {"Type": "volume", "Source": volume, "Target": "/data"}]
    task = {"ContainerSpec": {"Mounts": mounts}, "Placement": {"Constraints": list(constraints)}}
    return {"Spec": {"Name": name, "TaskTemplate": task, "Mode": mode or {"Replicated": {"Replicas": 1}}}}


@dataclass(frozen=True, kw_only=True)
class Machines(Remote):
    """Machines that answer from tables, and remember what they were told."""

    services: list[dict[str, Any]] = field(default_factory=lambda: [service()])
    volumes: dict[str, list[str]] = field(default_factory=lambda: {"worker-1": ["registry"], "worker-2": []})
    zones: dict[str, str] = field(default_factory=lambda: {"worker-1": "a", "worker-2": "a"})
    device: str = ""
    prints: dict[str, str] = field(default_factory=dict[str, str])
    users: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])
    copying: Callable[[], None] = lambda: None

    def run(self, node: str, command: str) -> str:
        answers: dict[str, Callable[[], str]] = {
            "docker node ls": lambda: "id",
            "docker service inspect": lambda: json.dumps(self.services),
            "docker volume inspect --format": lambda: "/volumes/registry",
            "docker volume inspect": lambda: json.dumps(
                [{"Options": {"device": self.device} if self.device else None}]
            ),
            "docker volume ls": lambda: "\n".join(self.volumes[node]),
            "docker node inspect": lambda: self.zones[command.rpartition(" ")[2]],
            "docker ps": lambda: self.users.pop() if self.users else "",
            "cd /volumes/registry": lambda: self.prints.get(node, "the same"),
            "du": lambda: "36M",
        }
        for beginning, answer in answers.items():
            if command.startswith(beginning):
                return answer()
        self.told.append(f"{node}: {command}")
        return ""

    def copy(self, source: str, target: str, *, from_folder: str, to_folder: str) -> None:
        self.told.append(f"{source}:{from_folder} to {target}:{to_folder}")
        self.copying()


def machines(**changes: Any) -> Machines:
    known = [
        Node(
            name=name,
            role=name.partition("-")[0],
            address="127.0.0.1",
            port=2211,
            user="root",
            host_key="ssh-ed25519 AAAA",
            private_address="10.0.0.1",
        )
        for name in NAMES
    ]
    return Machines(machines=known, identity_file="key", **changes)


def test_what_uses_the_volume_is_stopped_before_it_is_copied_and_stays_so() -> None:
    found = machines(users=["registry.1"])
    said: list[str] = []
    move(found, "registry", "worker-2", said.append)
    assert found.told == [
        "manager-1: docker service scale --detach registry=0",
        "worker-2: docker volume create registry",
        "worker-1:/volumes/registry to worker-2:/volumes/registry",
    ]
    assert said == ["stopped registry", "copied registry to worker-2: 36M, the same on both"]
    assert found.users == [], "it was waited for until nobody used the volume"


def test_jobs_that_ended_are_not_stopped_and_other_services_neither() -> None:
    job = service("pi", mode={"ReplicatedJob": {"TotalCompletions": 1}})
    found = machines(services=[service(), job, service("web", volume="other")])
    move(found, "registry", "worker-2", lambda _: None)
    assert found.told[0] == "manager-1: docker service scale --detach registry=0"


def test_a_copy_that_differs_is_removed_and_the_service_runs_on_where_it_was() -> None:
    found = machines(prints={"worker-2": "another"})
    with pytest.raises(StackError, match=re.escape("the copy of registry on worker-2 is not what worker-1 has")):
        move(found, "registry", "worker-2", lambda _: None)
    assert found.told[-2:] == [
        "worker-2: docker volume rm registry",
        "manager-1: docker service scale --detach registry=1",
    ]


def test_who_stops_it_half_way_has_what_was_before() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    found = machines(copying=interrupt)
    with pytest.raises(KeyboardInterrupt):
        move(found, "registry", "worker-2", lambda _: None)
    assert found.told[-2:] == [
        "worker-2: docker volume rm registry",
        "manager-1: docker service scale --detach registry=1",
    ]


def test_the_volume_of_the_old_node_is_never_removed() -> None:
    for changes in ({}, {"prints": {"worker-2": "another"}}):
        found = machines(**changes)
        with suppress(StackError):
            move(found, "registry", "worker-2", lambda _: None)
        assert [line for line in found.told if line.startswith("worker-1: ")] == []


def test_a_block_volume_is_not_copied_but_left_for_the_cloud_to_attach() -> None:
    found = machines(device="/var/lib/flotilla/volumes/registry")
    move(found, "registry", "worker-2", lambda _: None)
    assert found.told == ["manager-1: docker service scale --detach registry=0"]


REFUSALS: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "data", "worker-2", "VOLUME is 'data': no service of the stack mounts it; name a volume that is on one node"),
    ({}, "registry", "worker-1", "TO is 'worker-1': volume registry is there already; name another node"),
    (
        {},
        "registry",
        "worker-9",
        "NODE is 'worker-9': there is no such machine; there is manager-1, worker-1, worker-2",
    ),
    (
        {"volumes": {"worker-2": ["registry"]}},
        "registry",
        "worker-2",
        "TO is 'worker-2': it has a volume registry already, perhaps from an earlier move; "
        "when nobody needs it, remove it with `docker volume rm registry` there",
    ),
    (
        {"services": [service(constraints=("node.role != manager",))]},
        "registry",
        "worker-2",
        "VOLUME is 'registry': service registry is not held to one node; move it by hand",
    ),
    (
        {"services": [service(mode={"Global": {}})]},
        "registry",
        "worker-2",
        "VOLUME is 'registry': service registry is not held to one node; move it by hand",
    ),
    (
        {"services": [service(), service("second", constraints=("node.hostname==worker-2",))]},
        "registry",
        "worker-2",
        "VOLUME is 'registry': it is on worker-1, worker-2; name a volume that is on one node",
    ),
    (
        {"device": "/var/lib/flotilla/volumes/registry", "zones": {"worker-1": "a", "worker-2": "b"}},
        "registry",
        "worker-2",
        "TO is 'worker-2': it is in zone b, and the volume stays in a; name a node there",
    ),
]


@pytest.mark.parametrize(("changes", "volume", "target", "message"), REFUSALS, ids=[case[3][:50] for case in REFUSALS])
def test_a_move_that_cannot_be_is_refused_before_anything_stops(
    changes: dict[str, Any], volume: str, target: str, message: str
) -> None:
    found = machines(**changes)
    with pytest.raises(StackError) as refusal:
        move(found, volume, target, lambda _: None)
    assert str(refusal.value) == message
    assert found.told == []
