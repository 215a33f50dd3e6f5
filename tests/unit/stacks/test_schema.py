"""The JSON schema of the stack files is the one that the settings give, and the stack files keep to it."""

import json
from pathlib import Path

import pytest
import yaml

from stacks.load import parse_settings
from stacks.plan import make_plan
from stacks.schema import stack_file_schema

PROJECT = Path(__file__).resolve().parents[3]
STACK_FILES = sorted(PROJECT.glob("Pulumi.*.yaml"))


def test_the_schema_is_current() -> None:
    written = json.loads((PROJECT / "stacks" / "settings.schema.json").read_text())
    assert written == stack_file_schema(), "run `make schema`"


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_a_stack_file_names_the_schema_and_its_settings_are_a_plan(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=stacks/settings.schema.json\n")
    config = yaml.safe_load(text)["config"]
    assert config["pulumi:disable-default-providers"] == ["*"]
    settings = {key.removeprefix("flotilla:"): value for key, value in config.items() if key.startswith("flotilla:")}
    assert make_plan("dev", parse_settings(settings)).specs


def test_there_is_a_stack_file_for_the_local_cloud() -> None:
    assert "Pulumi.dev.yaml" in [path.name for path in STACK_FILES]
