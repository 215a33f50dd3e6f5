"""`make` learns from the stack file which images to build."""

import subprocess
import sys
from pathlib import Path

from tests.project_copy import PROJECT


def said(stack: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "stacks.images", "--stack", stack]
    return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_dev_is_not_asked_to_build_what_other_stacks_run() -> None:
    assert said("dev").stdout == "haproxy,mariadb,nginx,wordpress\n"
    assert said("spark").stdout == "haproxy,spark\n"
    assert said("registry").stdout == "haproxy,registry-service\n"


def test_a_stack_that_there_is_not_is_one_line_and_builds_nothing() -> None:
    done = said("none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: STACK is 'none': there is no Pulumi.none.yaml; use one of all, aws, dev, ")
    assert done.stderr.count("\n") == 1


def test_make_stops_where_the_names_cannot_be_told(tmp_path: Path) -> None:
    """A failed command inside another one's words would build every image there is."""
    recipe = (PROJECT / "Makefile").read_text().partition("\nimages:")[2].partition("\n\n")[0]
    command = recipe.partition("@")[2].replace("$$", "$").replace("$(PY) -m stacks.images", "false")
    command = command.replace("$(PY) -m images.build", f"touch {tmp_path}/built #").replace("$(STACK)", "x")
    done = subprocess.run(["sh", "-c", command], check=False)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
