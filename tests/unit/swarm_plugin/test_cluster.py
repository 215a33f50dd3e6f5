"""The swarm itself: found, initialised once, changed in place, dissolved."""

import pytest

from plugins.swarm.cluster import go_duration
from plugins.swarm.values import UNKNOWN, Secret
from tests.unit.swarm_plugin.client import Engine, FailedError, Object, urn
from tests.unit.swarm_plugin.conftest import Formed
from tests.unit.swarm_plugin.fake_docker import MANAGER_TOKEN, UNLOCK_KEY, WORKER_TOKEN, World, connection


def test_a_new_cluster_gives_id_endpoint_and_secret_tokens(formed: Formed) -> None:
    outputs = formed.cluster.outputs
    assert (formed.cluster.id, outputs["clusterId"], outputs["endpoint"]) == ("swarm-1", "swarm-1", "ssh://root@m1:22")
    assert outputs["endpointHostKey"] == "ssh-ed25519 AAAAm1"
    assert [outputs[name] for name in ("workerToken", "managerToken")] == [Secret(WORKER_TOKEN), Secret(MANAGER_TOKEN)]


def test_a_preview_of_a_cluster_initialises_nothing(world: World, engine: Engine) -> None:
    inputs = {"connection": connection("m1"), "managers": [connection("m1")], "advertiseAddress": "m1"}
    foreseen = engine.create("Cluster", inputs, preview=True)
    assert foreseen.outputs["clusterId"] is UNKNOWN
    assert isinstance(foreseen.outputs["workerToken"], Secret)
    assert world.swarms == []


def test_a_swarm_that_exists_on_any_manager_is_adopted(world: World, formed: Formed, engine: Engine) -> None:
    again = engine.create("Cluster", formed.cluster_inputs(connection=connection("m3")))
    assert again.id == formed.cluster.id
    assert len(world.swarms) == 1


def test_nothing_is_initialised_while_a_manager_is_silent(world: World, engine: Engine) -> None:
    world.daemon("m2").up = False
    ways = [connection(name) for name in ("m1", "m2")]
    inputs = {"connection": ways[0], "managers": ways, "advertiseAddress": "m1"}
    with pytest.raises(FailedError, match=r"m1:22 is in no swarm; m2:22 does not answer .*No swarm is initialised"):
        engine.create("Cluster", inputs)
    assert world.swarms == []


def test_managers_of_two_swarms_are_refused(world: World, engine: Engine) -> None:
    world.daemon("m1").init_swarm()
    world.daemon("m2").init_swarm()
    ways = [connection(name) for name in ("m1", "m2")]
    with pytest.raises(FailedError, match="managers are in 2 swarms: m1:22 is a manager of swarm swarm-1; m2:22 is a"):
        engine.create("Cluster", {"connection": ways[0], "managers": ways, "advertiseAddress": "m1"})


def test_an_adopted_swarm_of_another_birth_is_refused(world: World, formed: Formed, engine: Engine) -> None:
    with pytest.raises(FailedError, match="dataPathPort is 7789 but the swarm swarm-1 that exists was made with 4789"):
        engine.create("Cluster", formed.cluster_inputs(dataPathPort=7789))


def test_a_cluster_of_the_state_is_never_initialised_again(world: World, formed: Formed, engine: Engine) -> None:
    for name in formed.managers:
        world.daemon(name).swarm = None
    with pytest.raises(FailedError, match="no manager answers for swarm swarm-1: m1:22 is in no swarm; m2:22 is in no"):
        engine.update(formed.cluster, formed.cluster_inputs(taskHistoryLimit=1))
    assert len(world.swarms) == 1


def test_settings_change_in_place_though_others_change_them_too(world: World, formed: Formed, engine: Engine) -> None:
    world.daemon("m1").hiccups = 2
    inputs = formed.cluster_inputs(autolock=True, certificateExpiry="1h30m", taskHistoryLimit=0, snapshotInterval=5)
    changed = engine.update(formed.cluster, inputs)
    assert world.swarms[0].spec == {
        "Orchestration": {"TaskHistoryRetentionLimit": 0},
        "Raft": {"SnapshotInterval": 5},
        "CAConfig": {"NodeCertExpiry": 5400 * 10**9},
        "EncryptionConfig": {"AutoLockManagers": True},
    }
    assert changed.outputs["unlockKey"] == Secret(UNLOCK_KEY)
    seen = engine.read(changed)
    assert seen is not None
    assert not engine.diff(seen, inputs).diffs


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"advertiseAddress": "m2"}, "advertiseAddress is m2 but the swarm was made with m1"),
        ({"dataPathPort": 7789}, "dataPathPort is 7789 but the swarm was made with 4789"),
        ({"subnetSize": 26}, "subnetSize is 26 but the swarm was made with 24"),
        (
            {"defaultAddressPools": ["10.9.0.0/16"]},
            "defaultAddressPools is 10.9.0.0/16 but the swarm was made with 10.0.0.0/8",
        ),
    ],
)
def test_what_is_fixed_at_birth_is_refused_in_the_check(
    formed: Formed, engine: Engine, changed: dict[str, object], message: str
) -> None:
    (failure,) = engine.failures("Cluster", formed.cluster_inputs(**changed), formed.cluster.inputs)
    assert failure.startswith(message)
    assert "make it anew" in failure


