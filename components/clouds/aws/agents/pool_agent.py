"""Keeps the swarm and the autoscaling group of its workers in step, from the managers: the leader's agent acts.

New machines get their node labels, and only then count as in service; those that do not join are replaced. Machines
that are to go are drained first; nodes whose machines are gone are removed. What AWS or the engine does not say is
unknown, and nothing is done about it: the next round asks again. `python3 -m agents.pool_agent`, by systemd."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

from .engine import Engine

SETTINGS = Path("/etc/flotilla/pool.json")
OWN_INSTANCE = Path("/var/lib/cloud/data/instance-id")
INTERVAL_SECONDS = 15.0

POOL_LABEL = "flotilla.pool"
INSTANCE_LABEL = "flotilla.instance"
NAMES_LABEL = "flotilla.labels"
LABEL_TAG = "flotilla:label:"
GROUP_TAG = "aws:autoscaling:groupName"

JOINING_TIME = timedelta(minutes=26)
"""A little more than a machine tries to join for."""

JOINING, LEAVING = "joining", "leaving"
_BATCH = 100
_OVER = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})

log = logging.getLogger("pool")
Node = Mapping[str, Any]
Instance = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """The group by its name, and the id of the machine that this program runs on."""

    group: str
    own_instance: str


def node_labels(node: Node) -> dict[str, str]:
    """The labels that managers gave it."""
    return dict(node["Spec"].get("Labels") or {})


def instance_of(node: Node) -> str | None:
    """The instance that an earlier round found behind the node."""
    return node_labels(node).get(INSTANCE_LABEL)


def is_ready(node: Node) -> bool:
    """Whether its machine answers the managers."""
    return node["Status"]["State"] == "ready"


def is_down(node: Node) -> bool:
    """Whether the managers gave its machine up."""
    return node["Status"]["State"] == "down"


def is_manager(node: Node) -> bool:
    """Whether it counts in the quorum, or is about to."""
    return node["Spec"]["Role"] == "manager" or bool(node.get("ManagerStatus"))


def wanted_labels(node: Node, labels: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The pool's `labels` and our `own`; those that others set stay, those that the pool no longer has go."""
    now = node_labels(node)
    earlier = now.get(NAMES_LABEL, "").split(",")
    kept = {name: value for name, value in now.items() if name not in earlier}
    return {**kept, **labels, **own, NAMES_LABEL: ",".join(sorted(labels))}


def _now() -> datetime:
    return datetime.now(timezone.utc)  # noqa: UP017 - a machine may have an older Python


