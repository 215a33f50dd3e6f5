"""A recorded program as a graph: resources with their parents and dependencies, and questions that tests ask of it."""

import atexit
import base64
import binascii
import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tests.graph.record import SECRET, SENTINEL, SIGNATURE

PROJECT = Path(__file__).resolve().parent.parent.parent
_DEADLINE_SECONDS = 120
SHARED_FOLDER = "FLOTILLA_TEST_GRAPHS"
"""Variable with the folder of the graphs that the processes of a test run share; `tests/conftest.py` sets it."""


@dataclass(frozen=True)
class Resource:
    """One registration, as the monitor saw it."""

    urn: str
    request: dict[str, Any]

    @property
    def type(self) -> str:
        return self.request["type"]

    @property
    def name(self) -> str:
        return self.request["name"]

    @property
    def custom(self) -> bool:
        return self.request.get("custom", False)

    @property
    def parent(self) -> str:
        return self.request.get("parent", "")

    @property
    def provider(self) -> str:
        return self.request.get("provider", "")

    @property
    def deleted_with(self) -> str:
        return self.request.get("deletedWith", "")

    @property
    def inputs(self) -> dict[str, Any]:
        return self.request.get("object", {})

    @property
    def dependencies(self) -> set[str]:
        """URNs that must exist first, the provider among them."""
        provider = {self.provider.rpartition("::")[0]} if self.provider else set[str]()
        return set(self.request.get("dependencies", [])) | provider


class Graph:
    """All registrations of one run of the program."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.resources = [Resource(item["urn"], item) for item in recorded["requests"]]
        self.outputs: dict[str, dict[str, Any]] = recorded["outputs"]

    @cached_property
    def by_urn(self) -> dict[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    def of_type(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def named(self, name: str) -> Resource:
        (found,) = [resource for resource in self.resources if resource.name == name]
        return found

    def reachable(self, urn: str) -> set[str]:
        """All URNs that the resource waits for, directly or not."""
        seen: set[str] = set()
        waiting = [urn]
        while waiting:
            for dependency in self.by_urn[waiting.pop()].dependencies:
                if dependency not in seen:
                    seen.add(dependency)
                    waiting.append(dependency)
        return seen

    @cached_property
    def edges(self) -> int:
        return sum(len(resource.dependencies) for resource in self.resources)

    @cached_property
    def depth(self) -> int:
        """Length of the longest path of dependencies."""
        depths: dict[str, int] = {}
        # Registrations come after what they depend on, so one pass in order is enough.
        for resource in self.resources:
            depths[resource.urn] = 1 + max((depths[urn] for urn in resource.dependencies), default=0)
        return max(depths.values())


class RecorderServer:
    """A recording process, started at its first order and started anew after a failure."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = Path(tempfile.mkdtemp(prefix="recorder-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[str] | None = None

    def record(self, order: dict[str, Any]) -> str:
        """The answer to an order, as text and within the deadline."""
        answer = self._folder / "answer.json"
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**order, "answer": str(answer)}) + "\n")
        process.stdin.flush()
        ready = select.select([process.stdout], [], [], _DEADLINE_SECONDS)[0]
        code = process.stdout.readline().strip() if ready else "no answer in time"
        if code != "0":
            self.close()
            raise AssertionError(f"{code}\n{self._errors.read_text()}")
        return answer.read_text()

    def close(self) -> None:
        """End the process, and the fork that does not answer too."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _start(self) -> "subprocess.Popen[str]":
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.graph.record", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=PROJECT,
                env={**os.environ, "PULUMI_ERROR_OUTPUT_STRING": "1", **self._environment},
                start_new_session=True,
            )
        return self._process

    @property
    def _errors(self) -> Path:
        return self._folder / "errors"


@cache
def _server() -> RecorderServer:
    return RecorderServer({})


def record(settings: dict[str, Any], mode: str, earlier: Graph | None = None) -> Graph:
    """Run the program in a process of its own; `mode` is `applied` or `preview`, `earlier` the update before.

    The process is a fork of one that has imported everything. The same order of any test of the run is recorded once,
    and each gets a graph of its own made of the answer.
    """
    order = json.dumps({"settings": settings, "mode": mode, "earlier": earlier.outputs if earlier else {}})
    answer = Path(os.environ[SHARED_FOLDER]) / f"{hashlib.sha256(order.encode()).hexdigest()}.json"
    with answer.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            recorded = _server().record(json.loads(order))
            answer.write_text(recorded)
    return Graph(json.loads(answer.read_text()))


def record_in(environment: Mapping[str, str], mode: str, *settings: dict[str, Any]) -> list[Graph]:
    """Run the program for each of the settings, under a fresh interpreter that has these variables."""
    server = RecorderServer(environment)
    try:
        return [Graph(json.loads(server.record({"settings": one, "mode": mode, "earlier": {}}))) for one in settings]
    finally:
        server.close()


def plain_texts(value: Any) -> Iterator[str]:
    """Every text in a value on the wire that is outside of a secret, and what it says when it is base64."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return
        for key, item in value.items():
            yield key
            yield from plain_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from plain_texts(item)
    elif isinstance(value, str):
        yield value
        try:
            yield base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return


def leaks(value: Any) -> list[str]:
    """Texts outside of secrets that hold a sentinel."""
    return [text for text in plain_texts(value) if SENTINEL in text]
