"""Every stack file that the project brings: its settings are valid, its graph holds, and a preview shows it whole, on a
machine without an account, a plugin or a registry."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stacks.load import PROJECT_FOLDER, parse_settings
from stacks.plan import built_images, make_plan
from stacks.schema import stack_file_schema
from tests.graph.graph import Graph, record
from tests.project_copy import HERMETIC, KEY, Place, copy_project

FILES = {
    **{path.stem.removeprefix("Pulumi."): path for path in sorted(PROJECT_FOLDER.glob("Pulumi.*.yaml"))},
    **{path.stem: path for path in sorted((PROJECT_FOLDER / "examples").glob("*.yaml"))},
}
NODES = {
    "dev": (3, 2),
    "aws": (3, 6),
    "openstack": (3, 6),
    "spark": (1, 3),
    "all": (1, 4),
    "hadoop": (1, 5),
    "registry": (1, 2),
    "ui": (1, 2),
    "mvc": (1, 3),
    "monitoring": (3, 2),
    "minimal": (1, 3),
    "three-nodes": (1, 2),
    "five-nodes": (1, 4),
    "thirteen-nodes": (3, 10),
    "book-lab": (3, 6),
    "hundred-workers": (3, 100),
    "worker-pool": (3, 0),
    "compose-blog": (1, 2),
    "compose-metrics": (1, 1),
    "compose-series": (1, 1),
}
"""Managers and workers that are machines of the plan."""

every_file = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.xdist_group(f"example {name}")]) for name in FILES]
)


@cache
def settings(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(FILES[name].read_text())["config"]
    return {key.removeprefix("flotilla:"): value for key, value in config.items() if key.startswith("flotilla:")}


@cache
def graph(name: str, mode: str) -> Graph:
    return record(settings(name), mode)


def test_every_stack_file_is_counted_here() -> None:
    assert set(FILES) == set(NODES)


@every_file
def test_editors_find_nothing_wrong_with_a_stack_file(name: str) -> None:
    jsonschema.validate(yaml.safe_load(FILES[name].read_text()), stack_file_schema())
    first = FILES[name].read_text().splitlines()[0]
    schema = (FILES[name].parent / first.partition("$schema=")[2]).resolve()
    assert schema == PROJECT_FOLDER / "stacks" / "settings.schema.json"


@every_file
def test_a_stack_file_is_a_plan_with_the_machines_that_it_promises(name: str) -> None:
    roles = [spec.role for spec in make_plan(name, parse_settings(settings(name))).specs]
    assert (roles.count("manager"), roles.count("worker")) == NODES[name]


@pytest.mark.slow
@every_file
def test_a_stack_file_registers_the_same_in_a_first_preview_as_in_an_update(name: str) -> None:
    assert {r.urn for r in graph(name, "preview").resources} == {r.urn for r in graph(name, "applied").resources}


def prepared(folder: Path, name: str) -> Place:
    """A copy of the project with the stack, and with what `make` writes before a preview."""
    place = copy_project(folder, name, FILES[name])
    work = folder / ".flotilla"
    work.mkdir()
    (work / "id_ed25519.pub").write_text(KEY)
    if settings(name)["cloud"] == "local":
        (work / "host.json").write_text('{"capabilities": [], "architecture": "amd64"}')
        write_images(place, name)
    return place


def write_images(place: Place, name: str) -> None:
    """What `make images` writes for the stack."""
    services = {image: {"digest": "sha256:" + "0" * 64} for image in built_images(parse_settings(settings(name)))}
    built = {"machine": "machine:1", "registry": "registry:1", "haproxy": "haproxy:1", "services": services}
    (place.folder / ".flotilla" / "images.json").write_text(json.dumps({"sets": {"own": built}}))


@pytest.mark.slow
@every_file
def test_a_preview_shows_a_stack_file_whole_and_changes_nothing(name: str, tmp_path: Path) -> None:
    place = prepared(tmp_path, name)
    done = place.run(HERMETIC, "preview", "--stack", name, "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    document = json.loads(done.stdout)
    planned = {step["urn"].rpartition("::")[2] for step in document["steps"]}
    expected = {resource.urn.rpartition("::")[2] for resource in graph(name, "preview").resources}
    # The stack itself is named after the file, and after `dev` in the recorded graph.
    assert {own for own in planned ^ expected if not own.startswith("flotilla-")} == set()
    assert {step["op"] for step in document["steps"]} == {"create"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aws", "openstack"])
def test_an_update_without_the_plugin_is_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    place = prepared(tmp_path, name)
    write_images(place, name)
    done = place.run(HERMETIC, "up", "--stack", name, "--yes", "--skip-preview")
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "install the Pulumi CLI" in line]
    assert said
    assert re.search(rf"can preview stack {name}", said[0])
    exported = place.run(HERMETIC, "stack", "export", "--stack", name)
    resources = json.loads(exported.stdout)["deployment"].get("resources", [])
    assert [resource["urn"] for resource in resources if resource["type"] != "pulumi:pulumi:Stack"] == []
