"""The state of a stack: its entries in memory, and Pulumi's deployment format (version 3 and 4) in both directions.

Property values are plain values in Pulumi's wire form; secrets are encrypted on the way out, decrypted on the way in.
"""

import hashlib
import json
import marshal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from hermetic.secrets import Crypter
from hermetic.values import SECRET, SIGNATURE

SCHEMA_VERSION = 3
SCHEMA_VERSION_WITH_FEATURES = 4
FEATURES = ("hooks", "refreshBeforeUpdate", "taint", "views")

# Stands in the manifest: the engine whose formats are written, and who wrote them.
WRITER_VERSION = "v3.272.0+hermetic"
NEVER = "0001-01-01T00:00:00Z"

OPERATIONS = ("creating", "updating", "deleting", "reading", "importing")


class StateError(Exception):
    """A state that this engine cannot read or must not write."""


class MalformedStateError(StateError):
    """A state that is not in the format: damaged, or edited by hand."""


@dataclass(slots=True)
class ResourceState:
    """One entry of a checkpoint; the fields mean what they mean in Pulumi's deployment format."""

    urn: str
    type: str
    custom: bool = False
    delete: bool = False
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, Any] = field(default_factory=dict)
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    created: str = ""
    modified: str = ""
    source_position: str = ""
    stack_trace: list[dict[str, Any]] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    hide_diff: list[Any] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replacement_trigger: Any = None
    refresh_before_update: bool = False
    view_of: str = ""
    resource_hooks: dict[str, list[str]] = field(default_factory=dict)
    # Keys that this engine does not know, carried through as they were.
    extra: dict[str, Any] = field(default_factory=dict)
    _written: "_Written | None" = field(default=None, init=False, repr=False, compare=False)


class _Written(NamedTuple):
    """The JSON of an entry as last written, and what it was made from."""

    crypter: Crypter | None
    content: bytes
    text: str


@dataclass(slots=True)
class PendingOperation:
    """An operation that had begun when the checkpoint was written; `type` is one of `OPERATIONS`."""

    resource: ResourceState
    type: str


@dataclass(slots=True)
class Manifest:
    """When and by which engine the deployment was written; `magic` is a checksum of the version."""

    time: str = NEVER
    magic: str = ""
    version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def now(cls) -> "Manifest":
        """The manifest of a deployment that this engine writes now."""
        return cls(time=timestamp(), magic=_magic(WRITER_VERSION), version=WRITER_VERSION)


@dataclass(slots=True)
class Deployment:
    """All that is known of a stack: its resources in the order of registration, and what had begun and not ended."""

    manifest: Manifest = field(default_factory=Manifest)
    secrets_provider: dict[str, Any] = field(default_factory=dict)
    resources: list[ResourceState] = field(default_factory=list)
    pending_operations: list[PendingOperation] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


# The fields in the order of the format, with their keys there. What is empty is left out, but for three of them.
_ALWAYS = frozenset({"urn", "custom", "type"})
_KEYS = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "taint": "taint",
    "external": "external",
    "dependencies": "dependencies",
    "init_errors": "initErrors",
    "provider": "provider",
    "property_dependencies": "propertyDependencies",
    "pending_replacement": "pendingReplacement",
    "additional_secret_outputs": "additionalSecretOutputs",
    "aliases": "aliases",
    "custom_timeouts": "customTimeouts",
    "import_id": "importID",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "replace_with": "replaceWith",
    "created": "created",
    "modified": "modified",
    "source_position": "sourcePosition",
    "stack_trace": "stackTrace",
    "ignore_changes": "ignoreChanges",
    "hide_diff": "hideDiff",
    "replace_on_changes": "replaceOnChanges",
    "replacement_trigger": "replacementTrigger",
    "refresh_before_update": "refreshBeforeUpdate",
    "view_of": "viewOf",
    "resource_hooks": "resourceHooks",
}
_FIELDS = {key: name for name, key in _KEYS.items()}
_PROPERTIES = frozenset({"inputs", "outputs", "replacement_trigger"})
_BOOLEANS = frozenset(
    {
        "custom", "delete", "protect", "taint", "external", "pending_replacement", "retain_on_delete",
        "refresh_before_update",
    }
)  # fmt: skip
_TEXTS = frozenset(
    {
        "urn", "type", "id", "parent", "provider", "import_id", "deleted_with", "created", "modified",
        "source_position", "view_of",
    }
)  # fmt: skip
_OBJECTS = frozenset({"inputs", "outputs", "property_dependencies", "custom_timeouts", "resource_hooks"})
_content_of = attrgetter(*_KEYS, "extra")

_WORDS: dict[type, str] = {bool: "true or false", str: "a text", dict: "an object", list: "a list"}

