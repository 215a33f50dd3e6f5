"""The docker stand-in answers Check, previews and Diff as the real plugin did when it was recorded."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hermetic.providers.docker.package import docker_package
from hermetic.providers.plan import planned_state, settled_state
from hermetic.providers.shapes import resource_shape
from hermetic.values import strip_secrets

if TYPE_CHECKING:
    from tests.unit.providers.conftest import Provider, Start

VECTORS = Path(__file__).parents[2] / "conformance" / "suite" / "docker_plugin" / "vectors.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())
CREATED = [case for case in CASES if not case["failures"]]
NOISE = ("taskSpec.containerSpec.sysctl", "taskSpec.containerSpec.env")  # the real plugin adds these to every update


def case_id(case: dict[str, Any]) -> str:
    return f"{case['type'].rpartition(':')[2]}-{case['name']}"


def variations() -> Iterator[Any]:
    for case in CREATED:
        for index, variation in enumerate(case["variations"]):
            yield pytest.param(case, variation, id=f"{case_id(case)}-{index}-{'+'.join(variation['set'])}")


@pytest.fixture(name="docker")
def docker_fixture(provider: Start) -> Provider:
    return provider("docker", disableDockerDaemonCheck=True)


def without_name(values: dict[str, Any]) -> dict[str, Any]:
    """A name that was made up differs by right."""
    return {key: value for key, value in values.items() if key != "name" or "name" not in values["__defaults"]}


def key_paths(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path}.union(*(key_paths(part, f"{path}.{key}") for key, part in value.items()))
    return {path}.union(*(key_paths(part, f"{path}[]") for part in value)) if isinstance(value, list) else {path}


def expected(diff: dict[str, Any]) -> dict[str, Any]:
    detailed = {path: kind for path, kind in diff["detailedDiff"].items() if path not in NOISE}
    return diff | {"replaces": sorted(set(diff["replaces"])), "detailedDiff": detailed}


def changed(inputs: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    news = copy.deepcopy(inputs)
    for path, value in changes.items():
        holder: Any = news
        keys = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys[:-1]:
            holder = holder[key]
        if value is None:
            holder.pop(keys[-1], None)
        else:
            holder[keys[-1]] = value
    return news


def test_the_recorded_suite_is_whole() -> None:
    assert len(CASES) == 24
    assert len(list(variations())) == 69


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_defaults_names_and_refusals_are_the_plugins_own(docker: Provider, case: dict[str, Any]) -> None:
    checked, failures = docker.check(case["type"], case["name"], case["inputs"])
    assert failures == case["failures"]
    assert without_name(checked) == without_name(case["checked"])


@pytest.mark.parametrize("case", CREATED, ids=case_id)
def test_a_preview_shows_what_the_plugin_shows(docker: Provider, case: dict[str, Any]) -> None:
    identity, preview = docker.create(case["type"], case["name"], case["checked"], preview=True)
    assert identity == ""
    assert preview == case["preview"]


@pytest.mark.parametrize("case", CREATED, ids=case_id)
def test_the_state_after_create_is_what_was_read_settled_with_the_plan(case: dict[str, Any]) -> None:
    rules, _ = docker_package().resources[case["type"]]
    outputs = resource_shape(case["type"]).outputs
    planned = planned_state(rules, outputs, strip_secrets(case["checked"]))
    settled = settled_state(rules, outputs, planned, strip_secrets(case["read"]["properties"]))
    assert settled | {"id": case["id"]} == strip_secrets(case["created"])


@pytest.mark.parametrize("case", CREATED, ids=case_id)
@pytest.mark.parametrize("state", ["created", "read"])
def test_nothing_changed_is_no_difference(docker: Provider, case: dict[str, Any], state: str) -> None:
    olds = case["created"] if state == "created" else case["read"]["properties"]
    checked, _ = docker.check(case["type"], case["name"], case["inputs"], case["checked"])
    assert docker.diff(case["type"], case["name"], olds, checked, case["id"]) == case["same"]


@pytest.mark.parametrize(("case", "variation"), list(variations()))
def test_a_change_is_answered_as_by_the_plugin(
    docker: Provider, case: dict[str, Any], variation: dict[str, Any]
) -> None:
    news = changed(case["inputs"], variation["set"])
    checked, failures = docker.check(case["type"], case["name"], news, case["checked"])
    assert failures == variation.get("failures", [])
    if not failures:
        found = docker.diff(case["type"], case["name"], case["created"], checked, case["id"])
        assert found == expected(variation["diff"])
