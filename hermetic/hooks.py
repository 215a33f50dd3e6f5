"""Callbacks of the program: resource hooks around steps, and transforms of what is registered."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import grpc

from hermetic.events import Listener, Severity, Step
from hermetic.protocol import callback_pb2, callback_pb2_grpc, resource_pb2
from hermetic.provider_client import CHANNEL_OPTIONS, ProviderError
from hermetic.urns import name_of, type_of
from hermetic.values import UNKNOWN, to_struct


@dataclass(frozen=True, slots=True)
class Hook:
    """A function of the program."""

    callback: callback_pb2.Callback
    on_preview: bool
    ignore_errors: bool


class CallbackError(Exception):
    """A callback that failed, with the program's words."""


class Callbacks:
    """Calls functions of the program by their tokens."""

    def __init__(self) -> None:
        self._stubs: dict[str, callback_pb2_grpc.CallbacksStub] = {}
        self._channels: list[grpc.Channel] = []
        self._lock = threading.Lock()

    def call(self, callback: callback_pb2.Callback, request: bytes) -> bytes:
        """The answer; raises CallbackError."""
        try:
            answer = self._stub(callback.target).Invoke(
                callback_pb2.CallbackInvokeRequest(token=callback.token, request=request)
            )
        except grpc.RpcError as error:
            raise CallbackError(error.details() or str(error.code())) from error
        return answer.response

    def _stub(self, target: str) -> callback_pb2_grpc.CallbacksStub:
        with self._lock:
            if target not in self._stubs:
                channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
                self._channels.append(channel)
                self._stubs[target] = callback_pb2_grpc.CallbacksStub(channel)
            return self._stubs[target]

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


class Hooks:
    """The registered hooks of one deployment."""

    def __init__(self, callbacks: Callbacks, listener: Listener, *, preview: bool) -> None:
        self._callbacks = callbacks
        self._listener = listener
        self._preview = preview
        self._hooks: dict[str, Hook] = {}

    def register(self, name: str, hook: Hook) -> None:
        """A hook under its name; a name is used once."""
        if name in self._hooks:
            raise CallbackError(f"resource hook already registered for name {name!r}")
        self._hooks[name] = hook

    def before(self, what: str, names: Iterable[str], step: Step) -> None:
        """Run hooks before an operation; a failure keeps the operation from happening."""
        self._run(f"before {what}", names, step, after=False)

    def after(self, what: str, names: Iterable[str], step: Step) -> None:
        """Run hooks after an operation that succeeded."""
        self._run(f"after {what}", names, step, after=True)

    def _run(self, what: str, names: Iterable[str], step: Step, *, after: bool) -> None:
        for name in names:
            hook = self._hooks.get(name)
            if hook is None:
                raise ProviderError(f"{what} hook {name!r} was not registered by the program")
            if self._preview and not hook.on_preview:
                continue
            self._call(what, name, hook, _request(step, after=after))

    def _call(self, what: str, name: str, hook: Hook, request: resource_pb2.ResourceHookRequest) -> None:
        try:
            answer = resource_pb2.ResourceHookResponse.FromString(
                self._callbacks.call(hook.callback, request.SerializeToString())
            )
            error = answer.error
        except CallbackError as failure:
            error = str(failure)
        if not error:
            return
        words = f"{what} hook {name!r} failed: {error}"
        if not hook.ignore_errors and what.startswith("before"):
            raise ProviderError(words)
        # What was done cannot be undone by a hook after it.
        self._listener.message(Severity.WARNING, request.urn, words)


def _request(step: Step, *, after: bool) -> resource_pb2.ResourceHookRequest:
    """What a hook is told: the new state except in deletions, the old one except in creations."""
    old = None if step.op in {"create", "create-replacement"} else step.old
    new = step.new
    identity = (old.id if old is not None else "") or (new.id if new is not None and after else "")
    request = resource_pb2.ResourceHookRequest(
        urn=step.urn, id="" if identity == UNKNOWN else identity, name=name_of(step.urn), type=type_of(step.urn)
    )
    if new is not None:
        request.new_inputs.CopyFrom(to_struct(new.inputs))
        if after:
            request.new_outputs.CopyFrom(to_struct(new.outputs))
    if old is not None:
        request.old_inputs.CopyFrom(to_struct(old.inputs))
        request.old_outputs.CopyFrom(to_struct(old.outputs))
    return request
