"""Members that are let in and let go by errands of their own."""

from typing import Any

import pytest

from tests.unit.swarm_plugin.client import Engine, FailedError
from tests.unit.swarm_plugin.conftest import Formed
from tests.unit.swarm_plugin.fake_docker import World


def inputs(formed: Formed, **changed: Any) -> dict[str, Any]:
    words = {"member": "node-4", "admit": ["admit", "node-4"], "release": ["retire", "node-4"]}
    return formed.job_inputs(**words, **changed)


def test_one_errand_runs_at_creation_and_another_before_deletion_and_neither_stays(
    world: World, formed: Formed, engine: Engine
) -> None:
    admission = engine.create("Admission", inputs(formed), name="m")
    assert admission.id == f"{formed.cluster.id}/node-4"
    engine.delete(admission)
    assert [name.rpartition("-")[0] for name in world.started] == ["m-admit", "m-release"]
    assert world.errands == [["admit", "node-4"], ["retire", "node-4"]]
    assert world.swarms[0].services == {}


def test_a_member_that_may_not_go_stays_with_the_errands_own_words(
    world: World, formed: Formed, engine: Engine
) -> None:
    admission = engine.create("Admission", inputs(formed), name="m")
    world.job_ends = ("failed", 1)
    with pytest.raises(FailedError, match=r"job m-release-\w+ failed \(exit code 1\); its last lines:\nfirst\nsecond"):
        engine.delete(admission)
    world.job_ends = ("complete", 0)
    engine.delete(admission)
    assert [name.split("-")[1] for name in world.started] == ["admit", "release", "release"]


def test_a_change_runs_nothing_and_counts_for_the_next_errand(world: World, formed: Formed, engine: Engine) -> None:
    """Else a new image would let every member of a cluster go at once."""
    admission = engine.create("Admission", inputs(formed), name="m")
    changed = inputs(formed, image="tool:2", env={"A": "1"})
    response = engine.diff(admission, changed)
    assert (sorted(response.diffs), list(response.replaces)) == (["env", "image"], [])
    assert not engine.diff(admission, inputs(formed, after=["x"], timeout=9)).diffs
    engine.update(admission, changed)
    assert len(world.started) == 1


def test_a_member_of_a_swarm_that_is_gone_needs_no_errand(world: World, formed: Formed, engine: Engine) -> None:
    admission = engine.create("Admission", inputs(formed), name="m")
    for name in formed.managers:
        world.daemon(name).swarm = None
    engine.delete(admission)
    assert len(world.started) == 1
