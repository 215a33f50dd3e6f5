"""An engine for the swarm plugin's tests: it calls the provider over gRPC as the real one does."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from plugins.swarm.values import Secret, decode, encode

PROJECT = Path(__file__).resolve().parent.parent.parent.parent
LAUNCHER = PROJECT / "plugins" / "swarm" / "pulumi-resource-swarm"


class FailedError(Exception):
    """The provider answered with an error; `half_made` is the object that goes into the state all the same."""

    def __init__(self, message: str, half_made: provider_pb2.ErrorResourceInitFailed | None) -> None:
        super().__init__(message)
        self.half_made = half_made


class EngineLog(engine_pb2_grpc.EngineServicer):
    """The engine's side of the log."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802
        self.messages.append(request.message)
        return Empty()


@dataclass
class Object:
    """A resource as an engine's state has it."""

    urn: str
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    def __getitem__(self, name: str) -> Any:
        value = self.outputs[name]
        return value.value if isinstance(value, Secret) else value


class Engine:
    """Calls of one provider: `start` gives its address when told the engine's, else its launcher starts it."""

    def __init__(self, start: Callable[[str], str] | None = None, **configuration: Any) -> None:
        self.log = EngineLog()
        self._server = grpc.server(ThreadPoolExecutor(8))
        engine_pb2_grpc.add_EngineServicer_to_server(self.log, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.process: subprocess.Popen[bytes] | None = None
        self._channel = grpc.insecure_channel((start or self._launch)(self.address))
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self.stub.Configure(provider_pb2.ConfigureRequest(args=encode(configuration)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()
        self._server.stop(None)
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def _launch(self, address: str) -> str:
        self.process = subprocess.Popen([LAUNCHER, address], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        return f"127.0.0.1:{int(self.process.stdout.readline())}"

    def check(
        self, kind: str, inputs: dict[str, Any], olds: dict[str, Any] | None = None
    ) -> provider_pb2.CheckResponse:
        return _call(
            self.stub.Check, provider_pb2.CheckRequest(urn=urn(kind), olds=encode(olds or {}), news=encode(inputs))
        )

    def failures(self, kind: str, inputs: dict[str, Any], olds: dict[str, Any] | None = None) -> list[str]:
        return [failure.reason for failure in self.check(kind, inputs, olds).failures]

    def diff(self, old: Object, inputs: dict[str, Any]) -> provider_pb2.DiffResponse:
        news = self.check(_kind(old.urn), inputs, old.inputs).inputs
        request = provider_pb2.DiffRequest(
            id=old.id, urn=old.urn, olds=encode(old.outputs), old_inputs=encode(old.inputs), news=news
        )
        return _call(self.stub.Diff, request)

    def create(
        self, kind: str, inputs: dict[str, Any], *, name: str = "it", preview: bool = False, timeout: float = 0
    ) -> Object:
        checked = self.check(kind, inputs)
        assert not checked.failures, checked.failures
        request = provider_pb2.CreateRequest(
            urn=urn(kind, name), properties=checked.inputs, preview=preview, timeout=timeout
        )
        made = _call(self.stub.Create, request)
        return Object(urn(kind, name), decode(checked.inputs), made.id, decode(made.properties))

    def update(self, old: Object, inputs: dict[str, Any], *, preview: bool = False, timeout: float = 0) -> Object:
        news = self.check(_kind(old.urn), inputs, old.inputs).inputs
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=old.urn,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=news,
            preview=preview,
            timeout=timeout,
        )
        made = _call(self.stub.Update, request)
        return Object(old.urn, decode(news), old.id, decode(made.properties))

    def read(self, old: Object) -> Object | None:
        request = provider_pb2.ReadRequest(
            id=old.id, urn=old.urn, inputs=encode(old.inputs), properties=encode(old.outputs)
        )
        seen = _call(self.stub.Read, request)
        return Object(old.urn, decode(seen.inputs), seen.id, decode(seen.properties)) if seen.id else None

    def delete(self, old: Object, *, timeout: float = 0) -> None:
        request = provider_pb2.DeleteRequest(
            id=old.id, urn=old.urn, properties=encode(old.outputs), old_inputs=encode(old.inputs), timeout=timeout
        )
        _call(self.stub.Delete, request)


def urn(kind: str, name: str = "it") -> str:
    """The URN of a resource of a kind such as Node."""
    return f"urn:pulumi:test::flotilla::flotilla:swarm:SwarmCluster$swarm:index:{kind}::{name}"


def _kind(of: str) -> str:
    return of.split("::")[2].rpartition(":")[2]


def _call(method: Any, request: Any) -> Any:
    try:
        return method(request, timeout=120)
    except grpc.RpcError as error:
        raise FailedError(str(error.details()), _half_made(error)) from error  # pyright: ignore[reportAttributeAccessIssue]


def _half_made(error: Any) -> provider_pb2.ErrorResourceInitFailed | None:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            found = provider_pb2.ErrorResourceInitFailed()
            status_pb2.Status.FromString(value).details[0].Unpack(found)
            return found
    return None
