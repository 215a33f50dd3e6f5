"""Property values in memory: plain JSON values in Pulumi's wire form; secrets and unknowns are marked values in place.

Everything between the gRPC messages and the checkpoint works on these, so that no layer has value classes of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from google.protobuf.struct_pb2 import Struct, Value

# Any: a value is JSON of any shape, and its readers look at the shape themselves.
PropertyValue: TypeAlias = Any
PropertyMap: TypeAlias = dict[str, Any]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  the public mark of secrets
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# Unknowns of other kinds that some SDKs and providers send; in memory all of them are UNKNOWN.
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
# Largest whole number that a double, the only number of the wire, holds exactly.
EXACT_INTEGER = 2**53


def from_value(value: Value) -> PropertyValue:
    """One wire value; whole numbers become int."""
    match value.WhichOneof("kind"):
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in UNKNOWNS else text
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= EXACT_INTEGER else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case "struct_value":
            return from_struct(value.struct_value)
        case _:
            return None


def from_struct(struct: Struct) -> PropertyMap:
    """The fields of a wire struct."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, PropertyValue]) -> Struct:
    """A wire struct; numbers become doubles, as the wire has no other."""
    struct = Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value)
    return struct


def _fill(wire: Value, value: PropertyValue) -> None:
    if value is None:
        wire.null_value = 0  # pyright: ignore[reportAttributeAccessIssue]  the enum has this one member
    elif isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, str):
        wire.string_value = value
    elif isinstance(value, int | float):
        wire.number_value = value
    elif isinstance(value, list):
        wire.list_value.SetInParent()
        for item in value:
            _fill(wire.list_value.values.add(), item)
    elif isinstance(value, dict):
        wire.struct_value.SetInParent()
        for key, item in value.items():
            _fill(wire.struct_value.fields[key], item)
    else:
        raise TypeError(f"a property value of type {type(value).__name__} has no wire form: use JSON values")


def secret(value: PropertyValue) -> PropertyMap:
    """The value marked secret; a secret stays as it is."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: PropertyValue) -> bool:
    """Whether this very value carries the mark (not one inside it)."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def is_output(value: PropertyValue) -> bool:
    """Whether this is an output value: a value with its own secretness and dependencies."""
    return isinstance(value, dict) and value.get(SIGNATURE) == OUTPUT


def strip_secrets(value: PropertyValue) -> PropertyValue:
    """The same value with all marks of secrets taken off."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return strip_secrets(value.get("value"))
        return {key: strip_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strip_secrets(item) for item in value]
    return value


def contains_secret(value: PropertyValue) -> bool:
    """Whether the value or anything in it is secret."""
    return any(is_secret(item) or (is_output(item) and bool(item.get("secret"))) for item in walk(value))


def contains_unknown(value: PropertyValue) -> bool:
    """Whether the value or anything in it is not known yet."""
    return any(item == UNKNOWN or (is_output(item) and "value" not in item) for item in walk(value))


def without_unknowns(value: PropertyValue) -> PropertyValue:
    """The value without what is not known yet: unknown members and items are left out."""
    if isinstance(value, dict):
        return {key: without_unknowns(item) for key, item in value.items() if strip_secrets(item) != UNKNOWN}
    if isinstance(value, list):
        return [without_unknowns(item) for item in value if strip_secrets(item) != UNKNOWN]
    return value


def walk(value: PropertyValue) -> Iterator[PropertyValue]:
    """The value and all values in it, outermost first."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def plain_outputs(value: PropertyValue) -> PropertyValue:
    """Output values turned into what a provider without output values takes: known, unknown or secret."""
    if isinstance(value, list):
        return [plain_outputs(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) != OUTPUT:
        return {key: plain_outputs(item) for key, item in value.items()}
    inner = plain_outputs(value["value"]) if "value" in value else UNKNOWN
    return secret(inner) if value.get("secret") else inner


def output_dependencies(value: PropertyValue) -> set[str]:
    """URNs of all resources that the output values in here come from."""
    return {urn for item in walk(value) if is_output(item) for urn in item.get("dependencies") or []}


def same_plain(old: PropertyValue, new: PropertyValue) -> bool:
    """Equality that does not see the marks of secrets."""
    return strip_secrets(old) == strip_secrets(new)
