"""Check: defaults, automatic names and refusals, in the words and with the `__defaults` lists of bridged plugins."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hermetic.providers.rules import Rules
from hermetic.providers.shapes import Kind, Shape
from hermetic.values import SECRET, SIGNATURE, UNKNOWN, strip_secrets

Values = dict[str, Any]
DEFAULTS = "__defaults"
_SUFFIX_LENGTH = 7
_WORDS = {"string": "string", "boolean": "boolean", "integer": "number", "number": "number", "list": "list"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its path in the rules, in the user's program, and in the plugin's own messages.

    The plugin cannot name an element of a set, so that its `shown` path ends at the set.
    """

    path: str
    shown: str
    upstream: str
    in_set: bool = False

    def member(self, name: str, rules: Rules) -> Place:
        path = f"{self.path}.{name}" if self.path else name
        own = rules.upstream_name(path)
        upstream = f"{self.upstream}.{own}" if self.upstream else own
        return Place(path, self.shown if self.in_set else f"{self.shown}.{name}", upstream, self.in_set)

    def element(self, index: int, rules: Rules) -> Place:
        if self.in_set or self.path in rules.sets:
            return replace(self, upstream=f"{self.upstream}.{index}", in_set=True)
        return replace(self, shown=f"{self.shown}[{index}]", upstream=f"{self.upstream}.{index}")

    def block(self) -> Place:
        return replace(self, upstream=f"{self.upstream}.0")

    def refuse(self, reason: str) -> str:
        return f"{reason}. Examine values at '{self.shown}'."


def checked_inputs(rules: Rules, shape: Shape, name: str, news: Values, olds: Values, seed: bytes) -> Values:
    """The inputs with defaults filled in, each object listing what was filled under `__defaults`."""
    filled = _filled(rules, shape, "", without_defaults(news))
    if rules.autoname and "name" in shape.fields and filled.get("name") is None:
        kept = olds.get("name") if "name" in (olds.get(DEFAULTS) or ()) else None
        filled["name"] = kept or automatic_name(name, seed)
        filled[DEFAULTS] = sorted([*filled[DEFAULTS], "name"])
    return filled


def automatic_name(name: str, seed: bytes) -> str:
    """`name-7hex`: the same for the same seed, so that one deployment names a resource once."""
    digest = hashlib.sha256(seed + name.encode()).hexdigest() if seed else secrets.token_hex(_SUFFIX_LENGTH)
    return f"{name}-{digest[:_SUFFIX_LENGTH]}"


def failures(rules: Rules, shape: Shape, name: str, inputs: Values) -> list[str]:
    """Every refusal of checked inputs, each naming the value to look at."""
    plain = without_defaults(strip_secrets(inputs))
    found = list(_refusals(rules, shape, Place("", name, ""), plain))
    return found + list(_combinations(rules, name, plain))


def without_defaults(value: Any) -> Any:
    """The value without the bookkeeping keys of the bridge, at any depth."""
    if isinstance(value, Mapping):
        return {key: without_defaults(part) for key, part in value.items() if key != DEFAULTS}
    if isinstance(value, list):
        return [without_defaults(part) for part in value]
    return value


def _filled(rules: Rules, shape: Shape, path: str, value: Any) -> Any:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET:
        return {**value, "value": _filled(rules, shape, path, value["value"])}
    if value is None or value == UNKNOWN:
        return value
    if shape.kind == "list":
        elements = value if isinstance(value, list) else [value]
        return [_filled(rules, shape.of(), path, element) for element in elements]
    if shape.kind != "object" or not isinstance(value, Mapping):
        return value
    filled: Values = {}
    for key, part in value.items():
        filled[key] = _filled(rules, shape.fields[key], _join(path, key), part) if key in shape.fields else part
    added = {key: default for key in shape.fields if (default := rules.defaults.get(_join(path, key)))}
    missing = {key: default for key, default in added.items() if filled.get(key) is None}
    return filled | missing | {DEFAULTS: sorted(missing)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refusals(rules: Rules, shape: Shape, place: Place, value: Any) -> Iterator[str]:
    if value is None or value == UNKNOWN:
        return
    if not _is_of(shape, value):
        yield place.refuse(_wrong_type(shape, value))
        return
    if isinstance(value, dict):
        if shape.kind == "object":
            yield from _object_refusals(rules, shape, place, value)
        elif shape.kind == "map":
            for key, element in value.items():
                part = replace(place, shown=place.shown if place.in_set else f"{place.shown}.{key}")
                yield from _refusals(rules, shape.of(), part, element)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from _refusals(rules, shape.of(), place.element(index, rules), element)
    elif (validation := rules.validations.get(place.path)) and (reason := validation(value)):
        yield place.refuse(f"{reason}. {reason}")


def _object_refusals(rules: Rules, shape: Shape, place: Place, value: Mapping[str, Any]) -> Iterator[str]:
    for key in value:
        if key not in shape.fields:
            yield place.member(key, rules).refuse("Invalid or unknown key")
    for key, part in shape.fields.items():
        inner = place.member(key, rules)
        if key in shape.required and value.get(key) is None:
            reason = f'The argument "{inner.upstream}" is required, but no definition was found.'
            yield inner.refuse(f"Missing required argument. {reason}")
        elif key in value:
            nested = inner.block() if part.kind == "object" else inner
            yield from _refusals(rules, part, nested, value[key])


def _is_of(shape: Shape, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits: dict[Kind, bool] = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": is_number and value == int(value),
        "number": is_number,
        "list": isinstance(value, list),
        "map": isinstance(value, dict) and SIGNATURE not in value,
        "object": (isinstance(value, dict) and SIGNATURE not in value) or (shape.or_text and isinstance(value, str)),
        "any": True,
    }
    return fits[shape.kind]


def _wrong_type(shape: Shape, value: Any) -> str:
    wanted = _WORDS.get(shape.kind, "object" if shape.kind == "object" else "map")
    got = {str: "string", bool: "bool", list: "slice", dict: "map"}.get(type(value), "float64")
    return f"Expected {wanted.capitalize()} Type. Expected {wanted}, got {got}"


def _combinations(rules: Rules, name: str, inputs: Values) -> Iterator[str]:
    for group in rules.conflicts:
        given = [path for path in group if _given(inputs, path)]
        if len(given) == 1:
            continue
        upstream = ",".join(_upstream(rules, path) for path in group)
        specified = ",".join(_upstream(rules, path) for path in given)
        for path in given or group:
            wrong = (
                f"only one of `{upstream}` can be specified, but `{specified}` were specified."
                if given
                else f"one of `{upstream}` must be specified"
            )
            reason = f'Invalid combination of arguments. "{_upstream(rules, path)}": {wrong}'
            yield f"{reason}. Examine values at '{name}.{path}'."
    for path, others in rules.exclusions.items():
        met = [other for other in others if _given(inputs, other)]
        if met and _given(inputs, path):
            conflict = f'"{_upstream(rules, path)}": conflicts with {_upstream(rules, met[0])}'
            yield f"Conflicting configuration arguments. {conflict}. Examine values at '{name}.{path}'."


def _given(inputs: Values, path: str) -> bool:
    value: Any = inputs
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value is not None and value != UNKNOWN


def _upstream(rules: Rules, path: str) -> str:
    parts = path.split(".")
    names = [rules.upstream_name(".".join(parts[: count + 1])) for count in range(len(parts))]
    return ".0.".join(names)
