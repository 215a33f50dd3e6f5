"""Transforms: functions of the program that change what it registers, before the engine sees it."""

import threading
from collections.abc import Iterable
from typing import Any

from hermetic.hooks import Callbacks
from hermetic.protocol import callback_pb2, resource_pb2

_LISTS = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "aliases": "aliases",
    "hide_diff": "hideDiffs",
    "replace_with": "replace_with",
}
_TEXTS = {
    "version": "version",
    "provider": "provider",
    "plugin_download_url": "pluginDownloadURL",
    "deleted_with": "deletedWith",
    "import": "importId",
}


class Transforms:
    """The transforms of one deployment: of the stack, and of resources for themselves and their children."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._of_stack: list[callback_pb2.Callback] = []
        self._of_resources: dict[str, list[callback_pb2.Callback]] = {}
        self._lock = threading.Lock()

    def for_stack(self, callback: callback_pb2.Callback) -> None:
        """Add a transform for all resources."""
        with self._lock:
            self._of_stack.append(callback)

    def keep(self, urn: str, callbacks: Iterable[callback_pb2.Callback]) -> None:
        """Remember a resource's own transforms for its children."""
        own = list(callbacks)
        if own:
            with self._lock:
                self._of_resources[urn] = own

    def apply(self, request: Any, parents: list[str]) -> Any:
        """Run the resource's own transforms, then those of its parents from the nearest up, then those of the stack."""
        with self._lock:
            chain = [*request.transforms]
            for parent in parents:
                chain += self._of_resources.get(parent, [])
            chain += self._of_stack
        if not chain:
            return request
        changed = resource_pb2.RegisterResourceRequest()
        changed.CopyFrom(request)
        for callback in chain:
            _take_over(changed, self._call(callback, changed))
        return changed

    def _call(self, callback: callback_pb2.Callback, request: Any) -> resource_pb2.TransformResponse:
        asked = resource_pb2.TransformRequest(
            type=request.type, name=request.name, custom=request.custom, parent=request.parent,
            properties=request.object, options=_options_of(request),
        )  # fmt: skip
        return resource_pb2.TransformResponse.FromString(self._callbacks.call(callback, asked.SerializeToString()))


def _options_of(request: Any) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions()
    for name, field in _LISTS.items():
        getattr(options, name).extend(getattr(request, field))
    for name, field in _TEXTS.items():
        setattr(options, name, getattr(request, field))
    for key, value in request.providers.items():
        options.providers[key] = value
    if request.HasField("protect"):
        options.protect = request.protect
    if request.HasField("retainOnDelete"):
        options.retain_on_delete = request.retainOnDelete
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    if request.HasField("customTimeouts"):
        options.custom_timeouts.CopyFrom(request.customTimeouts)
    if request.HasField("hooks"):
        options.hooks.CopyFrom(request.hooks)
    if request.HasField("replacement_trigger"):
        options.replacement_trigger.CopyFrom(request.replacement_trigger)
    return options


def _take_over(request: Any, answer: Any) -> None:
    """Put a transform's answer into the registration."""
    known = set(request.propertyDependencies)
    request.object.CopyFrom(answer.properties)
    for key in known.difference(answer.properties.fields):
        del request.propertyDependencies[key]
    for key in set(answer.properties.fields).difference(known):
        request.propertyDependencies[key].SetInParent()
    if not answer.HasField("options"):
        return
    options = answer.options
    for name, field in _LISTS.items():
        del getattr(request, field)[:]
        getattr(request, field).extend(getattr(options, name))
    for name, field in _TEXTS.items():
        setattr(request, field, getattr(options, name))
    _take_optional(request, options)


def _take_optional(request: Any, options: Any) -> None:
    for name, field in (("protect", "protect"), ("retain_on_delete", "retainOnDelete")):
        if options.HasField(name):
            setattr(request, field, getattr(options, name))
        else:
            request.ClearField(field)
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace
    request.providers.clear()
    for key, value in options.providers.items():
        request.providers[key] = value
    for name, field in (
        ("custom_timeouts", "customTimeouts"),
        ("hooks", "hooks"),
        ("replacement_trigger", "replacement_trigger"),
    ):
        if options.HasField(name):
            getattr(request, field).CopyFrom(getattr(options, name))
        else:
            request.ClearField(field)
