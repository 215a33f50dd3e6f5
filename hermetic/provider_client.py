"""One provider instance over Pulumi's protocol, with property values instead of messages."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2

from hermetic.protocol import provider_pb2, provider_pb2_grpc, status_pb2
from hermetic.steps import Diff, PropertyDiff
from hermetic.urns import name_of, type_of
from hermetic.values import (
    REFERENCE,
    SIGNATURE,
    UNKNOWN,
    PropertyMap,
    contains_unknown,
    from_struct,
    is_output,
    is_secret,
    plain_outputs,
    secret,
    strip_secrets,
    to_struct,
)

# What Pulumi's own clients and servers use: property maps have no limit of size.
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

START_TIMEOUT = 60.0
CANCEL_TIMEOUT = 5.0

_KINDS = {
    provider_pb2.PropertyDiff.ADD: "add",
    provider_pb2.PropertyDiff.ADD_REPLACE: "add-replace",
    provider_pb2.PropertyDiff.DELETE: "delete",
    provider_pb2.PropertyDiff.DELETE_REPLACE: "delete-replace",
    provider_pb2.PropertyDiff.UPDATE: "update",
    provider_pb2.PropertyDiff.UPDATE_REPLACE: "update-replace",
}


class PluginError(Exception):
    """A plugin that is missing, does not start, or ended."""


class ProviderError(Exception):
    """A provider's refusal; the message is the provider's own."""


class CheckFailedError(ProviderError):
    """Inputs that a provider does not accept; `failures` are pairs of property and reason."""

    def __init__(self, failures: list[tuple[str, str]]) -> None:
        self.failures = failures
        super().__init__("\n".join(f"{name}: {reason}" if name else reason for name, reason in failures))


class DiffUnavailableError(ProviderError):
    """The provider cannot compare: its configuration is not known yet."""


class PartialError(ProviderError):
    """An operation that made or changed the object, which then did not become healthy."""

    def __init__(self, detail: provider_pb2.ErrorResourceInitFailed, message: str) -> None:
        self.id = detail.id
        self.outputs = from_struct(detail.properties)
        self.inputs = from_struct(detail.inputs) if detail.HasField("inputs") else None
        self.reasons = list(detail.reasons) or [message]
        super().__init__("\n".join(self.reasons))


class Plugin(Protocol):
    """A running plugin."""

    @property
    def address(self) -> str: ...
    def stop(self) -> None: ...
    def obituary(self) -> str: ...


class ProviderClient:
    """One instance of a provider, with property values instead of messages."""

    def __init__(self, package: str, plugin: Plugin) -> None:
        self.package = package
        self._plugin = plugin
        self._channel = grpc.insecure_channel(plugin.address, options=CHANNEL_OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._accepts_secrets = False
        self._accepts_resources = False
        self._supports_preview = True
        self._known = True

    # -- the plugin itself
    def handshake(self, engine: str, root: Path, program: Path) -> None:
        """Tell the plugin what this engine does; plugins that do not know the call tell it in `configure`."""
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine, root_directory=str(root), program_directory=str(program),
            configure_with_urn=True, invoke_with_preview=True,
        )  # fmt: skip
        try:
            response = self._stub.Handshake(request, wait_for_ready=True, timeout=START_TIMEOUT)
        except grpc.RpcError as error:
            if _code(error) == grpc.StatusCode.UNIMPLEMENTED:
                return
            raise self._failure(error) from error
        self._accepts_secrets = response.accept_secrets
        self._accepts_resources = response.accept_resources

    def cancel(self) -> None:
        """Ask for an early end; a plugin that does not know the call, or is gone, needs none."""
        try:
            self._stub.Cancel(empty_pb2.Empty(), timeout=CANCEL_TIMEOUT)
        except grpc.RpcError as error:
            if _code(error) not in {
                grpc.StatusCode.UNIMPLEMENTED,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            }:
                raise self._failure(error) from error

    def close(self) -> None:
        """End the plugin."""
        self._channel.close()
        self._plugin.stop()

    # -- configuration; these are not confined to known values
    def check_config(self, urn: str, olds: PropertyMap | None, news: PropertyMap) -> PropertyMap:
        """The configuration as the provider wants it; secrets are sent in the clear, and keep their marks."""
        request = provider_pb2.CheckRequest(
            urn=urn, news=to_struct(strip_secrets(news)), name=name_of(urn), type=type_of(urn)
        )
        if olds is not None:
            request.olds.CopyFrom(to_struct(strip_secrets(olds)))
        try:
            response = self._call(self._stub.CheckConfig, request)
        except _UnimplementedError:
            return news
        _refuse(response)
        return _marked_as(from_struct(response.inputs), news)

    def diff_config(self, urn: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap) -> Diff:
        """What a change of configuration means."""
        request = provider_pb2.DiffRequest(
            urn=urn, name=name_of(urn), type=type_of(urn), olds=to_struct(strip_secrets(olds)),
            old_inputs=to_struct(strip_secrets(old_inputs)), news=to_struct(strip_secrets(news)),
        )  # fmt: skip
        try:
            return _diff_of(self._call(self._stub.DiffConfig, request))
        except _UnimplementedError:
            return Diff(changes=None)

    def configure(self, urn: str, identity: str, inputs: PropertyMap) -> None:
        """Make the instance ready; with unknown values it stays unconfigured, and answers previews by itself."""
        if contains_unknown(inputs):
            self._known = False
            return
        plain = strip_secrets(inputs)
        settings = {key: _as_variable(value) for key, value in plain.items() if key != "version"}
        request = provider_pb2.ConfigureRequest(
            variables={f"{self.package}:config:{key}": value for key, value in settings.items()},
            args=to_struct(inputs), acceptSecrets=True, acceptResources=True, sends_old_inputs=True,
            sends_old_inputs_to_delete=True, id=identity, urn=urn, name=name_of(urn), type=type_of(urn),
        )  # fmt: skip
        response = self._call(self._stub.Configure, request)
        self._accepts_secrets = response.acceptSecrets
        self._accepts_resources = response.acceptResources
        self._supports_preview = response.supportsPreview

    # -- resources
    def check(self, urn: str, olds: PropertyMap | None, news: PropertyMap) -> PropertyMap:
        """The inputs with the provider's defaults; raises CheckFailedError."""
        if not self._known:
            return news
        request = provider_pb2.CheckRequest(
            urn=urn, news=self._struct(news), randomSeed=secrets.token_bytes(32), name=name_of(urn), type=type_of(urn)
        )
        if olds is not None:
            request.olds.CopyFrom(self._struct(olds))
        response = self._call(self._stub.Check, request)
        _refuse(response)
        return self._received(response.inputs, news)

    def diff(
        self, urn: str, identity: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap, ignored: list[str]
    ) -> Diff:
        """What the change of inputs means for the object."""
        if not self._known:
            raise DiffUnavailableError(
                "the provider for this resource has inputs that are not known during preview; "
                "this preview may not correctly represent the changes that will be applied during an update"
            )
        request = provider_pb2.DiffRequest(
            id=identity, urn=urn, name=name_of(urn), type=type_of(urn), ignoreChanges=ignored,
            olds=self._struct(olds), old_inputs=self._struct(old_inputs), news=self._struct(news),
        )  # fmt: skip
        return _diff_of(self._call(self._stub.Diff, request))

    def create(self, urn: str, inputs: PropertyMap, timeout: float, *, preview: bool) -> tuple[str, PropertyMap]:
        """Id and outputs of a new object; in a preview no object is made and the id is empty."""
        if preview and not (self._known and self._supports_preview):
            return "", {}
        response = self._call(
            self._stub.Create,
            provider_pb2.CreateRequest(
                urn=urn,
                name=name_of(urn),
                type=type_of(urn),
                properties=self._struct(inputs),
                timeout=timeout,
                preview=preview,
            ),
        )
        if not preview and not response.id:
            raise ProviderError(f"plugin {self.package} answered the create of {urn} without an id")
        return ("" if response.id == UNKNOWN else response.id), self._received(response.properties, inputs)

    def read(
        self, urn: str, identity: str, inputs: PropertyMap | None, outputs: PropertyMap | None
    ) -> "ReadResult | None":
        """The object as it is, None when it does not exist."""
        if not self._known:
            return ReadResult(identity, None, {})
        request = provider_pb2.ReadRequest(id=identity, urn=urn, name=name_of(urn), type=type_of(urn))
        if inputs is not None:
            request.inputs.CopyFrom(self._struct(inputs))
        if outputs is not None:
            request.properties.CopyFrom(self._struct(outputs))
        response = self._call(self._stub.Read, request)
        if not response.id:
            return None
        read_inputs = self._received(response.inputs, inputs or {}) if response.HasField("inputs") else None
        return ReadResult(response.id, read_inputs, self._received(response.properties, outputs or {}))

    def update(
        self, urn: str, identity: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap,
        timeout: float, ignored: list[str], *, preview: bool,
    ) -> PropertyMap:  # fmt: skip
        """The outputs after an update in place."""
        if preview and not (self._known and self._supports_preview):
            return {}
        request = provider_pb2.UpdateRequest(
            id=identity, urn=urn, name=name_of(urn), type=type_of(urn), olds=self._struct(olds),
            old_inputs=self._struct(old_inputs), news=self._struct(news), timeout=timeout, ignoreChanges=ignored,
            preview=preview,
        )  # fmt: skip
        return self._received(self._call(self._stub.Update, request).properties, news)

    def delete(self, urn: str, identity: str, inputs: PropertyMap, outputs: PropertyMap, timeout: float) -> None:
        """Delete the object."""
        self._call(
            self._stub.Delete,
            provider_pb2.DeleteRequest(
                id=identity, urn=urn, name=name_of(urn), type=type_of(urn), timeout=timeout,
                properties=self._struct(outputs), old_inputs=self._struct(inputs),
            ),
        )  # fmt: skip

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> PropertyMap | None:
        """The result of a function; None where it cannot be known yet."""
        if not self._known or contains_unknown(args):
            return None
        response = self._call(
            self._stub.Invoke,
            provider_pb2.InvokeRequest(tok=token, args=to_struct(strip_secrets(plain_outputs(args))), preview=preview),
        )
        if response.failures:
            raise CheckFailedError([(each.property, each.reason) for each in response.failures])
        return from_struct(getattr(response, "return"))

    # -- messages
    def _struct(self, properties: PropertyMap) -> Any:
        value = plain_outputs(properties)
        if not self._accepts_resources:
            value = _without_references(value)
        return to_struct(value if self._accepts_secrets else strip_secrets(value))

    def _received(self, struct: Any, sent: PropertyMap) -> PropertyMap:
        """What came back; a provider that knows no secrets gets the marks of what was sent put back on."""
        value = from_struct(struct)
        return value if self._accepts_secrets else _marked_as(value, sent)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            raise self._failure(error) from error

    def _failure(self, error: grpc.RpcError) -> Exception:
        detail = _init_failure(error)
        message = error.details() or str(_code(error))
        if detail is not None:
            return PartialError(detail, message)
        code = _code(error)
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return _UnimplementedError(f"plugin {self.package} does not support this: {message}")
        obituary = self._plugin.obituary() if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED} else ""
        if obituary:
            return ProviderError(f"plugin {self.package} died{obituary}")
        return ProviderError(message)


