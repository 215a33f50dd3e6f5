"""Property values as the engine sends them: plain Python values, with `Secret` around what is secret and UNKNOWN for
what a preview does not know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct, Value

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_MARK: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the public mark of a secret, not one
OUTPUT_MARK: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE_MARK: Final = "5cf8f73096256a8f31e491e813e4eb8e"
# All of them mean "not known yet"; which of them is sent depends on the type that the value would have.
UNKNOWN_MARKS: Final = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
UNKNOWN_MARK: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that is known only after the update."""

    def __repr__(self) -> str:
        return "<not known yet>"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret value; it never shows its content by accident."""

    value: Any = field(repr=False)


def decode(struct: Struct) -> dict[str, Any]:
    """The fields of a message; names that begin with two underscores are the engine's own and are left out."""
    return {key: _decode(value) for key, value in struct.fields.items() if not key.startswith("__")}


def encode(properties: Mapping[str, Any]) -> Struct:
    """A message from values; what is None is left out."""
    struct = Struct()
    for key, value in properties.items():
        if value is not None:
            _encode(struct.fields[key], value)
    return struct


def plain(value: Any) -> Any:
    """The same value without marks of secrets, at any depth."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def is_known(value: Any) -> bool:
    """Whether nothing in the value is unknown."""
    return not any(item is UNKNOWN for item in _walk(value))


def has_secret(value: Any) -> bool:
    """Whether the value or anything in it is secret."""
    return any(isinstance(item, Secret) for item in _walk(value))


def secret_texts(value: Any) -> Iterator[str]:
    """All texts that stand below a mark of a secret: what no message may contain."""
    for item in _walk(value):
        if isinstance(item, Secret):
            yield from (text for text in _walk(plain(item)) if isinstance(text, str) and text)


def _walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Secret):
        yield from _walk(value.value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)


def _decode(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in UNKNOWN_MARKS else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_struct(value.struct_value)
        case _:
            return None


def _decode_struct(struct: Struct) -> Any:
    fields = struct.fields
    match fields[SIGNATURE].string_value if SIGNATURE in fields else "":
        case mark if mark == SECRET_MARK:
            return Secret(_decode(fields["value"]))
        case mark if mark == OUTPUT_MARK:
            known = _decode(fields["value"]) if "value" in fields else UNKNOWN
            return Secret(known) if "secret" in fields and fields["secret"].bool_value else known
        case mark if mark == REFERENCE_MARK:
            # A resource in place of a value stands for its id; a component has none but its URN.
            return _decode(fields["id"]) if "id" in fields else fields["urn"].string_value
        case _:
            return {key: _decode(item) for key, item in fields.items()}


def _encode(wire: Value, value: Any) -> None:  # noqa: C901 - one branch a kind
    if value is UNKNOWN:
        wire.string_value = UNKNOWN_MARK
    elif isinstance(value, Secret):
        wire.struct_value.fields[SIGNATURE].string_value = SECRET_MARK
        _encode(wire.struct_value.fields["value"], value.value)
    elif value is None:
        wire.null_value = 0  # pyright: ignore[reportAttributeAccessIssue] - the enum has this one member
    elif isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, str):
        wire.string_value = value
    elif isinstance(value, int | float):
        wire.number_value = value
    elif isinstance(value, list | tuple):
        wire.list_value.SetInParent()
        for item in value:
            _encode(wire.list_value.values.add(), item)
    elif isinstance(value, dict):
        wire.struct_value.SetInParent()
        for key, item in value.items():
            _encode(wire.struct_value.fields[key], item)
    else:
        raise TypeError(f"a property value of type {type(value).__name__} has no wire form")
