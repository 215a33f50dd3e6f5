"""What only a component can know to be wrong is told by the whole program as one line, like any other wrong setting."""

from typing import Any

import pytest

from tests.graph.graph import record
from tests.graph.test_invariants import CLOUDS

CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "aws",
        {"aws": {"tags": {"aws:owner": "me"}}},
        "aws.tags is 'aws:owner': not a tag for you to set; use another key",
    ),
    (
        "aws",
        {"aws": {"tags": {f"team-{number}": "platform" for number in range(49)}}},
        "aws.tags is '49 tags': more than EC2 takes; use at most 48",
    ),
]


@pytest.mark.parametrize(("cloud", "settings", "message"), CASES, ids=[case[2][:30] for case in CASES])
def test_a_refusal_of_a_component_is_a_line_and_no_traceback_of_the_plan(
    cloud: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        record({**CLOUDS[cloud], **settings}, "preview")
    assert f"stacks.errors.SettingsError: {message}" in str(failed.value)
