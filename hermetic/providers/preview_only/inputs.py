"""Inputs against inputs: all that a preview can compare when it cannot read the object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hermetic.providers.check import DEFAULTS
from hermetic.providers.shapes import Shape
from hermetic.values import UNKNOWN


def given(value: Any) -> Any:
    """Inputs as the program gave them: without the defaults that a plugin filled in and listed, at any depth."""
    if isinstance(value, Mapping):
        filled = value.get(DEFAULTS) or ()
        return {key: given(part) for key, part in value.items() if key != DEFAULTS and key not in filled}
    return [given(part) for part in value] if isinstance(value, list) else value


def decoded(shape: Shape, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's configuration with the values, which SDKs send as JSON text unless they are text, as values."""
    return {
        name: _value(shape.fields[name], part) if name in shape.fields else part for name, part in configuration.items()
    }


def _value(shape: Shape, value: Any) -> Any:
    if shape.kind == "string" or not isinstance(value, str) or value == UNKNOWN:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # and that is of the wrong type


def without_examples(new: Any, old: Any, examples: frozenset[str]) -> Any:
    """New inputs with the old value wherever the new one is an example: nobody knows whether it is another one."""
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        return {key: without_examples(part, before.get(key), examples) for key, part in new.items()}
    if isinstance(new, list):
        earlier = old if isinstance(old, list) else []
        padded = [*earlier, *([None] * len(new))]
        return [without_examples(part, before, examples) for part, before in zip(new, padded, strict=False)]
    return old if isinstance(new, str) and new in examples and isinstance(old, str) else new


def previewed(shape: Shape, value: Any, prior: Any) -> Any:
    """A property as it will be: as given, and where nothing is given as it was before; `prior` is UNKNOWN at first."""
    if value is None:
        return prior
    if shape.kind == "object" and isinstance(value, dict):
        return {name: previewed(part, value.get(name), _member(prior, name)) for name, part in shape.fields.items()}
    if shape.is_list_of_objects() and isinstance(value, list):
        # In a list of another length, an element may be any of those that were there.
        earlier = prior if isinstance(prior, list) and len(prior) == len(value) else [UNKNOWN] * len(value)
        return [previewed(shape.of(), part, before) for part, before in zip(value, earlier, strict=True)]
    return value


def _member(prior: Any, name: str) -> Any:
    return prior.get(name) if isinstance(prior, dict) else UNKNOWN
