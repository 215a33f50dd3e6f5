"""The managers' agent of a pool: an engine on a socket on one side, AWS as far as the agent asks it on the other."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.clouds.aws.agents import pool_agent
from components.clouds.aws.agents.engine import Engine
from components.clouds.aws.agents.pool_agent import Agent, Settings
from tests.unit.fake_engine import SELF, FakeEngine, RefusedError, serve

GROUP = "flotilla-dev-workers"
OWN = "i-0manager"
ZONE = "us-east-1a"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeAws:
    """The group's machines and what EC2 knows; each call is noted, and fails while it is in `failing`."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self.tags: dict[str, str] = {"Name": GROUP, "flotilla:label:disk": "ssd"}
        self.exists = True
        self.instances: dict[str, dict[str, Any]] = {}
        self.completed: list[tuple[str, str]] = []
        self.abandoned: list[tuple[str, str]] = []
        self.calls: list[str] = []
        self.asked: list[list[str]] = []
        self.failing: set[str] = set()
        self.launch(OWN, "10.60.0.11", member=False)

    def launch(
        self, identity: str, address: str | None, state: str = "InService", *, member: bool = True, tagged: bool = True
    ) -> None:
        if member:
            self.members[identity] = state
        tags = [{"Key": "aws:autoscaling:groupName", "Value": GROUP}] if tagged else []
        self.instances[identity] = {
            "InstanceId": identity,
            "PrivateIpAddress": address,
            "State": {"Name": "running"},
            "LaunchTime": NOW,
            "Tags": tags,
        }

    def end(self, identity: str, state: str = "terminated") -> None:
        """The instance is in `state`, and the group has it no more."""
        self.members.pop(identity, None)
        self.instances[identity] |= {"State": {"Name": state}, "PrivateIpAddress": None}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise ConnectionError(f"{name} gave no answer")

    # -- what boto3's clients have
    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: list[str]) -> dict[str, Any]:  # noqa: N803
        self._call("groups")
        assert AutoScalingGroupNames == [GROUP]
        group = {
            "Instances": [
                {"InstanceId": identity, "LifecycleState": state, "AvailabilityZone": ZONE}
                for identity, state in self.members.items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }
        return {"AutoScalingGroups": [group] if self.exists else []}

    def complete_lifecycle_action(self, **arguments: str) -> None:
        identity, hook = arguments["InstanceId"], arguments["LifecycleHookName"]
        self._call(f"complete {identity}")
        assert arguments["AutoScalingGroupName"] == GROUP
        assert self.members[identity] == {"joining": "Pending:Wait", "leaving": "Terminating:Wait"}[hook]
        if arguments["LifecycleActionResult"] == "CONTINUE":
            self.members[identity] = {"joining": "InService", "leaving": "Terminating:Proceed"}[hook]
            self.completed.append((identity, hook))
        else:
            assert arguments["LifecycleActionResult"] == "ABANDON"
            self.members[identity] = "Terminating:Wait"
            self.abandoned.append((identity, hook))

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_instances"
        return self

    def paginate(self, *, Filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._call("instances")
        (only,) = Filters
        assert only["Name"] == "instance-id"
        assert len(only["Values"]) <= 200
        self.asked.append(only["Values"])
        # One on each page, and nothing for those that EC2 has forgotten.
        for identity in only["Values"]:
            if identity in self.instances:
                yield {"Reservations": [{"Instances": [self.instances[identity]]}]}


@pytest.fixture
def engine() -> FakeEngine:
    fake = FakeEngine()
    fake.lead()
    return fake


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def agent(engine: FakeEngine, aws: FakeAws, tmp_path: Path) -> Iterator[Agent]:
    with serve(engine, tmp_path / "docker.sock") as path:
        yield Agent(Settings(group=GROUP, own_instance=OWN), Engine(path), aws, aws, now=lambda: NOW)


def ours(instance: str, **labels: str) -> dict[str, str]:
    """Labels of a node that an earlier round has labelled, with the pool's `labels`."""
    own = {"zone": ZONE, "flotilla.pool": GROUP, "flotilla.instance": instance, "flotilla.labels": ",".join(labels)}
    return {**labels, **own}


# -- who acts


def test_a_manager_that_does_not_lead_does_nothing(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    engine.add(SELF, "10.60.0.11", "manager-1", role="manager", leader=False)
    agent.tick()
    assert aws.calls == []
    assert engine.requests == []


@pytest.mark.parametrize("state", ["inactive", "pending", "active"])
def test_a_machine_that_is_no_manager_does_nothing(engine: FakeEngine, aws: FakeAws, agent: Agent, state: str) -> None:
    engine.swarm |= {"ControlAvailable": False, "LocalNodeState": state}
    agent.tick()
    assert aws.calls == []
    assert engine.seen == ["GET /info"]


# -- machines that join


def test_a_new_machine_gets_its_labels_and_then_is_in_service(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    engine.add("node-a", "10.60.0.40")
    agent.tick()
    assert engine.labels("node-a") == {
        "disk": "ssd",
        "zone": ZONE,
        "flotilla.pool": GROUP,
        "flotilla.instance": "i-0a",
        "flotilla.labels": "disk",
    }
    assert aws.completed == [("i-0a", "joining")]


def test_a_machine_is_not_in_service_before_its_node_is_labelled(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    engine.add("node-a", "10.60.0.40")
    engine.refusals["POST /nodes/node-a/update"] = RefusedError(500, "update out of sequence")
    agent.tick()
    assert aws.completed == []
    engine.refusals.clear()
    agent.tick()
    assert aws.completed == [("i-0a", "joining")]


@pytest.mark.parametrize("state", ["down", "unknown", "disconnected"])
def test_a_machine_whose_node_is_not_ready_is_not_in_service(
    engine: FakeEngine, aws: FakeAws, agent: Agent, state: str
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    engine.add("node-a", "10.60.0.40", state=state)
    aws.launch("i-0b", "10.60.0.41", "Pending:Wait")
    engine.add("node-b", "10.60.0.41", state=state, labels=ours("i-0b"))
    agent.tick()
    assert aws.completed == []


def test_a_machine_that_has_not_joined_is_not_in_service(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    engine.add("node-b", "10.60.0.41")
    agent.tick()
    assert aws.completed == []
    assert engine.requests == []


def test_a_machine_that_had_its_time_and_has_not_joined_is_replaced(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    for name, minutes in (("early", 25), ("late", 27), ("joined", 27), ("serving", 27)):
        aws.launch(f"i-0{name}", f"10.60.0.{len(aws.members) + 40}", "Pending:Wait")
        aws.instances[f"i-0{name}"]["LaunchTime"] = NOW - timedelta(minutes=minutes)
    aws.members["i-0serving"] = "InService"
    engine.add("node-joined", "10.60.0.42")
    agent.tick()
    assert "complete i-0serving" not in aws.calls
    assert aws.abandoned == [("i-0late", "joining")]
    assert aws.completed == [("i-0joined", "joining")]


def test_a_machine_of_which_ec2_does_not_tell_is_not_replaced(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    aws.instances["i-0a"]["LaunchTime"] = NOW - timedelta(minutes=29)
    aws.failing = {"instances"}
    agent.tick()
    aws.failing = set()
    aws.instances["i-0a"]["PrivateIpAddress"] = None
    agent.tick()
    del aws.instances["i-0a"]
    agent.tick()
    assert aws.abandoned == []


def test_a_round_without_news_changes_nothing_and_does_not_ask_ec2(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    engine.add("node-a", "10.60.0.40")
    agent.tick()
    engine.requests.clear()
    aws.calls.clear()
    agent.tick()
    assert engine.requests == []
    assert aws.calls == ["groups"]


def test_labels_of_others_stay_and_those_that_the_pool_no_longer_has_go(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.tags = {"flotilla:label:disk": "ssd", "flotilla:label:rack": "7"}
    engine.add("node-a", "10.60.0.40", labels={"owner": "spark"})
    agent.tick()
    assert {"disk": "ssd", "rack": "7", "owner": "spark"}.items() <= engine.labels("node-a").items()
    aws.tags = {"flotilla:label:disk": "nvme"}
    agent.tick()
    assert engine.labels("node-a") == {
        "disk": "nvme",
        "owner": "spark",
        "zone": ZONE,
        "flotilla.pool": GROUP,
        "flotilla.instance": "i-0a",
        "flotilla.labels": "disk",
    }


def test_a_node_with_an_address_that_no_machine_of_the_pool_has_gets_no_label(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    engine.add("worker", "10.60.0.200", "i-0a")
    agent.tick()
    assert engine.requests == []


def test_a_machine_with_the_address_of_a_dead_one_is_not_taken_for_it(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0old", "10.60.0.40")
    aws.end("i-0old", "shutting-down")
    engine.add("node-old", "10.60.0.40", state="down", labels=ours("i-0old"))
    aws.launch("i-0new", "10.60.0.40", "Pending:Wait")
    agent.tick()
    assert aws.completed == []
    engine.add("node-new", "10.60.0.40")
    agent.tick()
    assert aws.completed == [("i-0new", "joining")]
    assert engine.labels("node-old")["flotilla.instance"] == "i-0old"
    assert engine.labels("node-new")["flotilla.instance"] == "i-0new"


def test_a_machine_with_the_address_of_one_that_died_without_a_label_is_not_taken_for_it(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0new", "10.60.0.40", "Pending:Wait")
    engine.add("node-new", "10.60.0.40")
    engine.add("node-old", "10.60.0.40", state="down")
    aws.launch("i-0late", "10.60.0.41", "Terminating:Wait")
    engine.add("node-older", "10.60.0.41", state="down")
    agent.tick()
    assert engine.labels("node-new")["flotilla.instance"] == "i-0new"
    assert engine.labels("node-old") == engine.labels("node-older") == {}
    assert aws.completed == [("i-0new", "joining"), ("i-0late", "leaving")]


def test_a_node_keeps_its_machine_although_a_new_one_has_its_address(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    """For seconds the swarm takes a dead machine for ready, and EC2 gives its address away again."""
    engine.add("node-old", "10.60.0.40", labels=ours("i-0old"))
    aws.launch("i-0new", "10.60.0.40", "Pending:Wait")
    agent.tick()
    assert engine.requests == []
    assert aws.completed == []


# -- machines that are to go


def test_a_machine_that_is_to_go_gives_up_its_tasks_first(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40", labels=ours("i-0a"))
    engine.run("node-a", "running", "complete")
    agent.tick()
    assert engine.nodes["node-a"]["Spec"]["Availability"] == "drain"
    assert engine.labels("node-a")["flotilla.instance"] == "i-0a"
    assert aws.completed == []
    agent.tick()
    assert aws.completed == []
    engine.run("node-a", "shutdown", "complete", "failed", "rejected", "remove", "orphaned")
    agent.tick()
    assert aws.completed == [("i-0a", "leaving")]


@pytest.mark.parametrize("state", ["new", "pending", "assigned", "accepted", "preparing", "starting", "running"])
def test_a_task_that_has_not_ended_holds_its_machine(
    engine: FakeEngine, aws: FakeAws, agent: Agent, state: str
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40", labels=ours("i-0a"))
    engine.run("node-a", state)
    for _ in range(3):
        agent.tick()
    assert aws.completed == []


def test_a_machine_that_goes_before_it_was_labelled_is_drained_too(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40")
    engine.run("node-a", "running")
    agent.tick()
    assert engine.nodes["node-a"]["Spec"]["Availability"] == "drain"
    assert aws.completed == []


@pytest.mark.parametrize("joined", [True, False], ids=["whose node is down", "that never joined"])
def test_a_machine_without_a_living_node_is_not_held(
    engine: FakeEngine, aws: FakeAws, agent: Agent, joined: bool
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    if joined:
        engine.add("node-a", "10.60.0.40", state="down", labels=ours("i-0a"))
        engine.run("node-a", "running")
    agent.tick()
    assert aws.completed == [("i-0a", "leaving")]


def test_a_machine_whose_address_is_not_told_is_not_let_go(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40")
    aws.failing = {"instances"}
    agent.tick()
    aws.failing = set()
    del aws.instances["i-0a"]
    agent.tick()
    assert aws.completed == []
    assert engine.requests == []


@pytest.mark.parametrize("state", ["unknown", "disconnected"])
def test_a_machine_whose_node_the_leader_has_not_heard_of_yet_is_neither_let_go_nor_replaced(
    engine: FakeEngine, aws: FakeAws, agent: Agent, state: str
) -> None:
    for name, lifecycle in (("a", "Terminating:Wait"), ("b", "Pending:Wait")):
        address = f"10.60.0.{len(aws.members) + 40}"
        aws.launch(f"i-0{name}", address, lifecycle)
        aws.instances[f"i-0{name}"]["LaunchTime"] = NOW - timedelta(minutes=29)
        engine.add(f"node-{name}", address, state=state)
    agent.tick()
    assert aws.completed == aws.abandoned == []
    assert engine.requests == []


def test_what_fails_for_one_machine_holds_no_other_up(
    engine: FakeEngine, aws: FakeAws, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    for name, address in (("a", "10.60.0.40"), ("b", "10.60.0.41"), ("c", "10.60.0.42")):
        aws.launch(f"i-0{name}", address, "Terminating:Wait")
        engine.add(f"node-{name}", address, labels=ours(f"i-0{name}"))
    engine.refusals["POST /nodes/node-a/update"] = RefusedError(500, "update out of sequence")
    aws.failing = {"complete i-0b"}
    for _ in range(2):
        agent.tick()
    assert aws.completed == [("i-0c", "leaving")]
    assert "i-0a: EngineError: update out of sequence" in caplog.text
    assert "i-0b: ConnectionError: complete i-0b gave no answer" in caplog.text


def test_addresses_that_are_not_told_hold_up_no_machine_that_is_known(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0new", "10.60.0.39", "Pending:Wait")
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40", labels=ours("i-0a"))
    aws.failing = {"instances"}
    for _ in range(2):
        agent.tick()
    assert aws.completed == [("i-0a", "leaving")]


def test_a_member_that_somebody_made_a_manager_is_left_alone(
    engine: FakeEngine, aws: FakeAws, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    aws.launch("i-0a", "10.60.0.40", "Terminating:Wait")
    engine.add("node-a", "10.60.0.40", role="manager", labels=ours("i-0a"))
    aws.launch("i-0b", "10.60.0.41", "Terminating:Wait")
    engine.add("node-b", "10.60.0.41", role="manager")
    aws.launch("i-0c", "10.60.0.42")
    aws.end("i-0c")
    engine.add("node-c", "10.60.0.42", state="down", role="manager", labels=ours("i-0c"))
    aws.launch("i-0d", "10.60.0.43")
    engine.add("node-d", "10.60.0.43", role="manager", labels=ours("i-0d"))
    agent.tick()
    assert aws.completed == []
    assert engine.requests == []
    assert "node node-a is a manager, and nothing is done about it; demote it first" in caplog.text


# -- machines that are gone


def down(engine: FakeEngine, labels: dict[str, str]) -> None:
    engine.add("node-a", "10.60.0.40", "i-0a", state="down", labels=labels)


def test_the_node_of_a_terminated_machine_is_removed(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.end("i-0a")
    down(engine, ours("i-0a"))
    agent.tick()
    assert engine.requests == [("DELETE", "/nodes/node-a?force=true", None)]


def test_the_node_of_a_machine_that_ec2_has_forgotten_is_removed(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    down(engine, ours("i-0a"))
    agent.tick()
    assert "node-a" not in engine.nodes


def test_nodes_go_even_after_their_group_is_gone(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.end("i-0a")
    aws.exists = False
    down(engine, ours("i-0a"))
    agent.tick()
    assert "node-a" not in engine.nodes


def test_an_answer_that_does_not_know_this_machine_proves_nothing(
    engine: FakeEngine, aws: FakeAws, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    down(engine, ours("i-0a"))
    del aws.instances[OWN]
    agent.tick()
    assert engine.requests == []
    assert "EC2 does not even know this machine" in caplog.text


@pytest.mark.parametrize("failing", ["groups", "instances"])
def test_a_call_that_fails_proves_nothing(engine: FakeEngine, aws: FakeAws, agent: Agent, failing: str) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.end("i-0a")
    down(engine, ours("i-0a"))
    aws.failing = {failing}
    try:
        agent.tick()
    except ConnectionError:
        assert failing == "groups"
    assert engine.requests == []


@pytest.mark.parametrize("state", ["running", "pending", "stopping", "stopped", "shutting-down"])
def test_the_node_of_a_machine_that_may_come_back_stays(
    engine: FakeEngine, aws: FakeAws, agent: Agent, state: str
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.end("i-0a", state)
    down(engine, ours("i-0a"))
    agent.tick()
    assert engine.requests == []


def test_the_node_of_a_machine_that_is_still_in_the_group_stays(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40")
    down(engine, ours("i-0a", disk="ssd"))
    agent.tick()
    assert engine.requests == []


def test_a_machine_that_the_group_has_is_not_gone_although_ec2_does_not_list_it(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    del aws.instances["i-0a"]
    down(engine, ours("i-0a", disk="ssd"))
    agent.tick()
    assert engine.requests == []


@pytest.mark.parametrize("state", ["ready", "unknown", "disconnected"])
def test_a_node_that_the_swarm_has_not_given_up_stays(
    engine: FakeEngine, aws: FakeAws, agent: Agent, state: str
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    aws.end("i-0a")
    engine.add("node-a", "10.60.0.40", state=state, labels=ours("i-0a"))
    agent.tick()
    assert engine.requests == []


def test_nodes_that_are_not_of_the_pool_stay(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    engine.add("worker", "10.60.0.41", "worker-1", state="down", labels={"zone": ZONE})
    engine.add("other", "10.60.0.42", "i-0b", state="down", labels={**ours("i-0b"), "flotilla.pool": "other-workers"})
    engine.add("bare", "10.60.0.43", "spare", state="down")
    agent.tick()
    assert engine.requests == []
    assert aws.asked == []


def test_a_machine_that_died_before_it_was_labelled_is_known_by_its_name_and_its_groups_tag(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    for name, tagged in (("a", True), ("b", False)):
        aws.launch(f"i-0{name}", "10.60.0.40", tagged=tagged)
        aws.end(f"i-0{name}")
        engine.add(f"node-{name}", "10.60.0.40", f"i-0{name}.ec2.internal", state="down")
    engine.add("node-forgotten", "10.60.0.40", "i-0c", state="down")
    agent.tick()
    assert set(engine.nodes) == {SELF, "node-b", "node-forgotten"}


def test_the_old_node_of_a_machine_that_joined_anew_is_removed(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    aws.launch("i-0a", "10.60.0.40")
    engine.add("node-old", "10.60.0.40", "i-0a", state="down", labels=ours("i-0a"))
    engine.add("node-new", "10.60.0.40", "i-0a")
    agent.tick()
    assert "node-old" not in engine.nodes
    assert engine.labels("node-new")["flotilla.instance"] == "i-0a"


def test_the_later_of_two_nodes_of_one_machine_is_the_one_that_is_ready(
    engine: FakeEngine, aws: FakeAws, agent: Agent
) -> None:
    aws.launch("i-0a", "10.60.0.40")
    engine.add("node-new", "10.60.0.40", "i-0a", labels=ours("i-0a", disk="ssd"))
    engine.add("node-old", "10.60.0.40", "i-0a", state="down", labels=ours("i-0a"))
    agent.tick()
    assert engine.requests == [("DELETE", "/nodes/node-old?force=true", None)]


def test_a_node_that_cannot_be_removed_holds_no_other_up(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    for name in ("a", "b"):
        engine.add(f"node-{name}", "10.60.0.40", state="down", labels=ours(f"i-0{name}"))
    engine.refusals["DELETE /nodes/node-a"] = RefusedError(500, "rpc error")
    agent.tick()
    assert set(engine.nodes) == {SELF, "node-a"}


def test_ec2_is_asked_in_bounded_batches(engine: FakeEngine, aws: FakeAws, agent: Agent) -> None:
    for number in range(250):
        aws.launch(f"i-{number:04}", f"10.60.1.{number}", "Pending:Wait")
        engine.add(f"node-{number:04}", f"10.60.1.{number}")
    agent.tick()
    assert [len(batch) for batch in aws.asked] == [100, 100, 50]
    assert len(aws.completed) == 250


# -- the program


class EndError(Exception):
    """Raised in a test's sleep, to leave the endless loop."""


def test_the_program_goes_on_after_a_round_that_failed(
    engine: FakeEngine,
    aws: FakeAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, own = tmp_path / "pool.json", tmp_path / "instance-id"
    settings.write_text(json.dumps({"region": "eu-central-1", "group": GROUP}))
    own.write_text(f"{OWN}\n")
    aws.launch("i-0a", "10.60.0.40", "Pending:Wait")
    engine.add("node-a", "10.60.0.40")
    aws.failing = {"groups"}
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        aws.failing = set()
        if len(sleeps) == 2:
            raise EndError

    def client(service: str, region_name: str) -> FakeAws:
        assert service in ("autoscaling", "ec2")
        assert region_name == "eu-central-1"
        return aws

    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=client))
    monkeypatch.setattr(pool_agent, "SETTINGS", settings)
    monkeypatch.setattr(pool_agent, "OWN_INSTANCE", own)
    monkeypatch.setattr(pool_agent.time, "sleep", sleep)
    with serve(engine, tmp_path / "docker.sock") as path, caplog.at_level(logging.INFO):
        monkeypatch.setattr(pool_agent, "Engine", lambda: Engine(path))
        with pytest.raises(EndError):
            pool_agent.main()
    assert sleeps[0] >= pool_agent.INTERVAL_SECONDS
    assert "ConnectionError: groups gave no answer" in caplog.text
    assert aws.completed == [("i-0a", "joining")]
