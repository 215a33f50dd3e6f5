"""A stand-in as the engine sees it: over gRPC, with plain Python values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from hermetic.providers import Log, serve
from hermetic.values import from_struct, to_struct

Values = dict[str, Any]
SEED = b"0" * 32


@dataclass(slots=True)
class Provider:
    """One configured provider instance and the calls that tests make on it."""

    stub: Any

    @staticmethod
    def urn(kind: str, name: str) -> str:
        return f"urn:pulumi:dev::project::{kind}::{name}"

    def check(self, kind: str, name: str, news: Values, olds: Values | None = None) -> tuple[Values, list[Values]]:
        request = provider_pb2.CheckRequest(
            urn=self.urn(kind, name), news=to_struct(news), olds=to_struct(olds or {}), randomSeed=SEED
        )
        answer = self.stub.Check(request)
        failures = [{"property": failure.property, "reason": failure.reason} for failure in answer.failures]
        return from_struct(answer.inputs), failures

    def diff(self, kind: str, name: str, olds: Values, news: Values, identity: str = "id", **more: Any) -> Values:
        request = provider_pb2.DiffRequest(
            id=identity, urn=self.urn(kind, name), olds=to_struct(olds), news=to_struct(news), **more
        )
        answer = self.stub.Diff(request)
        return {
            "changes": provider_pb2.DiffResponse.DiffChanges.Name(answer.changes),
            "replaces": sorted(answer.replaces),
            "deleteBeforeReplace": answer.deleteBeforeReplace,
            "detailedDiff": {
                path: provider_pb2.PropertyDiff.Kind.Name(change.kind) for path, change in answer.detailedDiff.items()
            },
        }

    def create(self, kind: str, name: str, inputs: Values, *, preview: bool = False) -> tuple[str, Values]:
        request = provider_pb2.CreateRequest(
            urn=self.urn(kind, name), properties=to_struct(inputs), preview=preview, timeout=120
        )
        answer = self.stub.Create(request)
        return answer.id, from_struct(answer.properties)

    def read(self, kind: str, name: str, identity: str, state: Values, inputs: Values) -> tuple[str, Values, Values]:
        request = provider_pb2.ReadRequest(
            id=identity, urn=self.urn(kind, name), properties=to_struct(state), inputs=to_struct(inputs)
        )
        answer = self.stub.Read(request)
        return answer.id, from_struct(answer.properties), from_struct(answer.inputs)

    def update(self, kind: str, name: str, identity: str, olds: Values, news: Values, **more: Any) -> Values:
        request = provider_pb2.UpdateRequest(
            id=identity, urn=self.urn(kind, name), olds=to_struct(olds), news=to_struct(news), **more
        )
        return from_struct(self.stub.Update(request).properties)

    def delete(self, kind: str, name: str, identity: str, state: Values) -> None:
        request = provider_pb2.DeleteRequest(id=identity, urn=self.urn(kind, name), properties=to_struct(state))
        self.stub.Delete(request)

    def made(self, kind: str, name: str, inputs: Values) -> tuple[str, Values]:
        """Checked and created, as the engine would; refusals fail the test."""
        checked, failures = self.check(kind, name, inputs)
        assert failures == []
        return self.create(kind, name, checked)


Start = Callable[..., Provider]


@pytest.fixture
def provider() -> Iterator[Start]:
    """Starts stand-ins: `provider("docker", host="unix://...")`."""
    servers: list[Any] = []

    def start(name: str, log: Log | None = None, **configuration: Any) -> Provider:
        servers.append(serve(name, log))
        stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(servers[-1].address))
        stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(configuration), acceptSecrets=True))
        return Provider(stub)

    yield start
    for server in servers:
        server.stop()