class Agent:
    """One round is one `tick`; `autoscaling` and `ec2` are boto3's clients."""

    def __init__(
        self, settings: Settings, engine: Engine, autoscaling: Any, ec2: Any, now: Callable[[], datetime] = _now
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._autoscaling = autoscaling
        self._ec2 = ec2
        self._now = now

    def tick(self) -> None:
        """Look at both sides and do what is due. On a manager that does not lead: nothing."""
        if not self._leads():
            return
        group = self._group()
        members = {member["InstanceId"]: member for member in group["Instances"]}
        labels = {
            tag["Key"].removeprefix(LABEL_TAG): tag["Value"]
            for tag in group["Tags"]
            if tag["Key"].startswith(LABEL_TAG)
        }
        nodes: list[Node] = self._engine.call("GET", "/nodes")
        found, alone = self._pairs(nodes, members)
        for identity, member in members.items():
            leaving = member["LifecycleState"] == "Terminating:Wait"
            if identity in found and leaving:
                self._try(identity, self._see_off, identity, found[identity])
            elif identity in found:
                self._try(identity, self._welcome, member, found[identity], labels)
            elif identity in alone and leaving:
                self._try(identity, self._complete, identity, LEAVING)
            elif identity in alone and member["LifecycleState"] == "Pending:Wait":
                self._try(identity, self._turn_away, identity, alone[identity])
        self._try("nodes that are down", self._clear, nodes, members, found)

    def _try(self, what: str, action: Callable[..., None], *arguments: Any) -> None:
        """What fails for one machine is told, and holds no other up."""
        try:
            action(*arguments)
        except Exception as error:
            log.error("%s: %s: %s", what, type(error).__name__, error)

    def _leads(self) -> bool:
        swarm = self._engine.call("GET", "/info")["Swarm"]
        if not swarm.get("ControlAvailable"):
            return False
        node = self._engine.call("GET", f"/nodes/{swarm['NodeID']}")
        return bool((node.get("ManagerStatus") or {}).get("Leader"))

    def _group(self) -> dict[str, Any]:
        """The group; one without machines where AWS says that there is none, before it is made or after."""
        answer = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self._settings.group])
        groups = answer["AutoScalingGroups"]
        return groups[0] if groups else {"Instances": [], "Tags": []}

    def _pairs(self, nodes: Iterable[Node], members: Iterable[str]) -> tuple[dict[str, Node], dict[str, Instance]]:
        """The node of each machine, and the machines of which it is certain that they have none.

        A label of an earlier round says it; a new machine is known by its private address, which the managers see.
        """
        # Of two with one machine, or one address, the one that is ready is the later.
        nodes = sorted(nodes, key=is_ready)
        labelled = {instance_of(node): node for node in nodes}
        found = {identity: labelled[identity] for identity in members if identity in labelled}
        new = [identity for identity in members if identity not in found or is_down(found[identity])]
        # After an election, nodes are neither ready nor down until the new leader has heard of them.
        by_address = {node["Status"]["Addr"]: node for node in nodes if not is_down(node) and not instance_of(node)}
        alone: dict[str, Instance] = {}
        try:
            for instance in self._describe(new):
                identity, address = instance["InstanceId"], instance.get("PrivateIpAddress")
                node = by_address.get(address)
                if node is not None and is_ready(node):
                    found[identity] = node
                elif node is None and address and identity not in found:
                    alone[identity] = instance
        except Exception as error:
            log.error("EC2 does not tell addresses: %s", error)
        return found, alone

    def _describe(self, identities: Iterable[str]) -> Iterator[Instance]:
        """What EC2 knows of instances: those that it has forgotten are not in the answer."""
        identities = sorted(identities)
        pages = self._ec2.get_paginator("describe_instances")
        for start in range(0, len(identities), _BATCH):
            batch = identities[start : start + _BATCH]
            for page in pages.paginate(Filters=[{"Name": "instance-id", "Values": batch}]):
                for reservation in page["Reservations"]:
                    yield from reservation["Instances"]

    def _welcome(self, member: Mapping[str, Any], node: Node, labels: Mapping[str, str]) -> None:
        """A machine that has joined gets its labels; then it is in service."""
        identity = member["InstanceId"]
        self._refuse_manager(node)
        own = {"zone": member["AvailabilityZone"], POOL_LABEL: self._settings.group, INSTANCE_LABEL: identity}
        wanted = wanted_labels(node, labels, own)
        if wanted != node_labels(node):
            self._change(node, Labels=wanted)
            log.info("%s: node %s is labelled", identity, node["ID"])
        if member["LifecycleState"] == "Pending:Wait" and is_ready(node):
            self._complete(identity, JOINING)

    def _turn_away(self, identity: str, instance: Instance) -> None:
        """A machine that had its time and has not joined is replaced."""
        if self._now() - instance["LaunchTime"] > JOINING_TIME:
            self._complete(identity, JOINING, "ABANDON")

    def _see_off(self, identity: str, node: Node) -> None:
        """A machine that is to go gives up its tasks first. How long that may take is the hook's business."""
        self._refuse_manager(node)
        if not is_down(node):
            if node["Spec"]["Availability"] != "drain":
                self._change(node, Availability="drain")
                log.info("%s: node %s is drained", identity, node["ID"])
                return
            tasks = self._engine.call("GET", "/tasks", node=[node["ID"]])
            if running := sum(task["Status"]["State"] not in _OVER for task in tasks):
                log.info("%s: %d tasks of node %s have not ended", identity, running, node["ID"])
                return
        self._complete(identity, LEAVING)

    def _refuse_manager(self, node: Node) -> None:
        """Somebody promoted a machine of the pool: whether the quorum can be without it is not ours to say."""
        if is_manager(node):
            raise LookupError(f"node {node['ID']} is a manager, and nothing is done about it; demote it first")

    def _complete(self, identity: str, hook: str, result: str = "CONTINUE") -> None:
        self._autoscaling.complete_lifecycle_action(
            LifecycleHookName=hook,
            AutoScalingGroupName=self._settings.group,
            InstanceId=identity,
            LifecycleActionResult=result,
        )
        log.info("%s: %s is complete: %s", identity, hook, result)

    def _clear(self, nodes: Iterable[Node], members: Iterable[str], found: Mapping[str, Node]) -> None:
        """Remove nodes of the pool that are down, where it is proved that their machines do not come back."""
        down = {
            node["ID"]: identity
            for node in nodes
            if is_down(node) and not is_manager(node) and (identity := self._claimed(node))
        }
        for node_id, identity in down.items():
            if identity in found and is_ready(found[identity]):
                self._try(identity, self._remove, node_id, "its machine has joined anew")
        absent = {node_id: identity for node_id, identity in down.items() if identity not in members}
        if not absent:
            return
        known = {one["InstanceId"]: one for one in self._describe({*absent.values(), self._settings.own_instance})}
        if self._settings.own_instance not in known:
            raise LookupError("EC2 does not even know this machine: what else it does not know proves nothing")
        labelled = {node["ID"] for node in nodes if instance_of(node)}
        for node_id, identity in absent.items():
            if self._is_gone(known.get(identity), labelled=node_id in labelled):
                self._try(identity, self._remove, node_id, "its machine is gone")

    def _claimed(self, node: Node) -> str | None:
        """The machine that a node has by its label or, where it died before it got one, by its host name."""
        labels = node_labels(node)
        if labels:
            return labels.get(INSTANCE_LABEL) if labels.get(POOL_LABEL) == self._settings.group else None
        name = str(node["Description"]["Hostname"]).partition(".")[0]
        return name if name.startswith("i-") else None

    def _is_gone(self, instance: Instance | None, *, labelled: bool) -> bool:
        """EC2 tells for an hour that an instance is terminated, then nothing. A host name alone is no proof."""
        if instance is None:
            return labelled
        tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
        ours = labelled or tags.get(GROUP_TAG) == self._settings.group
        return ours and instance["State"]["Name"] == "terminated"

    def _remove(self, node_id: str, why: str) -> None:
        self._engine.call("DELETE", f"/nodes/{node_id}?force=true")
        log.info("node %s is removed: %s", node_id, why)

    def _change(self, node: Node, **changes: Any) -> None:
        version = node["Version"]["Index"]
        self._engine.call("POST", f"/nodes/{node['ID']}/update?version={version}", {**node["Spec"], **changes})


def main() -> None:
    """Rounds without end; a machine that is no manager yet waits to become one."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    content = json.loads(SETTINGS.read_text())
    settings = Settings(group=content["group"], own_instance=OWN_INSTANCE.read_text().strip())
    boto3 = import_module("boto3")  # only machines have it
    clients = [boto3.client(name, region_name=content["region"]) for name in ("autoscaling", "ec2")]
    agent = Agent(settings, Engine(), *clients)
    while True:
        began = time.monotonic()
        try:
            agent.tick()
        except Exception as error:
            log.error("%s: %s", type(error).__name__, error)
        # A large pool takes its time to look at: never more than a part of a processor.
        time.sleep(max(INTERVAL_SECONDS, 4 * (time.monotonic() - began)))


if __name__ == "__main__":
    main()