class ReadResult:
    """What a provider read: id, inputs (None when it gave none) and outputs."""

    __slots__ = ("id", "inputs", "outputs")

    def __init__(self, identity: str, inputs: PropertyMap | None, outputs: PropertyMap) -> None:
        self.id = identity
        self.inputs = inputs
        self.outputs = outputs


class _UnimplementedError(ProviderError):
    """The plugin does not have the method."""


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    return error.code()


def _init_failure(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed | None:
    """The half-made object that the status of a failed call may carry."""
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key == "grpc-status-details-bin":
            for each in status_pb2.Status.FromString(value).details:
                if each.Is(provider_pb2.ErrorResourceInitFailed.DESCRIPTOR):
                    detail = provider_pb2.ErrorResourceInitFailed()
                    each.Unpack(detail)
                    return detail
    return None


def _refuse(response: provider_pb2.CheckResponse) -> None:
    if response.failures:
        raise CheckFailedError([(each.property, each.reason) for each in response.failures])


def _diff_of(response: provider_pb2.DiffResponse) -> Diff:
    changes = {provider_pb2.DiffResponse.DIFF_NONE: False, provider_pb2.DiffResponse.DIFF_SOME: True}.get(
        response.changes
    )
    detailed = {
        path: PropertyDiff(_KINDS.get(each.kind, "update"), each.inputDiff)
        for path, each in response.detailedDiff.items()
    }
    return Diff(
        changes=changes,
        replace_keys=tuple(response.replaces),
        changed_keys=tuple(response.diffs),
        stable_keys=tuple(response.stables),
        detailed=detailed if response.hasDetailedDiff else {},
        delete_before_replace=response.deleteBeforeReplace,
    )


def _as_variable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _marked_as(value: Any, pattern: Any) -> Any:
    """The value with marks of secrets where the pattern has them."""
    if is_secret(value):
        return value
    if is_secret(pattern):
        return secret(_marked_as(value, pattern["value"]))
    if is_output(pattern):
        marked = _marked_as(value, pattern.get("value"))
        return secret(marked) if pattern.get("secret") else marked
    if isinstance(value, dict) and isinstance(pattern, dict):
        return {key: _marked_as(item, pattern.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(pattern, list):
        padded = [*pattern, *([None] * len(value))]
        return [_marked_as(item, like) for item, like in zip(value, padded, strict=False)]
    return value


def _without_references(value: Any) -> Any:
    """References to resources as the ids (of components the URNs) that older providers expect."""
    if isinstance(value, list):
        return [_without_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == REFERENCE:
        return (value["id"] or UNKNOWN) if "id" in value else value.get("urn", UNKNOWN)
    return {key: _without_references(item) for key, item in value.items()}
