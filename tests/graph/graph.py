"""A recorded program as a graph: resources with their parents and dependencies, and questions that tests ask of it."""

import atexit
import base64
import binascii
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tests.graph.record import SECRET, SENTINEL, SIGNATURE

PROJECT = Path(__file__).resolve().parent.parent.parent
_DEADLINE_SECONDS = 120


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
    """The recording process of this test process, started at the first graph and started anew after a failure."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="graphs-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[str] | None = None

    def record(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to an order, within the deadline."""
        answer = self._folder / "answer.json"
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**order, "answer": str(answer)}) + "\n")
        process.stdin.flush()
        ready = select.select([process.stdout], [], [], _DEADLINE_SECONDS)[0]
        code = process.stdout.readline().strip() if ready else "no answer in time"
        if code != "0":
            self._process = None
            # The fork that does not answer too.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"{code}\n{self._errors.read_text()}")
        return json.loads(answer.read_text())

    def _start(self) -> "subprocess.Popen[str]":
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.graph.record", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=PROJECT,
                env={**os.environ, "PULUMI_ERROR_OUTPUT_STRING": "1"},
                start_new_session=True,
            )
        return self._process

    @property
    def _errors(self) -> Path:
        return self._folder / "errors"


_server = cache(RecorderServer)


def record(settings: dict[str, Any], mode: str, earlier: Graph | None = None, **environment: str) -> Graph:
    """Run the program in a process of its own; `mode` is `applied` or `preview`, `earlier` the update before.

    With variables of the environment it is a fresh interpreter, else a fork of one that has imported everything.
    """
    order = {"settings": settings, "mode": mode, "earlier": earlier.outputs if earlier else {}}
    if not environment:
        return Graph(_server().record(order))
    done = subprocess.run(
        [sys.executable, "-m", "tests.graph.record"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_SECONDS,
        cwd=PROJECT,
        env={**os.environ, "PULUMI_ERROR_OUTPUT_STRING": "1", **environment},
    )
    assert done.returncode == 0, done.stderr
    return Graph(json.loads(done.stdout))


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
