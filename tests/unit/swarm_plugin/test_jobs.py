"""One-shot services and the gate in front of services."""

from typing import Any

import pytest

from plugins.swarm.job import service_name, task_template
from plugins.swarm.values import UNKNOWN
from tests.unit.swarm_plugin.client import Engine, FailedError
from tests.unit.swarm_plugin.conftest import Formed
from tests.unit.swarm_plugin.fake_docker import World, connection


def test_a_job_gives_exit_code_and_last_lines_and_stays_until_deleted(
    world: World, formed: Formed, engine: Engine
) -> None:
    job = engine.create("Job", formed.job_inputs(command=["true"], logLines=1), name="seed")
    assert (job["exitCode"], job["logs"], job["state"], job["nodeId"]) == (0, ["second"], "complete", "n1")
    (service,) = world.swarms[0].services.values()
    assert service["Spec"]["Mode"] == {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    engine.delete(job)
    engine.delete(job)
    assert world.swarms[0].services == {}
    assert engine.read(job) is None


def test_results_are_what_a_job_wrote_on_standard_output_however_much_it_complained(
    formed: Formed, engine: Engine
) -> None:
    job = engine.create("Job", formed.job_inputs(logLines=1), name="seed")
    assert (job["logs"], job["output"]) == (["second"], ["first"])
    quiet = engine.create("Job", formed.job_inputs(logLines=0), name="quiet")
    assert (quiet["logs"], quiet["output"]) == ([], [])


def test_an_engine_without_jobs_gets_a_service_that_is_never_restarted(
    world: World, formed: Formed, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.daemon("m1"), "api_version", "1.40")
    engine.create("Job", formed.job_inputs())
    (service,) = world.swarms[0].services.values()
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 1}}
    assert service["Spec"]["TaskTemplate"]["RestartPolicy"] == {"Condition": "none"}


def test_a_failed_job_is_an_error_with_its_lines_and_leaves_nothing(
    world: World, formed: Formed, engine: Engine
) -> None:
    world.job_ends = ("failed", 3)
    with pytest.raises(FailedError, match=r"job seed-\w+ failed \(exit code 3\); its last lines:\nfirst\nsecond"):
        engine.create("Job", formed.job_inputs(), name="seed")
    assert world.swarms[0].services == {}


def test_a_job_that_does_not_end_in_time_is_removed(world: World, formed: Formed, engine: Engine) -> None:
    world.job_ends = ("running", 0)
    with pytest.raises(FailedError, match=r"the job to end \(it is running\): not within 0.1 s"):
        engine.create("Job", formed.job_inputs(), timeout=0.1)
    assert world.swarms[0].services == {}


def test_a_job_that_was_started_before_a_crash_is_found_and_not_run_again(
    world: World, formed: Formed, engine: Engine
) -> None:
    first = engine.create("Job", formed.job_inputs(), name="seed")
    second = engine.create("Job", formed.job_inputs(timeout=9), name="seed")
    assert (first.id, len(world.started)) == (second.id, 1)


def test_whatever_changes_a_job_replaces_it_and_deletes_the_old_one_first(formed: Formed, engine: Engine) -> None:
    job = engine.create("Job", formed.job_inputs(env={"A": "1"}))
    response = engine.diff(job, formed.job_inputs(env={"A": "2"}))
    assert (list(response.detailedDiff), response.deleteBeforeReplace) == (["env.A"], True)
    assert not engine.diff(job, formed.job_inputs(env={"A": "1"}, timeout=1, logLines=5)).diffs


def test_deleting_a_job_of_a_swarm_that_is_gone_succeeds(world: World, formed: Formed, engine: Engine) -> None:
    job = engine.create("Job", formed.job_inputs())
    for name in formed.managers:
        world.daemon(name).swarm = None
    engine.delete(job)


def test_the_name_of_a_job_fits_docker_and_tells_its_content() -> None:
    inputs = {"image": "a", "managers": [1], "timeout": 5}
    name = service_name("ä job/with a very long name " * 4, inputs)
    assert len(name) <= 63
    assert name.replace("-", "").replace("_", "").isalnum()
    assert service_name("x", inputs) == service_name("x", {**inputs, "managers": [2], "timeout": 6})
    assert service_name("x", inputs) != service_name("x", {**inputs, "image": "b"})


