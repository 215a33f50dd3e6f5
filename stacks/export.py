"""The services of a running stack as a file for `docker stack deploy`, so that nobody is kept here: what the engine's
state records is written, with secrets and configs as references to those in the swarm, never their content."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from components.services.compose.model import ComposeError, Reading
from components.services.compose.read import read_compose
from components.services.compose.recorded import recorded_file
from components.services.compose.write import deployable, write_compose
from stacks.load import PROJECT_FOLDER
from stacks.outputs import StackError

_SERVICE = "docker:index/service:Service"
_NETWORK = "docker:index/network:Network"
_JOB = "swarm:index:Job"
_ADMISSION = "swarm:index:Admission"
_UNSAID = {
    _JOB: "a job, which no Compose file can say",
    _ADMISSION: "errands of a member, which no Compose file can say",
}


def main() -> int:
    """The file on standard output, and on standard error what it cannot say."""
    parser = argparse.ArgumentParser(prog="stacks.export", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    arguments = parser.parse_args()
    try:
        text, notes = export(read_state(arguments.engine, arguments.stack), arguments.stack)
    except (StackError, ComposeError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for note in notes:
        print(f"note: {note}", file=sys.stderr)  # noqa: T201
    sys.stdout.write(text)
    return 0


def read_state(engine: str, stack: str) -> dict[str, Any]:
    """The stack's state, with secrets as the engine encrypted them."""
    words = [engine, "stack", "export", "--stack", stack]
    done = subprocess.run(words, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError((done.stderr or done.stdout).strip().removeprefix("error: "))
    return json.loads(done.stdout)


def export(state: Mapping[str, Any], stack: str) -> tuple[str, tuple[str, ...]]:
    """The file's text and notes on what is not in it; StackError for a stack without services."""
    resources: list[dict[str, Any]] = (state.get("deployment") or {}).get("resources") or []
    reading = services_of(resources)
    if not reading.file.services:
        raise StackError(f"stack {stack} has no services; run `make up STACK={stack}` first")
    file, lost = deployable(reading.file)
    text = write_compose(file)
    # What is written has to be what is read: a file that nobody can take back is no way out.
    if read_compose(text).file != file:
        raise AssertionError("the exported file is read as something else")
    jobs = [
        f"{resource['urn'].rpartition('::')[2]}: {_UNSAID[resource['type']]}"
        for resource in resources
        if resource.get("type") in _UNSAID
    ]
    return _header(stack) + text, (*reading.notes, *lost, *jobs)


def services_of(resources: list[dict[str, Any]]) -> Reading:
    """The services among the resources of a state."""
    live = [resource for resource in resources if not resource.get("delete")]
    networks = {r["id"]: r["inputs"] for r in live if r.get("type") == _NETWORK and r.get("id")}
    return recorded_file([r["inputs"] for r in live if r.get("type") == _SERVICE], networks)


def _header(stack: str) -> str:
    return (
        f"# The services of stack {stack}. On a manager: docker stack deploy -c FILE NAME\n"
        "# Secrets and configs are those that the swarm has now; volumes and images are named as they are.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
