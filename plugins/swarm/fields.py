"""What properties a resource takes: their kinds, defaults and what a change of them means. Checks report every failure,
with the field, its value and the fix."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from plugins.swarm.values import UNKNOWN, Secret, plain

Refusal = str | None
Kind = Callable[[Any], "list[Failure]"]
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|m|s|ms))+")
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}")


class Change(Enum):
    """What the change of a property means for the object."""

    UPDATE = "update"
    REPLACE = "replace"
    # Ways to the object and tokens: used where needed, never a reason to do something.
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Failure:
    """One wrong property; `path` is where (`connection.port`)."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a resource."""

    kind: Kind
    required: bool = False
    default: Any = None
    change: Change = Change.UPDATE
    secret: bool = False


Fields = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Checked:
    """Inputs with defaults, and what is wrong with them."""

    inputs: dict[str, Any]
    failures: list[Failure] = field(default_factory=list[Failure])


def check(fields: Fields, news: Mapping[str, Any]) -> Checked:
    """All inputs with their defaults filled in and their secrets marked; everything that is wrong with them."""
    inputs = {key: value for key, value in news.items() if value is not None}
    for name, rule in fields.items():
        if name not in inputs and rule.default is not None:
            inputs[name] = rule.default
        if rule.secret and name in inputs and not isinstance(inputs[name], Secret):
            inputs[name] = Secret(inputs[name])
    failures = [Failure(one.path, f"{one.path} {one.reason}") for one in _failures(fields, inputs)]
    return Checked(inputs, failures)


def _failures(fields: Fields, inputs: Mapping[str, Any]) -> list[Failure]:
    """What is wrong, each with a reason that continues the path: `port`, `is required`."""
    known = ", ".join(sorted(fields))
    found = [Failure(name, f"is no property here; known are {known}") for name in sorted(set(inputs) - set(fields))]
    for name, rule in fields.items():
        if name in inputs:
            found.extend(_below(name, rule.kind(plain(inputs[name]))))
        elif rule.required:
            found.append(Failure(name, "is required"))
    return found


def _below(path: str, failures: list[Failure]) -> list[Failure]:
    return [Failure(path + one.path, one.reason) for one in failures]


def _leaf(refusal: Callable[[Any], Refusal]) -> Kind:
    def kind(value: Any) -> list[Failure]:
        reason = None if value is UNKNOWN else refusal(value)
        return [Failure("", reason)] if reason else []

    return kind


def _text(value: Any) -> Refusal:
    if not isinstance(value, str):
        return f"is {value!r}: expected text"
    return None if value else "is empty: leave it out or give it a value"


def _boolean(value: Any) -> Refusal:
    return None if isinstance(value, bool) else f"is {value!r}: expected true or false"


def _sealed(value: Any) -> Refusal:
    # Of a secret nothing is quoted, not even its wrong type.
    return None if isinstance(value, str) and value else "is not a text: give it the output of the cluster"


def _address(value: Any) -> Refusal:
    """An IP address or the name of an interface, as `docker swarm init` takes them, with or without a port."""
    if refusal := _text(value):
        return refusal
    return (
        None if re.fullmatch(r"[A-Za-z0-9_.:\[\]-]+", value) else f"is {value!r}: expected an IP address or interface"
    )


def _cidr(value: Any) -> Refusal:
    if refusal := _text(value):
        return refusal
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return f"is {value!r}: {error}; expected a network such as 10.20.0.0/16"
    return None if "/" in value else f"is {value!r}: expected a network such as 10.20.0.0/16"


def _duration(value: Any) -> Refusal:
    if isinstance(value, str) and DURATION.fullmatch(value):
        return None
    return f"is {value!r}: expected a Go duration such as 2160h or 1h30m"


def _certificate_expiry(value: Any) -> Refusal:
    if refusal := _duration(value):
        return refusal
    return None if seconds(value) >= 3600 else f"is {value!r}: the shortest that Docker takes is 1h"


