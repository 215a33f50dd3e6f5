"""What a refresh counts as a change."""

import pytest

from hermetic.display import refresh_result
from hermetic.events import Step
from hermetic.state import ResourceState
from hermetic.steps import Op

URN = "urn:pulumi:dev::p::docker:index/volume:Volume::v"


def state(**inputs: object) -> ResourceState:
    return ResourceState(urn=URN, type="docker:index/volume:Volume", custom=True, id="v", inputs=dict(inputs))


@pytest.mark.parametrize(
    ("read", "result"),
    [
        (state(name="v", labels=[{"label": "a"}]), "same"),
        (state(name="v", labels=[{"label": "b"}]), "update"),
        (None, "delete"),
    ],
)
def test_notes_of_a_bridged_plugin_are_no_change(read: ResourceState | None, result: str) -> None:
    stored = state(name="v", labels=[{"label": "a", "__defaults": []}], __defaults=[])
    assert refresh_result(Step(op=Op.REFRESH, urn=URN, old=stored, new=read)) == result
