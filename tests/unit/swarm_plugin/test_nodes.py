"""Membership: joining, changing, leaving, and what is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from plugins.swarm.operation import Session
from plugins.swarm.values import UNKNOWN, Secret, decode
from tests.unit.swarm_plugin.client import Engine, FailedError, Object, urn
from tests.unit.swarm_plugin.conftest import Formed
from tests.unit.swarm_plugin.fake_docker import World, connection


def test_a_preview_of_a_node_touches_nothing_and_knows_what_it_can(
    world: World, formed: Formed, engine: Engine
) -> None:
    joins = len(world.joins)
    foreseen = engine.create("Node", formed.node_inputs("w9"), preview=True)
    assert (foreseen.id, foreseen.outputs["nodeId"], foreseen["role"]) == ("", UNKNOWN, "worker")
    assert len(world.joins) == joins


def test_a_preview_with_everything_unknown_passes(engine: Engine) -> None:
    names = ("connection", "managers", "clusterId", "managerAddresses", "joinToken", "role", "advertiseAddress")
    foreseen = engine.create("Node", dict.fromkeys(names, UNKNOWN), preview=True)
    assert foreseen.outputs["hostname"] is UNKNOWN
    assert isinstance(foreseen.outputs["joinToken"], Secret)


def test_the_machine_that_initialised_the_swarm_is_adopted_as_a_node(world: World, formed: Formed) -> None:
    assert formed.nodes["m1"].id == world.daemon("m1").node_id
    assert len(world.joins) == 3


def test_a_join_offers_the_managers_of_this_moment_besides_the_one_in_the_state(world: World, formed: Formed) -> None:
    formed.engine.create("Node", formed.node_inputs("w2"))
    assert set(world.joins[-1]["remote_addrs"]) == {"m1:2377", "m2:2377", "m3:2377"}


def test_a_join_is_tried_again_while_the_swarm_is_busy_with_itself(world: World, formed: Formed) -> None:
    world.daemon("w2").hiccups = 2
    assert formed.engine.create("Node", formed.node_inputs("w2"))["state"] == "ready"


def test_a_machine_of_another_swarm_is_refused(world: World, formed: Formed) -> None:
    world.daemon("x1").init_swarm()
    with pytest.raises(FailedError, match=r"x1:22 is a member of another swarm than swarm-1"):
        formed.engine.create("Node", formed.node_inputs("x1"))


def test_a_rotated_token_says_what_to_do(world: World, formed: Formed) -> None:
    world.refuse_join["w2"] = "invalid join token"
    with pytest.raises(FailedError, match="run `pulumi refresh`, then `pulumi up`"):
        formed.engine.create("Node", formed.node_inputs("w2"))


def test_a_node_that_joined_but_is_not_ready_goes_into_the_state_and_the_next_update_repairs_it(
    world: World, formed: Formed, engine: Engine
) -> None:
    world.never_ready.add("w2")
    with pytest.raises(FailedError, match="to be ready") as failed:
        engine.create("Node", formed.node_inputs("w2"), timeout=0.2)
    kept = failed.value.half_made
    assert kept is not None
    assert kept.id == world.daemon("w2").node_id
    assert isinstance(decode(kept.properties)["joinToken"], Secret)
    world.never_ready.clear()
    repaired = engine.update(
        Object(urn("Node"), decode(kept.inputs), kept.id, decode(kept.properties)), decode(kept.inputs)
    )
    assert repaired["state"] == "ready"


def test_ways_and_tokens_are_no_difference(formed: Formed, engine: Engine) -> None:
    changed = formed.node_inputs(
        "w1",
        connection={**connection("w1"), "port": 2222},
        managers=[connection("m2")],
        managerAddresses=["10.9.9.9:2377"],
        joinToken=Secret("SWMTKN-1-other"),
    )
    response = engine.diff(formed.nodes["w1"], changed)
    assert response.changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("changed", "paths", "replaces"),
    [
        ({"labels": {"zone": "b", "a.b/c": "1"}}, ["labels.zone", 'labels["a.b/c"]'], []),
        ({"role": "manager"}, ["role"], []),
        ({"availability": "drain"}, ["availability"], []),
        ({"clusterId": "other"}, ["clusterId"], ["clusterId"]),
        ({"advertiseAddress": "w9"}, ["advertiseAddress"], ["advertiseAddress"]),
        ({"triggers": {"machine": "2"}}, ["triggers"], ["triggers"]),
        ({"triggers": UNKNOWN}, ["triggers"], ["triggers"]),
    ],
)
def test_a_difference_is_told_by_its_path(
    formed: Formed, engine: Engine, changed: dict[str, object], paths: list[str], replaces: list[str]
) -> None:
    response = engine.diff(formed.nodes["w1"], formed.node_inputs("w1", **changed))
    assert sorted(response.detailedDiff) == sorted(paths)
    assert list(response.replaces) == replaces
    assert response.deleteBeforeReplace is bool(replaces)


def test_only_labels_of_ours_are_taken_away(world: World, formed: Formed) -> None:
    node = world.swarms[0].nodes[formed.nodes["w1"].id]
    node["Spec"]["Labels"]["theirs"] = "1"
    formed.update("w1", labels={"disk": "ssd"})
    assert node["Spec"]["Labels"] == {"theirs": "1", "disk": "ssd"}


def test_a_promoted_node_is_a_reachable_manager_before_the_update_ends(world: World, formed: Formed) -> None:
    formed.update("w1", role="manager")
    assert world.daemon("m1").inspect_node(formed.nodes["w1"].id)["ManagerStatus"]["Reachability"] == "reachable"


def test_a_demotion_that_loses_the_quorum_is_refused(world: World, formed: Formed) -> None:
    world.daemon("m3").up = False
    with pytest.raises(FailedError, match=r"demoting m2 leaves 1 reachable of 2 managers; majority is 2"):
        formed.update("m2", role="worker")


def test_drift_is_seen_and_a_removed_node_is_gone(world: World, formed: Formed, engine: Engine) -> None:
    world.swarms[0].nodes[formed.nodes["w1"].id]["Spec"]["Availability"] = "pause"
    seen = engine.read(formed.nodes["w1"])
    assert seen is not None
    assert seen["availability"] == "pause"
    del world.swarms[0].nodes[formed.nodes["w1"].id]
    assert engine.read(formed.nodes["w1"]) is None


def test_a_node_that_left_and_is_listed_as_down_is_gone(world: World, formed: Formed, engine: Engine) -> None:
    world.daemon("w1").swarm = None
    assert engine.read(formed.nodes["w1"]) is None


def test_a_node_whose_machine_is_silent_is_not_gone(world: World, formed: Formed, engine: Engine) -> None:
    world.daemon("w1").up = False
    seen = engine.read(formed.nodes["w1"])
    assert seen is not None
    assert seen["state"] == "down"


def test_a_removal_waits_for_the_tasks_and_tells_which_remain(world: World, formed: Formed, engine: Engine) -> None:
    node = formed.nodes["w1"]
    task = {"ID": "task-1", "ServiceID": "service-1", "NodeID": node.id, "Status": {"State": "running"}}
    world.swarms[0].tasks.append(task)
    world.stubborn_tasks = True
    with pytest.raises(FailedError, match=r"task task-1 of service service-1 is running.*stays drained"):
        engine.delete(node, timeout=0.2)
    assert node.id in world.swarms[0].nodes
    task["Status"] = {"State": "shutdown"}
    engine.delete(node)
    assert node.id not in world.swarms[0].nodes
    assert world.daemon("w1").swarm is None


def test_concurrent_removals_of_managers_never_lose_the_quorum(world: World, engine: Engine) -> None:
    formed = Formed(engine, managers=5, workers=0)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(engine.delete, formed.nodes.values()))
    swarm = world.swarms[0]
    (last,) = swarm.nodes.values()
    assert (last["Spec"]["Role"], last["Spec"]["Availability"]) == ("manager", "active")
    assert swarm.fewest_managers == 1


def test_a_removal_that_loses_the_quorum_is_refused_before_anything_is_drained(world: World, formed: Formed) -> None:
    world.daemon("m3").up = False
    with pytest.raises(
        FailedError, match=r"removing m2 leaves 1 reachable of 2 managers; majority is 2: bring m3 back"
    ):
        formed.engine.delete(formed.nodes["m2"])
    assert world.swarms[0].nodes[formed.nodes["m2"].id]["Spec"]["Availability"] == "active"


def test_a_dead_node_goes_by_force_when_nothing_listens_there(world: World, formed: Formed, engine: Engine) -> None:
    world.daemon("m3").up = world.daemon("w1").up = False
    engine.delete(formed.nodes["w1"])
    engine.delete(formed.nodes["m3"])
    assert {node["Description"]["Hostname"] for node in world.swarms[0].nodes.values()} == {"m1", "m2"}


@pytest.mark.parametrize(
    "said",
    [
        "ssh: connect to host {} port 22: Connection timed out",
        "root@{}: Permission denied (publickey)",
        "the Docker daemon does not answer (channel 1: open failed: connect failed: Connection refused)",
    ],
)
def test_a_machine_that_is_not_proved_gone_keeps_its_node(world: World, formed: Formed, said: str) -> None:
    world.daemon("w1").up, world.unreachable = False, said
    with pytest.raises(FailedError, match="does not prove that it is gone"):
        formed.engine.delete(formed.nodes["w1"])
    assert formed.nodes["w1"].id in world.swarms[0].nodes


def test_deleting_a_node_of_a_swarm_that_is_gone_succeeds(world: World, formed: Formed, engine: Engine) -> None:
    for name in formed.managers:
        world.daemon(name).swarm = None
    engine.delete(formed.nodes["m2"])
    engine.delete(formed.nodes["w1"])
    assert world.daemon("w1").swarm is None


def test_deleting_a_node_while_no_manager_answers_is_an_error_that_names_them(world: World, formed: Formed) -> None:
    for name in formed.managers:
        world.daemon(name).up = False
    with pytest.raises(
        FailedError, match=r"m1:22 does not answer .*; m2:22 does not answer .*; m3:22 does not"
    ) as error:
        formed.engine.delete(formed.nodes["w1"])
    assert "no second swarm is made" in str(error.value)


def test_sixty_four_machines_join_at_once_over_one_tunnel_a_machine(world: World, engine: Engine) -> None:
    formed = Formed(engine, managers=3, workers=0)
    names = [f"w{number}" for number in range(1, 65)]
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda name: engine.create("Node", formed.node_inputs(name), name=name), names))
    assert len(world.swarms[0].nodes) == 67


def test_cancel_ends_whoever_waits(world: World, formed: Formed, engine: Engine, session: Session) -> None:
    world.never_ready.add("w2")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(engine.create, "Node", formed.node_inputs("w2"))
        while not any("to be ready" in message for message in engine.log.messages):
            assert not waiting.done(), waiting.exception()
        engine.stub.Cancel(Empty())
        with pytest.raises(FailedError, match="cancelled while waiting"):
            waiting.result(timeout=60)


def test_the_deadline_is_the_one_of_the_request(world: World, formed: Formed, engine: Engine) -> None:
    world.never_ready.add("w2")
    with pytest.raises(FailedError, match=r"not within 0\.1 s"):
        engine.create("Node", formed.node_inputs("w2"), timeout=0.1)


def test_an_import_by_machine_and_managers_shows_no_difference(world: World, formed: Formed, engine: Engine) -> None:
    seen = engine.read(Object(urn("Node"), {}, "ssh://root@w1:22,ssh://root@m2:22"))
    assert seen is not None
    assert (seen.id, seen["clusterId"], seen["role"]) == (formed.nodes["w1"].id, formed.cluster.id, "worker")
    assert isinstance(seen.inputs["joinToken"], Secret)
    assert not engine.diff(seen, formed.node_inputs("w1")).diffs


def test_an_import_by_a_node_id_alone_says_what_to_give(formed: Formed, engine: Engine) -> None:
    with pytest.raises(FailedError, match="import it by its machine and then its managers"):
        engine.read(Object(urn("Node"), {}, "abc123"))
