"""The gRPC side of every stand-in: carries Pulumi's ResourceProvider calls to rules and drivers, and errors back.

Real plugins are processes; a stand-in runs on a thread pool inside the engine's process, on a loopback port.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from hermetic.providers import check, diff, plan
from hermetic.providers.check import Values, without_defaults
from hermetic.providers.driver import Driver, Log, Operation, Package, PartlyDoneError, ProviderError
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import ResourceShape, resource_shape
from hermetic.values import UNKNOWN, contains_secret, contains_unknown, from_struct, secret, strip_secrets, to_struct

Answer = TypeVar("Answer")

_THREADS = 64
_DEFAULT_TIMEOUT = 20 * 60.0
_MESSAGE_LIMIT = 400 * 1024 * 1024
_OPTIONS = [("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)]
_KINDS = {
    ("ADD", False): provider_pb2.PropertyDiff.ADD,
    ("ADD", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("DELETE", False): provider_pb2.PropertyDiff.DELETE,
    ("DELETE", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("UPDATE", False): provider_pb2.PropertyDiff.UPDATE,
    ("UPDATE", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Server:
    """A running stand-in; stop() ends it and closes its connections."""

    def __init__(self, servicer: Servicer) -> None:
        self._servicer = servicer
        threads = futures.ThreadPoolExecutor(_THREADS, f"provider-{servicer.package.name}")
        self._server = grpc.server(threads, options=_OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._servicer, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._servicer.cancelled.set()
        self._server.stop(grace=1).wait()
        self._servicer.package.close()


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider instance; what Configure got holds for its whole life."""

    def __init__(self, package: Package, log: Log | None = None) -> None:
        self.package = package
        self.cancelled = threading.Event()
        self._log = log
        self._known = True

    # -- the plugin and its configuration ------------------------------------------------------------------------

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version=self.package.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:  # noqa: ARG002, N802
        schema = f'{{"name": "{self.package.name}", "version": "{self.package.version}"}}'
        return provider_pb2.GetSchemaResponse(schema=schema)

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        reasons = answered(context, lambda: self.package.check_configuration(strip_secrets(from_struct(request.news))))
        failures = [provider_pb2.CheckFailure(reason=reason) for reason in reasons]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        del context
        old, new = (
            from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds),
            from_struct(request.news),
        )
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key) and not key.startswith("__"))
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
        )

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        arguments = from_struct(request.args)
        self._known = not contains_unknown(arguments)
        if self._known:
            answered(context, lambda: self.package.configure(strip_secrets(arguments)))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: ARG002, N802
        self.cancelled.set()
        return empty_pb2.Empty()

    # -- resources -----------------------------------------------------------------------------------------------

    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        rules, _, shape = self._type(request.urn, context)
        news, olds = from_struct(request.news), from_struct(request.olds)
        if not self._known:  # as the engine has it for a provider whose configuration is not known yet
            return provider_pb2.CheckResponse(inputs=request.news)
        name = request.urn.rpartition("::")[2]
        inputs = check.checked_inputs(rules, shape.inputs, name, news, olds, request.randomSeed)
        reasons = check.failures(rules, shape.inputs, name, inputs)
        failures = [provider_pb2.CheckFailure(reason=reason) for reason in reasons]
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        if not self._known:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)
        rules, driver, shape = self._type(request.urn, context)
        olds = from_struct(request.olds)
        found = self.difference(rules, shape, request)
        detailed = {
            change.path: provider_pb2.PropertyDiff(kind=_KINDS[change.change, change.replaces])
            for change in found.changes
        }
        replaces = set(found.replaces)
        if due := driver.replaces_when_read(strip_secrets(olds)):
            replaces.add(due)
            detailed[due] = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE_REPLACE)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=sorted(replaces),
            diffs=sorted({change.root for change in found.changes} | replaces),
            deleteBeforeReplace=found.delete_before_replace,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        rules, driver, shape = self._type(request.urn, context)
        wrapped = from_struct(request.properties)
        inputs = without_defaults(strip_secrets(wrapped))
        if request.preview and not self._known:
            return provider_pb2.CreateResponse(properties=to_struct(without_defaults(wrapped)))
        planned = self.planned(rules, shape, inputs)
        if request.preview:
            answered(context, self.package.probe)
            return provider_pb2.CreateResponse(properties=_sealed(rules, shape, wrapped, planned | {"id": UNKNOWN}))

        def create() -> provider_pb2.CreateResponse:
            identity, actual = driver.create(self._operation(request.urn, request.timeout), _without_unknowns(planned))
            state = plan.settled_state(rules, shape.outputs, planned, actual) | {"id": identity}
            return provider_pb2.CreateResponse(id=identity, properties=_sealed(rules, shape, wrapped, state))

        return answered(
            context, create, lambda failed: _sealed(rules, shape, wrapped, failed.state), request.properties
        )

    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        rules, driver, shape = self._type(request.urn, context)
        state, wrapped = from_struct(request.properties), from_struct(request.inputs)

        def read() -> provider_pb2.ReadResponse:
            operation = self._operation(request.urn, request.timeout)
            old = strip_secrets(state)
            found = driver.read(operation, request.id, old)
            if found is None:
                return provider_pb2.ReadResponse()
            actual = plan.refreshed_state(shape.outputs, old, found) | {"id": request.id}
            inputs = plan.inputs_from_state(rules, shape.inputs, wrapped, actual)
            properties = _sealed(rules, shape, {**state, **wrapped}, actual)
            return provider_pb2.ReadResponse(id=request.id, properties=properties, inputs=to_struct(inputs))

        return answered(context, read)

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        rules, driver, shape = self._type(request.urn, context)
        olds, wrapped = from_struct(request.olds), from_struct(request.news)
        old = strip_secrets(olds)
        planned = self.planned(rules, shape, without_defaults(strip_secrets(wrapped)), old)
        if request.preview:
            properties = _sealed(rules, shape, {**olds, **wrapped}, planned | {"id": request.id})
            return provider_pb2.UpdateResponse(properties=properties)

        def update() -> provider_pb2.UpdateResponse:
            operation = self._operation(request.urn, request.timeout)
            actual = driver.update(operation, request.id, old, _without_unknowns(planned))
            state = plan.settled_state(rules, shape.outputs, planned, actual) | {"id": request.id}
            return provider_pb2.UpdateResponse(properties=_sealed(rules, shape, wrapped, state))

        return answered(
            context, update, lambda failed: _sealed(rules, shape, wrapped, failed.state), request.old_inputs
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        _, driver, _ = self._type(request.urn, context)
        state = strip_secrets(from_struct(request.properties))
        answered(context, lambda: driver.delete(self._operation(request.urn, request.timeout), request.id, state))
        return empty_pb2.Empty()

    # -- what a stand-in may do otherwise ---------------------------------------------------------------------------

    def difference(self, rules: Rules, shape: ResourceShape, request: provider_pb2.DiffRequest) -> diff.Difference:
        """What is different: between the state and the inputs that are wanted now."""
        olds, news = from_struct(request.olds), from_struct(request.news)
        return diff.difference(rules, shape, olds, news, list(request.ignoreChanges))

    def planned(self, rules: Rules, shape: ResourceShape, inputs: Values, old: Values | None = None) -> Values:
        """The state that plain inputs lead to, from none or from an old one."""
        return plan.planned_state(rules, shape.outputs, inputs, old)

    # -- inside --------------------------------------------------------------------------------------------------

    def _type(self, urn: str, context: grpc.ServicerContext) -> tuple[Rules, Driver, ResourceShape]:
        token = urn.split("::")[2].rpartition("$")[2]
        known = self.package.resources.get(token)
        if known is None:
            names = ", ".join(sorted(name.rpartition(":")[2] for name in self.package.resources))
            message = f"the stand-in for the {self.package.name} plugin has no resource type {token}"
            message += f"; it has {names}" if names else ""
            context.abort(grpc.StatusCode.UNIMPLEMENTED, message)
        return *known, resource_shape(token)

    def _operation(self, urn: str, timeout: float) -> Operation:
        return Operation.within(urn, timeout or _DEFAULT_TIMEOUT, self.cancelled, self._log)


def _sealed(rules: Rules, shape: ResourceShape, inputs: Values, state: Values) -> struct_pb2.Struct:
    """The state on the wire: secret where the plugin says so, and where the input or the old state of that name was."""
    sealed = {
        name: secret(value)
        if value is not None and (name in rules.secret_outputs or contains_secret(inputs.get(name)))
        else value
        for name, value in state.items()
        if name in shape.outputs.fields or name == "id"
    }
    return to_struct(sealed)


def _without_unknowns(value: Any) -> Any:
    """What the plan leaves to the resource itself is simply absent for its driver."""
    if isinstance(value, dict):
        return {key: _without_unknowns(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_unknowns(part) for part in value]
    return None if value == UNKNOWN else value


def answered(
    context: grpc.ServicerContext,
    work: Callable[[], Answer],
    properties: Callable[[PartlyDoneError], struct_pb2.Struct] | None = None,
    inputs: struct_pb2.Struct | None = None,
) -> Answer:
    """Do the work; an expected failure becomes the call's error, with the half-made resource in its details."""
    try:
        return work()
    except PartlyDoneError as error:
        detail = provider_pb2.ErrorResourceInitFailed(id=error.identity, reasons=[str(error)], inputs=inputs)
        if properties:
            detail.properties.CopyFrom(properties(error))
        _abort(context, str(error), detail)
    except ProviderError as error:
        _abort(context, str(error))
    except Exception as error:  # the engine shows the message; a traceback would only hide it
        _abort(context, f"{type(error).__name__}: {error}")


def _abort(
    context: grpc.ServicerContext, message: str, detail: provider_pb2.ErrorResourceInitFailed | None = None
) -> NoReturn:
    if detail is not None:
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort returns never")