def test_a_job_is_written_as_docker_wants_it() -> None:
    template = task_template(
        {
            "image": "tool@sha256:1",
            "command": ["run"],
            "env": {"B": "2", "A": "1"},
            "secrets": [{"secretId": "s1", "secretName": "password", "fileName": "password"}],
            "configs": [{"configId": "c1", "configName": "settings", "fileName": "/etc/settings"}],
            "mounts": [{"type": "tmpfs", "target": "/tmp"}],
            "networks": ["n1"],
            "constraints": ["node.role==worker"],
            "memory": 2**26,
            "cpus": 0.5,
        }
    )
    container = template["ContainerSpec"]
    assert container["Env"] == ["A=1", "B=2"]
    assert container["Secrets"][0]["File"] == {"Name": "password", "UID": "0", "GID": "0", "Mode": 0o444}
    assert container["Configs"][0]["ConfigID"] == "c1"
    assert container["Mounts"] == [{"Type": "tmpfs", "Target": "/tmp", "Source": "", "ReadOnly": False}]
    assert template["Resources"] == {"Limits": {"MemoryBytes": 2**26, "NanoCPUs": 500_000_000}}
    assert (template["Networks"], template["Placement"]) == ([{"Target": "n1"}], {"Constraints": ["node.role==worker"]})


def test_readiness_waits_for_all_nodes_and_then_only_for_new_ones(world: World, formed: Formed, engine: Engine) -> None:
    ids = [node.id for node in formed.nodes.values()]
    ways = {"managers": [connection("m1")], "clusterId": formed.cluster.id}
    gate = engine.create("Readiness", {**ways, "nodeIds": ids})
    assert gate["ready"] == 4
    assert not engine.diff(gate, {**ways, "nodeIds": ids[::-1]}).diffs
    world.daemon("w1").up = False
    extra = engine.create("Node", formed.node_inputs("w2"))
    assert engine.update(gate, {**ways, "nodeIds": [*ids, extra.id]})["ready"] == 5
    with pytest.raises(FailedError, match=f"{ids[3]} is down"):
        engine.create("Readiness", {**ways, "nodeIds": ids}, timeout=0.1)


def test_readiness_counts_workers_that_nobody_named(world: World, engine: Engine) -> None:
    formed = Formed(engine, managers=1, workers=3)
    ways = {"managers": [connection("m1")], "clusterId": formed.cluster.id, "nodeIds": []}
    gate = engine.create("Readiness", {**ways, "readyWorkers": 3})
    assert gate["ready"] == 3
    # Neither a manager counts, nor who is drained, nor who is down.
    for trouble in ({"availability": "drain"}, {"availability": "pause"}):
        formed.update("w1", **trouble)
        with pytest.raises(FailedError, match=r"2 of 3 workers are ready and active\): not within"):
            engine.create("Readiness", {**ways, "readyWorkers": 3}, timeout=0.1)
    formed.update("w1", availability="active")
    world.daemon("w2").up = False
    with pytest.raises(FailedError, match="2 of 3 workers are ready and active"):
        engine.create("Readiness", {**ways, "readyWorkers": 3}, timeout=0.1)
    assert engine.create("Readiness", {**ways, "readyWorkers": 2})["ready"] == 2
    assert engine.create("Readiness", {**ways, "readyWorkers": 0})["ready"] == 0


@pytest.mark.parametrize(
    ("changed", "waits"),
    [
        ({"nodeIds": []}, False),
        ({"readyWorkers": 1}, False),
        ({"readyWorkers": 3}, True),
        ({"triggers": {"group": "b"}}, True),
    ],
)
def test_workers_are_counted_anew_when_their_number_or_a_trigger_changes(
    world: World, engine: Engine, changed: dict[str, Any], waits: bool
) -> None:
    formed = Formed(engine, managers=1, workers=2)
    inputs = {
        "managers": [connection("m1")],
        "clusterId": formed.cluster.id,
        "nodeIds": [formed.nodes["m1"].id],
        "readyWorkers": 2,
        "triggers": {"group": "a"},
    }
    gate = engine.create("Readiness", inputs)
    assert list(engine.diff(gate, {**inputs, **changed}).replaces) == []
    assert list(engine.diff(gate, {**inputs, **changed}).diffs) == list(changed)
    world.daemon("w2").up = False
    if waits:
        with pytest.raises(FailedError, match=r"1 of \d workers are ready and active"):
            engine.update(gate, {**inputs, **changed}, timeout=0.1)
    else:
        engine.update(gate, {**inputs, **changed}, timeout=60)


def test_a_preview_of_readiness_knows_what_it_can(engine: Engine) -> None:
    inputs: dict[str, Any] = {"managers": [connection("m1")], "clusterId": "c", "nodeIds": ["n"], "readyWorkers": 4}
    assert engine.create("Readiness", inputs, preview=True)["ready"] == 4
    assert engine.create("Readiness", {**inputs, "readyWorkers": UNKNOWN}, preview=True).outputs["ready"] is UNKNOWN
    assert engine.create("Readiness", {**inputs, "nodeIds": UNKNOWN}, preview=True).outputs["ready"] is UNKNOWN
