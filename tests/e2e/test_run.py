"""What is around a run of these tests does not change it: what an earlier run left, and what `make test` was told."""

from pathlib import Path

import docker
import pytest

from images.recipe import recipes
from tests.e2e.platform import PREFIX, Platform, leftovers, standing

pytestmark = pytest.mark.e2e

SETTINGS = {"cloud": "local", "network": {"machines": "10.61.0.0/24"}}


def test_what_a_killed_run_left_is_gone_when_a_platform_begins(tmp_path: Path) -> None:
    client = docker.from_env()
    name = f"{PREFIX}-left"
    client.networks.create(name)
    client.volumes.create(name)
    client.containers.run(
        recipes()["base"].reference,
        ["sleep", "1000"],
        name=name,
        network=name,
        volumes={name: {"bind": "/left", "mode": "rw"}},
        detach=True,
    )
    assert leftovers() == [name, name, name]
    with standing(tmp_path / "project", SETTINGS):
        assert leftovers() == []


def test_a_platform_that_a_living_run_has_is_not_touched(tmp_path: Path) -> None:
    with standing(tmp_path / "first", SETTINGS):
        volume = docker.from_env().volumes.create(f"{PREFIX}-alive")
        with pytest.raises(AssertionError, match="another run of these tests has the stack e2e"):
            standing(tmp_path / "second", SETTINGS).__enter__()
        assert leftovers() == [f"{PREFIX}-alive"]
        volume.remove()


def test_what_make_test_was_told_is_not_told_to_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=--durations=80")
    commands = Platform(tmp_path / "project", SETTINGS).make("preview", "--dry-run").stdout
    assert "bin/hermetic preview" in commands
    assert "--durations" not in commands
