"""Provider plugins: found, started, spoken to over Pulumi's protocol, and stopped.

A plugin is a program that the project names, or a stand-in that runs inside the engine's process.
"""

import os
import queue
import secrets
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
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
STOP_TIMEOUT = 5.0
TAIL_LINES = 12
# Not for children: who has the passphrase can read the whole state.
WITHHELD = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")

_KINDS = {
    provider_pb2.PropertyDiff.ADD: "add",
    provider_pb2.PropertyDiff.ADD_REPLACE: "add-replace",
    provider_pb2.PropertyDiff.DELETE: "delete",
    provider_pb2.PropertyDiff.DELETE_REPLACE: "delete-replace",
    provider_pb2.PropertyDiff.UPDATE: "update",
    provider_pb2.PropertyDiff.UPDATE_REPLACE: "update-replace",
}

LineSink = Callable[[str, str], None]


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


class PluginHost:
    """Starts the plugins of one deployment, and stops them all at its end."""

    def __init__(
        self,
        *,
        project_folder: Path,
        program_folder: Path,
        paths: Mapping[str, Path],
        virtualenv: Path | None,
        report: LineSink,
    ) -> None:
        """`paths` are the folders of `plugins.providers`; `report` gets (plugin, line) for all that plugins print."""
        self.engine_address = ""
        self.program_folder = program_folder
        self._project_folder = project_folder
        self._paths = paths
        self._virtualenv = virtualenv
        self._report = report
        self._running: list[ProviderClient] = []
        self._lock = threading.Lock()
        # What a stand-in says about a resource in progress goes here: (urn, line).
        self.progress: Callable[[str, str], None] = lambda _urn, _line: None

    def start(self, package: str, version: str = "") -> "ProviderClient":
        """A fresh, unconfigured instance of the provider of a package."""
        folder = self._paths.get(package)
        if folder is not None:
            plugin: Plugin = _Process(
                package, folder / f"pulumi-resource-{package}", self.engine_address, self._environment(), self._report
            )
        else:
            plugin = self._stand_in(package, version)
        client = ProviderClient(package, plugin)
        with self._lock:
            self._running.append(client)
        client.handshake(self.engine_address, self._project_folder, self.program_folder)
        return client

    def cancel(self) -> None:
        """Tell every plugin to end its operations early."""
        for client in self._snapshot():
            client.cancel()

    def stop(self) -> None:
        """End all plugins."""
        for client in self._snapshot():
            client.close()

    def _snapshot(self) -> list["ProviderClient"]:
        with self._lock:
            return list(self._running)

    def _environment(self) -> dict[str, str]:
        environment = child_environment()
        if self._virtualenv is not None:
            environment["PULUMI_RUNTIME_VIRTUALENV"] = str(self._virtualenv)
        return environment

    def _stand_in(self, package: str, version: str) -> Plugin:
        from hermetic import providers

        try:
            return _StandIn(providers.serve(package, self.progress))
        except KeyError as error:
            wanted = f" at version v{version}" if version else ""
            raise PluginError(
                f"no resource plugin 'pulumi-resource-{package}' found{wanted}: name its folder in Pulumi.yaml under "
                "plugins.providers, or use the Pulumi CLI, which can install it"
            ) from error


def child_environment() -> dict[str, str]:
    """The engine's environment for a child process, without what is the engine's alone."""
    environment = {key: value for key, value in os.environ.items() if key not in WITHHELD}
    caller = environment.pop("HERMETIC_CALLER_PYTHONPATH", None)
    if caller is not None:
        environment["PYTHONPATH"] = caller
        if not caller:
            del environment["PYTHONPATH"]
    return environment


class _StandIn:
    """A provider inside this process."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.address: str = server.address

    def stop(self) -> None:
        self._server.stop()

    def obituary(self) -> str:
        return ""


class _Process:
    """A plugin in a process of its own: it prints its port, then serves until it is stopped."""

    def __init__(
        self, package: str, executable: Path, engine: str, environment: dict[str, str], report: LineSink
    ) -> None:
        if not executable.is_file():
            raise PluginError(
                f"plugin {package}: {executable} does not exist: correct plugins.providers in Pulumi.yaml"
            )
        self._package = package
        self._report = report
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._first_line: queue.Queue[str | None] = queue.Queue()
        try:
            # A group of its own: Ctrl-C is for the engine, which then cancels in order.
            self._process = subprocess.Popen(
                [str(executable), engine], env=environment, stdin=subprocess.DEVNULL, text=True, errors="replace",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise PluginError(f"plugin {package} does not start: {executable}: {error.strerror}") from error
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.address = f"127.0.0.1:{self._port()}"

    def _port(self) -> int:
        try:
            line = self._first_line.get(timeout=START_TIMEOUT)
        except queue.Empty:
            self.stop()
            raise PluginError(
                f"plugin {self._package} does not start: it printed no port within {START_TIMEOUT:.0f} s{self.obituary()}"
            ) from None
        if line is None or not line.strip().isdigit():
            self.stop()
            said = "it ended" if line is None else f"its first line is {line.strip()!r} and not a port"
            raise PluginError(f"plugin {self._package} does not start: {said}{self.obituary()}")
        return int(line)

    def _read_output(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        self._first_line.put(stream.readline() or None)
        for line in stream:
            self._report(self._package, line.rstrip("\n"))

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._tail.append(line.rstrip("\n"))
            self._report(self._package, line.rstrip("\n"))

    def obituary(self) -> str:
        """How the process ended and what it said last; empty while it runs."""
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return ""
        for reader in self._readers:
            reader.join(1)
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        said = "".join(f"\n    {line}" for line in self._tail)
        return f" ({how})" + (f"; its last lines:{said}" if said else "; it wrote nothing to stderr")

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


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
            self._stub.Cancel(empty_pb2.Empty(), timeout=STOP_TIMEOUT)
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
        request = provider_pb2.ConfigureRequest(
            variables={f"{self.package}:config:{key}": _as_variable(value) for key, value in plain.items() if key != "version"},
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
            id=identity, urn=urn, name=name_of(urn), type=type_of(urn), olds=self._struct(olds), news=self._struct(news),
            old_inputs=self._struct(old_inputs), timeout=timeout, ignoreChanges=ignored, preview=preview,
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
    for key, value in error.trailing_metadata() or ():
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
    import json

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
