"""A token that runs through everything appears nowhere but in values that are marked secret."""

from typing import Any

import pytest

from plugins.swarm.errors import without_secrets
from plugins.swarm.values import Secret
from tests.unit.swarm_plugin.client import Engine, FailedError, Object
from tests.unit.swarm_plugin.conftest import Formed
from tests.unit.swarm_plugin.fake_docker import MANAGER_TOKEN, UNLOCK_KEY, WORKER_TOKEN, World

SENTINELS = (WORKER_TOKEN, MANAGER_TOKEN, UNLOCK_KEY)


def bare(value: Any) -> str:
    """All that is not below a mark of a secret."""
    if isinstance(value, Secret):
        return ""
    if isinstance(value, dict):
        return " ".join(f"{key} {bare(item)}" for key, item in value.items())
    return " ".join(map(bare, value)) if isinstance(value, list) else str(value)


def test_tokens_are_only_in_secret_values_and_in_no_message(world: World, engine: Engine) -> None:
    formed = Formed(engine)
    locked = engine.update(formed.cluster, formed.cluster_inputs(autolock=True))
    made: list[Object] = [locked, *formed.nodes.values()]
    made += [seen for one in made if (seen := engine.read(one)) is not None]
    world.refuse_join["w8"] = f"daemon that repeats {WORKER_TOKEN}"
    with pytest.raises(FailedError) as failed:
        engine.create("Node", formed.node_inputs("w8"))
    world.never_ready.add("w9")
    with pytest.raises(FailedError) as late:
        engine.create("Node", formed.node_inputs("w9"), timeout=0.1)
    assert late.value.half_made is not None
    shown = [bare(part) for one in made for part in (one.inputs, one.outputs)]
    shown += [*engine.log.messages, str(failed.value), str(late.value), *late.value.half_made.reasons]
    assert "[secret]" in str(failed.value)
    assert not [text for text in shown for sentinel in SENTINELS if sentinel in text]
    assert locked.outputs["unlockKey"] == Secret(UNLOCK_KEY)


def test_what_looks_like_a_token_is_blotted_out_though_nobody_marked_it() -> None:
    message = "cannot join with SWMTKN-1-2fz4-abc, key SWMKEY-1-a+b/c= and password hunter2"
    assert without_secrets(message, frozenset({"hunter2"})) == (
        "cannot join with [secret], key [secret] and password [secret]"
    )
