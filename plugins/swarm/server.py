"""The provider's gRPC service: it speaks the engine's protocol and knows secrets, unknowns, previews and errors, so
that the resource types need not."""

import json
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from typing_extensions import override

from plugins.swarm.admission import Admission
from plugins.swarm.cluster import Cluster
from plugins.swarm.connection import Access
from plugins.swarm.differences import Difference, differences
from plugins.swarm.errors import HalfMadeError, SwarmError, without_secrets
from plugins.swarm.fields import TEXT, Field, Fields, check, list_of
from plugins.swarm.host import Host
from plugins.swarm.job import Job
from plugins.swarm.journal import Journal
from plugins.swarm.mount import Mount
from plugins.swarm.node import Node
from plugins.swarm.operation import Operation, Session
from plugins.swarm.readiness import Readiness
from plugins.swarm.resource import Old, Resource
from plugins.swarm.ssh import SshError
from plugins.swarm.values import Secret, decode, encode, has_secret, plain, secret_texts

VERSION = "0.1.0"
RESOURCES: Mapping[str, Resource] = {
    kind.token: kind for kind in (Host(), Cluster(), Node(), Readiness(), Job(), Mount(), Admission())
}
CONFIG: Fields = {"identityFile": Field(TEXT, required=True), "sshOptions": Field(list_of(TEXT))}
KINDS = provider_pb2.PropertyDiff
DIFFERENCE_KINDS = {
    ("add", False): KINDS.ADD,
    ("add", True): KINDS.ADD_REPLACE,
    ("delete", False): KINDS.DELETE,
    ("delete", True): KINDS.DELETE_REPLACE,
    ("update", False): KINDS.UPDATE,
    ("update", True): KINDS.UPDATE_REPLACE,
}
Result = TypeVar("Result")
Properties = dict[str, Any]