# What becomes of a secret at a place: its JSON text in, its entry in the state out; and back.
Seal = Callable[[str, str], dict[str, Any]]
Unseal = Callable[[str, dict[str, Any]], tuple[str, "Unseal"]]


def kind_of(value: Any) -> str:
    """What a JSON or YAML value is, in words for an error."""
    if value is None:
        return "null"
    return next((words for kind, words in _WORDS.items() if isinstance(value, kind)), "a number")


def timestamp() -> str:
    """Now, as the format writes times: RFC 3339 with nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def deployment_to_json(
    deployment: Deployment, crypter: Crypter | None, *, show_secrets: bool = False
) -> dict[str, Any]:
    """The `deployment` object of the format; a crypter is needed as soon as there is a secret in it."""
    seal = _seal_plainly if show_secrets else _sealing(crypter)
    document = _head(deployment, crypter)
    if deployment.resources:
        document["resources"] = [_resource_to_json(resource, seal) for resource in deployment.resources]
    if deployment.pending_operations:
        document["pending_operations"] = [
            {"resource": _resource_to_json(operation.resource, seal), "type": operation.type}
            for operation in deployment.pending_operations
        ]
    return document | _tail(deployment)


def deployment_from_json(document: dict[str, Any], crypter: Crypter | None) -> Deployment:
    """Read the `deployment` object of the format; raises StateError naming what is not as it must be."""
    known = {"manifest", "secrets_providers", "resources", "pending_operations", "metadata"}
    provider = _typed(document, "secrets_providers", dict, "deployment")
    unseal = _unsealing(_crypter_for(provider, crypter))
    entries = _typed(document, "resources", list, "deployment")
    operations = _typed(document, "pending_operations", list, "deployment")
    return Deployment(
        manifest=_manifest_from_json(_typed(document, "manifest", dict, "deployment")),
        secrets_provider=provider,
        resources=[_resource_from_json(entry, unseal, f"resources[{n}]") for n, entry in enumerate(entries)],
        pending_operations=[
            _operation_from_json(entry, unseal, f"pending_operations[{n}]") for n, entry in enumerate(operations)
        ],
        metadata=_typed(document, "metadata", dict, "deployment"),
        extra={key: value for key, value in document.items() if key not in known},
    )


def encode_deployment(deployment: Deployment, crypter: Crypter | None) -> str:
    """The same as `deployment_to_json`, as compact text, made anew only for the entries that changed since."""
    parts = [_encode(_head(deployment, crypter))[1:-1]]
    if deployment.resources:
        parts.append(f'"resources":[{",".join(_encoded_resource(each, crypter) for each in deployment.resources)}]')
    if deployment.pending_operations:
        operations = (
            f'{{"resource":{_encoded_resource(each.resource, crypter)},"type":{_encode(each.type)}}}'
            for each in deployment.pending_operations
        )
        parts.append(f'"pending_operations":[{",".join(operations)}]')
    parts.append(_encode(_tail(deployment))[1:-1])
    return "{" + ",".join(parts) + "}"


def export_to_json(deployment: Deployment, crypter: Crypter | None, *, show_secrets: bool = False) -> dict[str, Any]:
    """What `stack export` prints."""
    body = deployment_to_json(deployment, crypter, show_secrets=show_secrets)
    return schema_of(deployment) | {"deployment": body}


def export_from_json(document: Any, crypter: Crypter | None) -> Deployment:
    """Read what `stack export` printed, here or by the Pulumi CLI."""
    if not isinstance(document, dict) or not isinstance(document.get("deployment"), dict):
        raise StateError('the deployment has no object "deployment": it must be the output of `stack export`')
    check_schema(document)
    return deployment_from_json(document["deployment"], crypter)


def schema_of(deployment: Deployment) -> dict[str, Any]:
    """The version of the format that the deployment needs, with the features that make it version 4."""
    features = _features(deployment)
    if not features:
        return {"version": SCHEMA_VERSION}
    return {"version": SCHEMA_VERSION_WITH_FEATURES, "features": features}


def check_schema(document: dict[str, Any]) -> None:
    """Refuse a deployment or checkpoint in a version of the format that this engine does not write."""
    version = document.get("version")
    if version not in (SCHEMA_VERSION, SCHEMA_VERSION_WITH_FEATURES):
        raise StateError(
            f"the deployment has version {version!r}: versions {SCHEMA_VERSION} and {SCHEMA_VERSION_WITH_FEATURES} are "
            "known; export it anew with a current Pulumi CLI"
        )
    unknown = sorted(set(document.get("features") or ()) - set(FEATURES))
    if unknown:
        raise StateError(f"the deployment uses unsupported features: {', '.join(unknown)}; use the Pulumi CLI for it")


def _features(deployment: Deployment) -> list[str]:
    entries = [*deployment.resources, *(operation.resource for operation in deployment.pending_operations)]
    used = {
        "hooks": any(entry.resource_hooks for entry in entries),
        "refreshBeforeUpdate": any(entry.refresh_before_update for entry in entries),
        "taint": any(entry.taint for entry in entries),
        "views": any(entry.view_of for entry in entries),
    }
    return [name for name in FEATURES if used[name]]


def _magic(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def _head(deployment: Deployment, crypter: Crypter | None) -> dict[str, Any]:
    manifest = deployment.manifest
    head: dict[str, Any] = {
        "manifest": {"time": manifest.time, "magic": manifest.magic, "version": manifest.version} | manifest.extra
    }
    if crypter is not None:
        head["secrets_providers"] = {"type": "passphrase", "state": {"salt": crypter.salt}}
    elif deployment.secrets_provider:
        head["secrets_providers"] = deployment.secrets_provider
    return head


def _tail(deployment: Deployment) -> dict[str, Any]:
    return {"metadata": deployment.metadata} | deployment.extra


def _manifest_from_json(document: dict[str, Any]) -> Manifest:
    texts = {key: _typed(document, key, str, "manifest") for key in ("time", "magic", "version")}
    manifest = Manifest(
        time=texts["time"] or NEVER,
        magic=texts["magic"],
        version=texts["version"],
        extra={key: value for key, value in document.items() if key not in texts},
    )
    if (manifest.magic or manifest.version) and manifest.magic != _magic(manifest.version):
        raise MalformedStateError(
            "magic cookie mismatch; possible tampering/corruption detected: manifest.magic does not belong to "
            f"manifest.version {manifest.version!r}; restore the state from a copy"
        )
    return manifest


def _crypter_for(provider: dict[str, Any], crypter: Crypter | None) -> Crypter | None:
    """The crypter for the deployment's own salt, which may be another than the one in the stack's config."""
    if not provider or crypter is None:
        return crypter
    kind = provider.get("type")
    if kind != "passphrase":
        raise StateError(
            f"secrets_providers.type is {kind!r}: this engine has only the passphrase provider; use the Pulumi CLI, "
            "or change it there with `pulumi stack change-secrets-provider passphrase`"
        )
    state = _typed(provider, "state", dict, "secrets_providers")
    return crypter.for_salt(_typed(state, "salt", str, "secrets_providers.state"))


def _operation_from_json(entry: Any, unseal: Unseal, where: str) -> PendingOperation:
    if not isinstance(entry, dict):
        raise MalformedStateError(f"{where} is {kind_of(entry)}: an object is needed")
    kind = _typed(entry, "type", str, where)
    return PendingOperation(_resource_from_json(entry.get("resource"), unseal, f"{where}.resource"), kind)


def _resource_to_json(resource: ResourceState, seal: Seal) -> dict[str, Any]:
    return _content_to_json(_content_of(resource), seal)


def _content_to_json(content: tuple[Any, ...], seal: Seal) -> dict[str, Any]:
    document: dict[str, Any] = {}
    urn, extra = content[0], content[-1]
    for (name, key), value in zip(_KEYS.items(), content, strict=False):
        if name in _PROPERTIES:
            if value or (name not in _OBJECTS and value is not None):
                document[key] = _seal_value(value, seal, f"{urn}/{key}")
        elif name in _OBJECTS:
            if value:
                document[key] = dict(sorted(value.items()))
        elif value or name in _ALWAYS:
            document[key] = value
    return document | extra


def _resource_from_json(entry: Any, unseal: Unseal, where: str) -> ResourceState:
    if not isinstance(entry, dict):
        raise MalformedStateError(f"{where} is {kind_of(entry)}: an object is needed")
    for required in ("urn", "type"):
        if not entry.get(required):
            raise MalformedStateError(
                f"{where}.{required} is missing: every resource has one; restore the state from a copy"
            )
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in entry.items():
        name = _FIELDS.get(key)
        if name is None:
            extra[key] = value
        elif value is not None:
            fields[name] = _field_from_json(name, value, unseal, f"{entry['urn']}/{key}", f"{where}.{key}")
    return ResourceState(**fields, extra=extra)


def _field_from_json(name: str, value: Any, unseal: Unseal, place: str, where: str) -> Any:
    if name != "replacement_trigger":
        wanted: type[Any] = bool if name in _BOOLEANS else str if name in _TEXTS else dict if name in _OBJECTS else list
        if not isinstance(value, wanted):
            raise MalformedStateError(f"{where} is {kind_of(value)}: {_WORDS[wanted]} is needed")
    if name == "property_dependencies":
        return {key: urns or [] for key, urns in value.items()}
    return _unseal_value(value, unseal, place) if name in _PROPERTIES else value


def _encoded_resource(resource: ResourceState, crypter: Crypter | None) -> str:
    """The entry's JSON, from last time when nothing in it changed: comparing is much cheaper than encoding.

    What is encoded is the content compared: other threads may change the entry at any moment.
    """
    try:
        content = marshal.dumps(_content_of(resource), 2)  # version 2: the same bytes for the same content
    except ValueError:
        raise StateError(f"{resource.urn}: a field holds what is no plain JSON value: it cannot be saved") from None
    written = resource._written
    if written is not None and written.crypter is crypter and written.content == content:
        return written.text
    text = _encode(_content_to_json(marshal.loads(content), _sealing(crypter)))  # noqa: S302  bytes of our own
    resource._written = _Written(crypter, content, text)
    return text


def _seal_value(value: Any, seal: Seal, place: str) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            # What stands inside a secret is encrypted with it, and only marked.
            return seal(place, _encode(_seal_value(value.get("value"), _seal_inside, place)))
        return {key: _seal_value(value[key], seal, f"{place}.{key}") for key in sorted(value)}
    if isinstance(value, list):
        return [_seal_value(element, seal, f"{place}[{n}]") for n, element in enumerate(value)]
    return value


def _unseal_value(value: Any, unseal: Unseal, place: str) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            text, inside = unseal(place, value)
            return {SIGNATURE: SECRET, "value": _unseal_value(_decoded_secret(text, place), inside, place)}
        return {key: _unseal_value(element, unseal, f"{place}.{key}") for key, element in value.items()}
    if isinstance(value, list):
        return [_unseal_value(element, unseal, f"{place}[{n}]") for n, element in enumerate(value)]
    return value


def _decoded_secret(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # The parser's words would quote the secret: they are left out on purpose.
        raise MalformedStateError(f"the secret at {place} does not hold JSON: restore the state from a copy") from None


def _sealing(crypter: Crypter | None) -> Seal:
    def seal(place: str, text: str) -> dict[str, Any]:
        if crypter is None:
            raise StateError(f"there is a secret at {place} and no passphrase: set PULUMI_CONFIG_PASSPHRASE")
        return {SIGNATURE: SECRET, "ciphertext": crypter.seal(place, text)}

    return seal


def _seal_inside(_place: str, text: str) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "ciphertext": text}


def _seal_plainly(_place: str, text: str) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "plaintext": text}


def _unsealing(crypter: Crypter | None) -> Unseal:
    def unseal(place: str, entry: dict[str, Any]) -> tuple[str, Unseal]:
        if "plaintext" in entry:
            return _typed(entry, "plaintext", str, place), _unseal_inside
        ciphertext = _typed(entry, "ciphertext", str, place)
        if crypter is None:
            raise StateError(f"there is a secret at {place} and no passphrase: set PULUMI_CONFIG_PASSPHRASE")
        return crypter.unseal(place, ciphertext), _unseal_inside

    return unseal


def _unseal_inside(place: str, entry: dict[str, Any]) -> tuple[str, Unseal]:
    return _typed(entry, "plaintext" if "plaintext" in entry else "ciphertext", str, place), _unseal_inside


def _typed(document: dict[str, Any], key: str, wanted: type[Any], where: str) -> Any:
    """The value of a key; the empty value of its type when it is absent or null."""
    value = document.get(key)
    if value is None:
        return wanted()
    if not isinstance(value, wanted):
        raise MalformedStateError(f"{where}.{key} is {kind_of(value)}: {_WORDS[wanted]} is needed")
    return value


def _encode(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StateError(f"a value cannot be written as JSON: {type(error).__name__}") from None


def verify_integrity(resources: Iterable[ResourceState]) -> None:
    """Refuse a state whose entries refer to what comes later or does not exist, as the Pulumi CLI does."""
    seen: set[str] = set()
    live: set[str] = set()
    providers: set[str] = set()
    for resource in resources:
        _verify_references(resource, seen, providers)
        if not resource.delete and resource.urn in live:
            raise StateError(f"snapshot integrity failure; refusing to use it: duplicate resource {resource.urn}")
        seen.add(resource.urn)
        if not resource.delete:
            live.add(resource.urn)
        if resource.type.startswith("pulumi:providers:"):
            providers.add(f"{resource.urn}::{resource.id}")


def _verify_references(resource: ResourceState, seen: set[str], providers: set[str]) -> None:
    failure = f"snapshot integrity failure; refusing to use it: resource {resource.urn}"
    if resource.provider and resource.provider not in providers:
        raise StateError(f"{failure} refers to unknown provider {resource.provider}")
    if resource.parent and resource.parent not in seen:
        raise StateError(f"{failure} refers to missing parent {resource.parent}")
    for dependency in resource.dependencies:
        if dependency not in seen:
            raise StateError(f"{failure} refers to missing dependency {dependency}")
