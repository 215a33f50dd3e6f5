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
        "openstack",
        {"network": {"machines": "10.60.0.0/26"}, "workers": {"count": 6}},
        "network.machines is '10.60.0.0/26': worker-6 has 10.60.0.56, and the addresses from 10.60.0.56 on are for "
        "OpenStack's own ports; use a larger network or fewer nodes",
    ),
]


@pytest.mark.parametrize(("cloud", "settings", "message"), CASES, ids=[case[0] for case in CASES])
def test_a_refusal_of_a_component_is_a_line_and_no_traceback_of_the_plan(
    cloud: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        record({**CLOUDS[cloud], **settings}, "preview")
    assert f"stacks.errors.SettingsError: {message}" in str(failed.value)