class Server(provider_pb2_grpc.ResourceProviderServicer):
    """One instance of the provider: the engine starts a process for each."""

    def __init__(self, session: Session, journal: Journal) -> None:
        self._session = session
        self._journal = journal

    # The engine asks who we are and gives the provider's configuration.

    @override
    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        """Agree on how values are sent: secrets marked, outputs and resource references as plain values."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    @override
    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        """Our version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    @override
    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:
        """Names only: the typed classes are written by hand."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "swarm", "version": VERSION}))

    @override
    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        """Check the provider's own inputs; the engine's own among them go back as they came."""
        checked = check(CONFIG, _configuration(decode(request.news)))
        failures = [provider_pb2.CheckFailure(property=one.path, reason=one.reason) for one in checked.failures]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @override
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        """Other ways to log in never replace anything."""
        olds = decode(request.old_inputs if request.HasField("old_inputs") else request.olds)
        found = differences(CONFIG, _configuration(olds), _configuration(decode(request.news)))
        return _diff_response(found)

    @override
    def Configure(self, request: provider_pb2.ConfigureRequest, context: Any) -> provider_pb2.ConfigureResponse:
        """Take the configuration; the engine does not call this while some of it is unknown."""
        given = _configuration(plain(decode(request.args)))
        identity = str(Path(given["identityFile"]).expanduser()) if given.get("identityFile") else ""
        self._session.access = Access(identity, tuple(given.get("sshOptions") or ()))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # The four verbs and what comes before them.

    @override
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Inputs with defaults, and everything that is wrong with them."""
        news = decode(request.news)

        def run() -> provider_pb2.CheckResponse:
            resource = _resource(request.urn)
            checked = check(resource.fields, news)
            failures = checked.failures or resource.refuse(plain(decode(request.olds)), plain(checked.inputs))
            return provider_pb2.CheckResponse(
                inputs=encode(checked.inputs),
                failures=[provider_pb2.CheckFailure(property=one.path, reason=one.reason) for one in failures],
            )

        return self._answer(context, request.urn, news, run)

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """What differs, by path, and whether that needs a new object."""
        outputs, news = decode(request.olds), decode(request.news)
        olds = decode(request.old_inputs) if request.HasField("old_inputs") else outputs

        def run() -> provider_pb2.DiffResponse:
            resource = _resource(request.urn)
            found = resource.compare(plain(olds), plain(outputs), plain(news), list(request.ignoreChanges))
            return _diff_response(found, resource.stable, delete_first=resource.delete_first)

        return self._answer(context, request.urn, news, run)

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Make the object; in a preview, say what will be known of it."""
        inputs = decode(request.properties)

        def run() -> provider_pb2.CreateResponse:
            resource = _resource(request.urn)
            if request.preview:
                foreseen = {**plain(inputs), **resource.foresee({}, plain(inputs))}
                return provider_pb2.CreateResponse(properties=encode(_marked(resource, foreseen, inputs)))
            operation = self._operation(resource, request.urn, inputs, request.timeout)
            try:
                made = resource.create(operation, plain(inputs))
            except HalfMadeError as error:
                kept = _marked(resource, error.properties, inputs)
                raise HalfMadeError(str(error), error.object_id, kept) from error
            return provider_pb2.CreateResponse(id=made.id, properties=encode(_marked(resource, made.outputs, inputs)))

        return self._answer(context, request.urn, inputs, run)

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Look at the object, for refresh and import; an empty id says that it is gone."""
        inputs, outputs = decode(request.inputs), decode(request.properties)

        def run() -> provider_pb2.ReadResponse:
            resource = _resource(request.urn)
            operation = self._operation(resource, request.urn, {**outputs, **inputs}, request.timeout)
            seen = resource.read(operation, request.id, plain(inputs), plain(outputs))
            if seen is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=seen.id,
                inputs=encode(_marked(resource, seen.inputs, inputs)),
                properties=encode(_marked(resource, seen.outputs, outputs)),
            )

        return self._answer(context, request.urn, {"inputs": inputs, "outputs": outputs}, run)

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change the object in place; in a preview, say what will be known of it."""
        outputs, news = decode(request.olds), decode(request.news)
        olds = decode(request.old_inputs) if request.HasField("old_inputs") else outputs

        def run() -> provider_pb2.UpdateResponse:
            resource = _resource(request.urn)
            if request.preview:
                foreseen = {**plain(news), **resource.foresee(plain(outputs), plain(news))}
                return provider_pb2.UpdateResponse(properties=encode(_marked(resource, foreseen, news)))
            operation = self._operation(resource, request.urn, news, request.timeout)
            made = resource.update(operation, request.id, Old(plain(olds), plain(outputs)), plain(news))
            return provider_pb2.UpdateResponse(properties=encode(_marked(resource, made, news)))

        return self._answer(context, request.urn, {"olds": outputs, "news": news}, run)

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        """Remove the object. What leads to it (connections) is taken from the inputs, which are the newer ones."""
        properties = {**decode(request.properties), **decode(request.old_inputs)}

        def run() -> Empty:
            resource = _resource(request.urn)
            operation = self._operation(resource, request.urn, properties, request.timeout)
            resource.delete(operation, request.id, plain(properties))
            return Empty()

        return self._answer(context, request.urn, properties, run)

    @override
    def Cancel(self, request: Any, context: Any) -> Empty:
        """The user interrupted: whatever waits ends with an error."""
        self._session.cancelled.set()
        return Empty()

    # What all verbs share.

    def _operation(self, resource: Resource, urn: str, properties: Properties, timeout: float) -> Operation:
        """An operation with its deadline: customTimeouts, else the resource's own timeout, else its type's."""
        secrets = frozenset(secret_texts(properties))
        identity = self._session.access.identity_file
        if identity and not Path(identity).is_file():
            raise SwarmError(f"identityFile is {identity}: no such file; give the path of a private key")
        return Operation(
            self._session,
            urn.rpartition("::")[2],
            timeout or plain(properties.get("timeout")) or resource.patience,
            lambda message: self._journal.status(urn, without_secrets(message, secrets)),
            lambda message: self._journal.warn(urn, without_secrets(message, secrets)),
        )

    def _answer(self, context: grpc.ServicerContext, urn: str, request: Any, run: Callable[[], Result]) -> Result:
        """The result, or an error of one message without any secret of the request."""
        secrets = frozenset(secret_texts(request))
        try:
            return run()
        except HalfMadeError as error:
            message = without_secrets(str(error), secrets)
            details = provider_pb2.ErrorResourceInitFailed(
                id=error.object_id, reasons=[message], properties=encode(error.properties), inputs=encode(request)
            )
            _attach(context, message, details)
        except (SwarmError, SshError) as error:
            message = without_secrets(str(error), secrets)
        except Exception as error:
            # A defect of ours: the user sees one line, a debug log the rest.
            self._journal.debug(urn, without_secrets(traceback.format_exc(), secrets))
            message = without_secrets(f"the swarm plugin failed with {type(error).__name__}: {error}", secrets)
        return _abort(context, message)


def _abort(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort never returns")


def _attach(context: grpc.ServicerContext, message: str, details: provider_pb2.ErrorResourceInitFailed) -> None:
    """Send the half-made object along with the error, so that the engine keeps it in the state."""
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(details)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))


def _resource(urn: str) -> Resource:
    token = urn.split("::")[2].rpartition("$")[2]
    if token not in RESOURCES:
        raise SwarmError(f"{token} is no resource of the swarm plugin; it has {', '.join(RESOURCES)}")
    return RESOURCES[token]


def _configuration(properties: Mapping[str, Any]) -> Properties:
    """The provider's inputs that are ours; lists come as JSON texts, as all configuration does."""
    given = {name: value for name, value in properties.items() if name in CONFIG}
    options = given.get("sshOptions")
    if isinstance(options, str):
        try:
            given["sshOptions"] = json.loads(options)
        except ValueError:
            # The check then says that this text is no list.
            return given
    return given


def _marked(resource: Resource, values: Mapping[str, Any], given: Mapping[str, Any]) -> Properties:
    """Plain values with their secrets marked: as they were given, or because they are secret by nature."""
    by_nature = resource.secret_outputs | {name for name, rule in resource.fields.items() if rule.secret}
    marked: Properties = {}
    for name, value in values.items():
        if name in given and plain(given[name]) == value:
            marked[name] = given[name]
        else:
            marked[name] = Secret(value) if has_secret(given.get(name)) else value
        if name in by_nature and not isinstance(marked[name], Secret):
            marked[name] = Secret(plain(marked[name]))
    return marked


def _diff_response(
    found: list[Difference], stable: tuple[str, ...] = (), *, delete_first: bool = False
) -> provider_pb2.DiffResponse:
    changes = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=changes,
        diffs=sorted({one.property for one in found}),
        replaces=sorted({one.property for one in found if one.replaces}),
        stables=stable,
        deleteBeforeReplace=delete_first and any(one.replaces for one in found),
        detailedDiff={one.path: KINDS(kind=DIFFERENCE_KINDS[one.kind, one.replaces], inputDiff=True) for one in found},
        hasDetailedDiff=True,
    )
