"""The wire shape of a resource's inputs and outputs, read from the installed Pulumi SDK's own classes.

A stand-in must refuse what the SDK does not know; deriving the shapes keeps it honest when the SDK is upgraded.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import keyword
import sys
import threading
import types
import typing
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pulumi
from pulumi import _types as sdk_types

Kind = Literal["string", "integer", "number", "boolean", "list", "map", "object", "any"]

_SCALARS: dict[object, Kind] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_import_lock = threading.RLock()
_begun: set[type] = set()


@dataclass(frozen=True, slots=True)
class Shape:
    """A type on the wire: a scalar, a list or map of `element`, or an object of named `fields`.

    `or_text` marks an object that may as well be given as text: a policy document is JSON.
    """

    kind: Kind
    element: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=lambda: types.MappingProxyType({}))
    required: frozenset[str] = frozenset()
    or_text: bool = False

    def of(self) -> Shape:
        """The shape of one element of a list or map."""
        if self.element is None:
            raise TypeError(f"a {self.kind} has no elements")
        return self.element

    def is_list_of_objects(self) -> bool:
        return self.kind == "list" and self.of().kind == "object"


@dataclass(frozen=True, slots=True)
class ResourceShape:
    """What one resource type takes and gives, and which outputs its class declares secret."""

    token: str
    inputs: Shape
    outputs: Shape


def resource_shape(token: str) -> ResourceShape:
    """The shapes of a type such as `docker:index/network:Network`; LookupError when the SDK has no such class."""
    with _import_lock:  # a first import from several threads at once is not safe in every SDK
        return _resource_shape(token)


def provider_shape(package: str) -> Shape:
    """The shape of a provider's own configuration."""
    with _import_lock:
        module = importlib.import_module(f"pulumi_{package}")
        return _object_shape(module.ProviderArgs)


@functools.cache
def _resource_shape(token: str) -> ResourceShape:
    resource = _resource_class(token)
    name, own = resource.__name__, vars(sys.modules[resource.__module__])
    # Where a nested type has the name already, the SDK calls the resource's own arguments by the longer one.
    arguments = own.get(f"{name}InitArgs") or own[f"{name}Args"]
    outputs = {wire: _shape(kind) for wire, kind in sdk_types.resource_types(resource).items()}
    return ResourceShape(token, _object_shape(arguments), Shape("object", fields=outputs))


def _resource_class(token: str) -> type[pulumi.CustomResource]:
    package, _, rest = token.partition(":")
    module_path, _, name = rest.partition(":")
    folder = module_path.split("/")[0]
    folder += "_" if keyword.iskeyword(folder) else ""
    try:
        module = importlib.import_module(f"pulumi_{package}" if folder == "index" else f"pulumi_{package}.{folder}")
        found = getattr(module, name, None)
    except ModuleNotFoundError:
        found = None
    if not (inspect.isclass(found) and issubclass(found, pulumi.CustomResource)):
        raise LookupError(f"{token} is not a resource of the installed pulumi-{package} package")
    return found


def _object_shape(arguments: type) -> Shape:
    wire_names = sdk_types.input_type_py_to_pulumi_names(arguments)
    fields = {wire: _shape(kind) for wire, kind in sdk_types.input_type_types(arguments).items()}
    parameters = inspect.signature(arguments.__init__).parameters.values()
    required = {
        wire_names.get(parameter.name, parameter.name)
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty and not parameter.name.startswith("__")
    }
    return Shape("object", fields=fields, required=frozenset(required))


def _shape(annotation: object) -> Shape:
    plain = _without_inputs(annotation)
    if scalar := _SCALARS.get(plain):
        return Shape(scalar)
    origin, arguments = typing.get_origin(plain), typing.get_args(plain)
    if origin in (list, Sequence):
        return Shape("list", element=_shape(arguments[0]))
    if origin in (dict, Mapping):
        return Shape("map", element=_shape(arguments[1]))
    if not inspect.isclass(plain):
        return Shape("any")
    shape = _class_shape(plain)
    return replace(shape, or_text=True) if shape.kind == "object" and str in typing.get_args(annotation) else shape


def _class_shape(plain: type) -> Shape:
    """A class that is found within itself may hold anything there: firewall statements nest without end."""
    if plain in _begun:
        return Shape("any")
    _begun.add(plain)
    try:
        return _known_class_shape(plain)
    finally:
        _begun.discard(plain)


@functools.cache  # the same few classes are everywhere in the large types
def _known_class_shape(plain: type) -> Shape:
    if sdk_types.is_input_type(plain):
        return _object_shape(plain)
    if sdk_types.is_output_type(plain):
        return Shape("object", fields={wire: _shape(kind) for wire, kind in sdk_types.output_type_types(plain).items()})
    return Shape("string") if issubclass(plain, str) else Shape("any")


def _without_inputs(annotation: object) -> Any:
    """`Input[Optional[X]]` and `Output[X]` are both X; an object's class is preferred over its TypedDict twin."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is pulumi.Output:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            candidates = [choice for choice in typing.get_args(annotation) if _is_plain(choice)]
            objects = [choice for choice in candidates if inspect.isclass(choice) and sdk_types.is_input_type(choice)]
            annotation = (objects or [choice for choice in candidates if choice is str] or candidates or [Any])[0]
        else:
            return annotation


def _is_plain(choice: object) -> bool:
    origin = typing.get_origin(choice) or choice
    if choice is type(None) or isinstance(choice, typing.ForwardRef):
        return False
    return not (inspect.isclass(origin) and issubclass(origin, (pulumi.Output, Awaitable)))