def _host_key(value: Any) -> Refusal:
    if isinstance(value, str) and HOST_KEY.fullmatch(value.strip()):
        return None
    return f"is {value!r}: expected a public key line such as `ssh-ed25519 AAAA…` (without a comment)"


def seconds(duration: str) -> float:
    """The length of a Go duration."""
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION_PART.findall(duration))


def number(lowest: int, highest: int | None = None, unit: str = "") -> Kind:
    """A whole number within bounds."""
    bounds = f"{lowest} to {highest}" if highest is not None else f"{lowest} or more"

    def refusal(value: Any) -> Refusal:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"is {value!r}: expected a whole number, {bounds}{unit}"
        fits = lowest <= value and (highest is None or value <= highest)
        return None if fits else f"is {value}: expected {bounds}{unit}"

    return _leaf(refusal)


def positive(unit: str) -> Kind:
    """A number above zero, whole or not."""

    def refusal(value: Any) -> Refusal:
        good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        return None if good else f"is {value!r}: expected a number of {unit} above 0"

    return _leaf(refusal)


def matching(pattern: str, expected: str) -> Kind:
    """A text of a certain form."""

    def refusal(value: Any) -> Refusal:
        good = isinstance(value, str) and re.fullmatch(pattern, value)
        return None if good else f"is {value!r}: expected {expected}"

    return _leaf(refusal)


def one_of(*words: str) -> Kind:
    """One of a few words."""
    return _leaf(lambda value: None if value in words else f"is {value!r}: expected {' or '.join(words)}")


def list_of(kind: Kind, at_least: int = 0) -> Kind:
    """A list whose items are all of one kind."""

    def check_list(value: Any) -> list[Failure]:
        if value is UNKNOWN:
            return []
        if not isinstance(value, list):
            return [Failure("", f"is {value!r}: expected a list")]
        if len(value) < at_least:
            return [Failure("", f"has {len(value)} items: expected at least {at_least}")]
        return [failure for index, item in enumerate(value) for failure in _below(f"[{index}]", kind(item))]

    return check_list


def map_of(kind: Kind) -> Kind:
    """A map from text to one kind."""

    def check_map(value: Any) -> list[Failure]:
        if value is UNKNOWN:
            return []
        if not isinstance(value, dict):
            return [Failure("", f"is {value!r}: expected a map")]
        return [failure for key, item in value.items() for failure in _below(path_of(key), kind(item))]

    return check_map


def record(fields: Fields) -> Kind:
    """A map with known names."""

    def check_record(value: Any) -> list[Failure]:
        if value is UNKNOWN:
            return []
        if not isinstance(value, dict):
            return [Failure("", f"is {value!r}: expected {', '.join(fields)}")]
        return _below(".", _failures(fields, {name: item for name, item in value.items() if item is not None}))

    return check_record


def path_of(key: str) -> str:
    """A key below a property, as the engine writes paths: `.zone`, or `["com.docker/zone"]`."""
    return f".{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key) else f'["{key}"]'


TEXT = _leaf(_text)
BOOLEAN = _leaf(_boolean)
SEALED = _leaf(_sealed)
ADDRESS = _leaf(_address)
CIDR = _leaf(_cidr)
CERTIFICATE_EXPIRY = _leaf(_certificate_expiry)
_CONNECTION = {
    "address": Field(ADDRESS, required=True),
    "port": Field(number(1, 65535), required=True),
    "user": Field(TEXT, required=True),
}
CONNECTION = record({**_CONNECTION, "hostKey": Field(_leaf(_host_key), required=True)})
FIRST_CONNECTION = record({**_CONNECTION, "hostKey": Field(_leaf(_host_key))})
# Labels and environment variables may be empty texts.
TEXTS = map_of(_leaf(lambda value: None if isinstance(value, str) else f"is {value!r}: expected text"))