def test_defaults_that_are_written_down_later_are_no_change(formed: Formed, engine: Engine) -> None:
    inputs = formed.cluster_inputs(dataPathPort=4789, subnetSize=24, defaultAddressPools=["10.0.0.0/8"])
    assert engine.failures("Cluster", inputs, formed.cluster.inputs) == []


def test_connections_are_a_difference_only_when_the_endpoint_is_no_longer_among_them(
    formed: Formed, engine: Engine
) -> None:
    fewer = formed.cluster_inputs(managers=[connection("m1"), connection("m9")])
    assert not engine.diff(formed.cluster, fewer).diffs
    others = formed.cluster_inputs(connection=connection("m2"), managers=[connection("m2"), connection("m3")])
    response = engine.diff(formed.cluster, others)
    assert (list(response.diffs), list(response.replaces)) == (["managers"], [])
    foreseen = engine.update(formed.cluster, others, preview=True)
    assert (foreseen.outputs["endpoint"], foreseen["clusterId"]) == (UNKNOWN, "swarm-1")
    assert engine.update(formed.cluster, others)["endpoint"] == "ssh://root@m2:22"


def test_managers_that_joined_are_no_change_of_the_cluster(world: World, formed: Formed, engine: Engine) -> None:
    seen = engine.read(formed.cluster)
    assert seen is not None
    assert seen.outputs == formed.cluster.outputs
    assert seen["managerAddresses"] == ["m1:2377"]


def test_an_address_that_is_no_managers_any_more_is_forgotten(world: World, formed: Formed, engine: Engine) -> None:
    formed.cluster.outputs["managerAddresses"] = ["m9:2377"]
    seen = engine.read(formed.cluster)
    assert seen is not None
    assert seen["managerAddresses"] == ["m1:2377", "m2:2377", "m3:2377"]


def test_a_refresh_moves_the_endpoint_to_a_living_manager(world: World, formed: Formed, engine: Engine) -> None:
    world.daemon("m1").up = False
    seen = engine.read(formed.cluster)
    assert seen is not None
    assert seen["endpoint"] == "ssh://root@m2:22"


def test_a_cluster_is_gone_only_when_all_managers_say_so(world: World, formed: Formed, engine: Engine) -> None:
    for name in ("m1", "m2"):
        world.daemon(name).swarm = None
    world.daemon("m3").up = False
    with pytest.raises(FailedError, match="m3:22 does not answer"):
        engine.read(formed.cluster)
    world.daemon("m3").up, world.daemon("m3").swarm = True, None
    assert engine.read(formed.cluster) is None


def test_a_deleted_cluster_leaves_all_managers_and_tells_who_stays(
    world: World, formed: Formed, engine: Engine
) -> None:
    world.daemon("m3").up = False
    engine.delete(formed.cluster)
    assert [world.daemon(name).swarm for name in ("m1", "m2")] == [None, None]
    assert any("w1 stay behind" in message for message in engine.log.messages)


def test_a_cluster_whose_managers_are_all_silent_is_not_called_deleted(world: World, formed: Formed) -> None:
    for name in formed.managers:
        world.daemon(name).up = False
    with pytest.raises(FailedError, match="swarm swarm-1 is not dissolved"):
        formed.engine.delete(formed.cluster)


def test_a_cluster_is_imported_by_its_managers(formed: Formed, engine: Engine) -> None:
    seen = engine.read(Object(urn("Cluster"), {}, "ssh://root@m2:22,ssh://root@m3:22"))
    assert seen is not None
    assert (seen.id, seen["endpoint"]) == (formed.cluster.id, "ssh://root@m2:22")
    assert isinstance(seen.outputs["managerToken"], Secret)


def test_an_import_by_the_cluster_id_alone_says_what_to_give(engine: Engine) -> None:
    with pytest.raises(FailedError, match="import it by its managers, ssh://user@address:port"):
        engine.read(Object(urn("Cluster"), {}, "swarm-1"))


@pytest.mark.parametrize(("seconds", "text"), [(7776000, "2160h"), (5400, "1h30m"), (61, "1m1s"), (0, "0s")])
def test_durations_are_written_as_docker_does(seconds: int, text: str) -> None:
    assert go_duration(seconds * 10**9) == text
