"""The instances of providers in a deployment: checked, compared and configured like resources, then used by others."""

import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from hermetic.plugins import PluginHost
from hermetic.provider_client import PluginError, ProviderClient, ProviderError
from hermetic.state import ResourceState
from hermetic.steps import Diff
from hermetic.urns import is_provider_type, make_reference, provided_package, split_reference, type_of
from hermetic.values import UNKNOWN, PropertyMap, same_plain

INTERNAL = "__internal"


@dataclass(slots=True)
class _Instance:
    """A configured provider, or the reason why there is none: that is told to its users, and to nobody else."""

    client: ProviderClient | None
    inputs: PropertyMap = field(default_factory=dict)
    failure: ProviderError | PluginError | None = None


class ProviderRegistry:
    """Provider instances by reference (URN and id); made by the steps of provider resources, or from the old state."""

    def __init__(self, host: PluginHost, olds: Iterable[ResourceState], *, preview: bool) -> None:
        self._host = host
        self._preview = preview
        self._old_states: dict[str, ResourceState] = {}
        self._instances: dict[str, _Instance] = {}
        self._checked: dict[str, tuple[ProviderClient, PropertyMap]] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self.know(olds)

    def know(self, states: Iterable[ResourceState]) -> None:
        """Provider resources of the old state, for what was made with them."""
        for state in states:
            if is_provider_type(state.type):
                self._old_states[make_reference(state.urn, state.id)] = state

    def client(self, reference: str) -> ProviderClient:
        """The configured provider; an old one is started from the state at its first use."""
        self.prepare(reference)
        instance = self._instances.get(reference)
        if instance is None:
            raise PluginError(f"unknown provider {reference}: it is neither in the program nor in the state")
        if instance.failure is not None:
            raise instance.failure
        if instance.client is None:
            raise PluginError(f"provider {reference} was not started")
        return instance.client

    def prepare(self, reference: str) -> None:
        """Have a provider of the old state ready; why it is not is told to those who use it."""
        old = self._old_states.get(reference)
        if old is not None and reference not in self._instances:
            self.use(old)

    def inputs(self, reference: str) -> PropertyMap | None:
        """The inputs that a provider of this deployment was configured with."""
        instance = self._instances.get(reference)
        return instance.inputs if instance else None

    # -- the operations of provider resources
    def check(self, urn: str, olds: PropertyMap | None, news: PropertyMap) -> PropertyMap:
        """CheckConfig, with what is the engine's own kept aside."""
        client = self._host.start(provided_package(type_of(urn)), _text(news.get("version")))
        checked = client.check_config(urn, None if olds is None else public(olds), public(news))
        if INTERNAL in news:
            checked[INTERNAL] = news[INTERNAL]
        with self._lock:
            previous = self._checked.pop(urn, None)
            self._checked[urn] = (client, checked)
        if previous is not None:
            previous[0].close()
        return checked

    def diff(self, urn: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap) -> Diff:
        """DiffConfig by the instance that checked the new inputs."""
        client = self._checked[urn][0]
        return self.diff_with(client, urn, old_inputs, olds, news)

    def diff_old(self, state: ResourceState, news: PropertyMap) -> Diff:
        """DiffConfig by the instance of the old state."""
        self.use(state)
        client = self.client(make_reference(state.urn, state.id))
        return self.diff_with(client, state.urn, state.inputs, state.outputs, news)

    def diff_with(
        self, client: ProviderClient, urn: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap
    ) -> Diff:
        """DiffConfig by a given instance."""
        answer = client.diff_config(urn, public(old_inputs), public(olds), public(news))
        if answer.changes is None:
            return Diff(changes=not same_plain(public(old_inputs), public(news)))
        return answer

    def create(self, urn: str, inputs: PropertyMap) -> tuple[str, PropertyMap]:
        """A new instance: its id (unknown in a preview) and outputs."""
        identity = UNKNOWN if self._preview else str(uuid.uuid4())
        self._configure(urn, identity, inputs)
        return identity, public(inputs)

    def update(self, urn: str, identity: str, inputs: PropertyMap) -> PropertyMap:
        """The instance with other inputs."""
        self._configure(urn, identity, inputs)
        return public(inputs)

    def use(self, state: ResourceState) -> None:
        """Make an instance that is as the state says ready."""
        reference = make_reference(state.urn, state.id)
        with self._lock:
            turn = self._turns.setdefault(reference, threading.Lock())
        # A provider that is slow to configure keeps only its own users waiting.
        with turn:
            if reference not in self._instances:
                self._configure(state.urn, state.id, state.inputs)

    def _configure(self, urn: str, identity: str, inputs: PropertyMap) -> None:
        with self._lock:
            checked = self._checked.pop(urn, None)
        instance = _Instance(checked[0] if checked else None, inputs)
        try:
            if instance.client is None:
                instance.client = self._host.start(provided_package(type_of(urn)), _text(inputs.get("version")))
            instance.client.configure(urn, identity, public(inputs))
        except (ProviderError, PluginError) as error:
            instance.failure = error
        with self._lock:
            self._instances[make_reference(urn, identity)] = instance

    def changed(self, old_reference: str, new_reference: str) -> bool:
        """Whether a resource that moves from one provider to another has to be replaced: the new one tells."""
        if old_reference == new_reference or not old_reference:
            return False
        old = self._old_states.get(old_reference)
        new_inputs = self.inputs(new_reference)
        if old is None or new_inputs is None:
            return True
        urn = split_reference(new_reference)[0]
        return self.diff_with(self.client(new_reference), urn, old.inputs, old.outputs, new_inputs).replaces


def public(inputs: PropertyMap) -> PropertyMap:
    """A provider's configuration without what is the engine's own."""
    return {key: value for key, value in inputs.items() if key != INTERNAL}


def with_version(inputs: PropertyMap, version: str, url: str) -> PropertyMap:
    """Configuration with the version of the plugin and where it comes from, in the places that the state has them."""
    result = dict(inputs)
    if version:
        result["version"] = version
    if version or url:
        result[INTERNAL] = {"pluginDownloadURL": url} if url else {}
    return result


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
