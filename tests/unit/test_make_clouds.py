"""`make` for a cloud that rents machines: previews need neither Docker nor an account, updates say what they need."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.project_copy import PROJECT, Place, copy_project

pytestmark = pytest.mark.slow

# What a machine has that is no developer's: make, a shell, ssh-keygen, and Python by the project's own environment.
TOOLS = (
    "make",
    "sh",
    "sed",
    "ssh-keygen",
    "touch",
    "env",
    "dirname",
    "readlink",
    "cat",
    "pwd",
    "awk",
    "uname",
    "mkdir",
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A copy of the project on a computer without Docker, the Pulumi CLI and an account."""
    place = copy_project(tmp_path / "project", "aws", PROJECT / "Pulumi.aws.yaml")
    shutil.copy2(PROJECT / "requirements.txt", place.folder / "requirements.txt")
    # Newer than the copy of what it is made from, so that make finds nothing to install.
    os.utime(place.folder / "requirements.txt", (0, 0))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tools / tool).symlink_to(found)
    place.environment = {"PATH": str(tools), "HOME": str(tmp_path)}
    return place


def test_a_preview_of_aws_needs_no_docker_no_plugin_and_no_account(place: Place) -> None:
    done = place.run("make", "preview", "STACK=aws", "JSON=1")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert document["changeSummary"] == {"create": len(document["steps"])}
    assert len(document["steps"]) > 150
    assert not (place.folder / ".flotilla" / "images.json").exists()


def test_an_update_of_aws_without_the_pulumi_cli_is_refused_in_one_line(place: Place) -> None:
    done = place.run("make", "up", "STACK=aws")
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("error:")] == [
        "error: stack aws is on cloud aws, which only the Pulumi CLI can change: install it "
        "(https://www.pulumi.com/docs/install/); without it, `make preview STACK=aws` shows what it would do"
    ]


def test_an_update_of_aws_without_credentials_names_what_to_set(place: Place) -> None:
    done = place.run("make", "up", "STACK=aws", "ENGINE=pulumi")
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("error:")] == [
        "error: AWS credentials are missing: set AWS_PROFILE (and log in: `aws sso login`), or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY"
    ]


def test_the_cost_of_a_stack_needs_no_account(place: Place) -> None:
    done = place.run("make", "cost", "STACK=aws")
    assert done.returncode == 0, done.stderr
    assert "workers" in done.stdout


def test_a_stack_that_was_only_previewed_goes_away_without_a_trace(place: Place) -> None:
    before = (place.folder / "Pulumi.aws.yaml").read_text()
    assert place.run("make", "preview", "STACK=aws", "JSON=1").returncode == 0
    down = place.run("make", "down", "STACK=aws")
    assert down.returncode == 0, down.stdout + down.stderr
    assert (place.folder / "Pulumi.aws.yaml").read_text() == before
    assert not (place.folder / ".flotilla" / "passphrase").exists()
    assert not (place.folder / ".flotilla" / "state").exists()
