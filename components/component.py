"""The base class of every component: it owns the type token, the names and options of children and the declared
outputs, so that a component's own code says only what it makes."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import pulumi


class DeclaredOutputsError(Exception):
    """A component published other outputs than those it declares: a defect of the component, never of the user."""


class Component(pulumi.ComponentResource):
    """A Pulumi component with a declared interface.

    A subclass sets `token` (for instance `flotilla:swarm:Cluster`, which is part of every child's URN and therefore
    never changes without an alias) and `declares`, the names of its three to six outputs; its constructor ends with
    `publish`, which sets them as attributes and registers them with the engine.
    """

    token: ClassVar[str]
    declares: ClassVar[tuple[str, ...]]
    declared_types: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        """Keep the annotations of outputs from the SDK.

        The engine gives a component back what it registered the last time, and the SDK would want to make that into
        values of the annotated types; but what is published are our own objects, made anew in every run.
        """
        super().__init_subclass__()
        annotations = inspect.get_annotations(cls)
        cls.declared_types = {name: kind for name, kind in annotations.items() if name in cls.declares}
        cls.__annotations__ = {name: kind for name, kind in annotations.items() if name not in cls.declares}

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        # The caller's options are for the component alone; children get theirs from `child`.
        super().__init__(self.token, name, None, opts)
        self._logical_name = name

    def child_name(self, *keys: str) -> str:
        """The logical name of a child, from the component's own name and stable keys (a node, a zone, a service)."""
        return "-".join((self._logical_name, *keys))

    def child(
        self,
        *,
        provider: pulumi.ProviderResource | None = None,
        deleted_with: pulumi.Resource | None = None,
        depends_on: Sequence[pulumi.Resource] | None = None,
        protect: bool | None = None,
        retain_on_delete: bool | None = None,
        ignore_changes: list[str] | None = None,
        replace_on_changes: list[str] | None = None,
        delete_before_replace: bool | None = None,
        additional_secret_outputs: list[str] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a child resource: this component as parent, and an explicit provider where it needs one."""
        return pulumi.ResourceOptions(
            parent=self,
            provider=provider,
            deleted_with=deleted_with,
            depends_on=depends_on,
            protect=protect,
            retain_on_delete=retain_on_delete,
            ignore_changes=ignore_changes,
            replace_on_changes=replace_on_changes,
            delete_before_replace=delete_before_replace,
            additional_secret_outputs=additional_secret_outputs,
        )

    def publish(self, **outputs: Any) -> None:
        """Set the declared outputs as attributes and register them; a missing or undeclared one is an error."""
        if set(outputs) != set(self.declares):
            raise DeclaredOutputsError(
                f"{type(self).__name__} declares {sorted(self.declares)} but publishes {sorted(outputs)}"
            )
        for name, value in outputs.items():
            setattr(self, name, value)
        self.register_outputs({name: registrable(value) for name, value in outputs.items()})


def registrable(value: Any) -> Any:
    """What of an output the engine can hold: resources by URN or id, and plain values; never whole Python objects."""
    if isinstance(value, pulumi.CustomResource):
        return value.id
    if isinstance(value, pulumi.Resource):
        return value.urn
    if isinstance(value, Mapping):
        return {str(key): registrable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [registrable(item) for item in value]
    if is_dataclass(value):
        return {item.name: registrable(getattr(value, item.name)) for item in fields(value)}
    return value
