"""What a resource will look like: the state planned from inputs, settled with what was read, and read back into inputs.

The distinctions kept here are those of the bridged plugins' framework: a computed field keeps its old value, a set
is kept as it was planned, an absent list is null until it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hermetic.providers.check import DEFAULTS, Values
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import Shape
from hermetic.values import UNKNOWN, contains_unknown, secret, strip_secrets

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def planned_state(rules: Rules, outputs: Shape, inputs: Values, prior: Values | None = None) -> Values:
    """The state that plain inputs lead to. A computed field not given is unknown, or its prior value on an update."""
    return _planned_object(rules, outputs, "", inputs, prior, in_set=False)


def _planned_object(
    rules: Rules, shape: Shape, path: str, given: Values, prior: Values | None, *, in_set: bool
) -> Values:
    planned: Values = {}
    for name, part in shape.fields.items():
        inner = f"{path}.{name}" if path else name
        before = UNKNOWN if prior is None else prior.get(name)
        planned[name] = _planned(rules, part, inner, given.get(name), before, in_set=in_set)
    return planned


def _planned(rules: Rules, shape: Shape, path: str, given: Any, prior: Any, *, in_set: bool) -> Any:
    if path in rules.computed and given in _EMPTY and path not in rules.defaults:
        return prior
    if given is None:
        return rules.defaults.get(path, _absent(shape, in_set=in_set))
    is_set = path in rules.sets
    if shape.kind == "object" and isinstance(given, dict):
        before = prior if isinstance(prior, dict) else None
        return _planned_object(rules, shape, path, given, before, in_set=is_set)
    if shape.is_list_of_objects() and isinstance(given, list):
        planned = [_planned_element(rules, shape.of(), path, index, given, prior) for index in range(len(given))]
        return in_set_order(planned) if is_set else planned
    return in_set_order(given) if is_set and isinstance(given, list) else given


def _planned_element(rules: Rules, shape: Shape, path: str, index: int, given: list[Any], prior: Any) -> Any:
    if given[index] == UNKNOWN:
        return UNKNOWN
    is_set = path in rules.sets
    known = isinstance(prior, list) and not is_set and index < len(prior)
    return _planned_object(rules, shape, path, given[index], prior[index] if known else None, in_set=is_set)


def _absent(shape: Shape, *, in_set: bool) -> Any:
    if shape.is_list_of_objects() or (in_set and shape.kind == "list"):
        return []
    return "" if in_set and shape.kind == "string" else None


def in_set_order(elements: Sequence[Any]) -> list[Any]:
    """Elements in the framework's order of a set: by their members' values, the members in alphabetical order."""
    return sorted(elements, key=_set_key)


def _set_key(value: Any) -> tuple[Any, ...]:
    if isinstance(value, dict):
        return (3, tuple(_set_key(value[name]) for name in sorted(value)))
    if isinstance(value, list):
        return (4, tuple(_set_key(element) for element in value))
    if isinstance(value, (bool, int, float)):
        return (1, value)
    return (0,) if value is None else (2, str(value))


def settled_state(rules: Rules, outputs: Shape, planned: Values, actual: Values) -> Values:
    """The state after an operation: what was read, save what the plan says better (sets as planned, absent as null)."""
    return {
        name: _settled(rules, part, name, planned.get(name), actual.get(name)) for name, part in outputs.fields.items()
    }


def _settled(rules: Rules, shape: Shape, path: str, planned: Any, actual: Any) -> Any:
    if planned == UNKNOWN or contains_unknown(planned):
        if not (isinstance(planned, dict) and isinstance(actual, dict)):
            return actual
    elif path in rules.sets and planned is not None:
        return planned
    if planned is None and actual in ([], {}):
        return None
    if actual is None:
        return None if contains_unknown(planned) else planned
    if shape.kind == "object" and isinstance(planned, dict) and isinstance(actual, dict):
        return {
            name: _settled(rules, part, f"{path}.{name}", planned.get(name), actual.get(name))
            for name, part in shape.fields.items()
        }
    return actual


def refreshed_state(outputs: Shape, old: Values, found: Values) -> Values:
    """The state as it is in reality, told as before where nothing is different: a refresh then shows what differs."""
    return {
        name: old[name] if name in old and same(old[name], found.get(name)) else found.get(name)
        for name in outputs.fields
    }


def inputs_from_state(rules: Rules, shape: Shape, old_inputs: Values, state: Values) -> Values:
    """The inputs as they are in reality: the values of the state for the keys that the old inputs had."""
    if not old_inputs:  # an import: everything that is an input and is set
        return {name: state[name] for name in shape.fields if state.get(name) not in (*_EMPTY, False, 0)}
    return _read_object(rules, shape, "", old_inputs, state)


def _read_object(rules: Rules, shape: Shape, path: str, old: Values, new: Values) -> Values:
    read: Values = {}
    for name, before in old.items():
        if name == DEFAULTS or name not in shape.fields:
            continue
        inner = f"{path}.{name}" if path else name
        value = _read_input(rules, shape.fields[name], inner, before, new.get(name))
        if value is not None:
            read[name] = value
    defaults = [name for name in old.get(DEFAULTS) or () if name in read]
    return read | ({DEFAULTS: defaults} if defaults else {})


def _read_input(rules: Rules, shape: Shape, path: str, old: Any, new: Any) -> Any:
    plain = strip_secrets(old)
    if plain != old:
        read = _read_input(rules, shape, path, plain, new)
        return _without_empty_defaults(old) if same(plain, read) else secret(read)
    if same(old, new):
        return _without_empty_defaults(old)
    if shape.kind == "object" and isinstance(old, dict) and isinstance(new, dict):
        return _read_object(rules, shape, path, old, new)
    if shape.is_list_of_objects() and isinstance(old, list) and isinstance(new, list):
        return _read_elements(rules, shape.of(), path, old, new)
    if isinstance(old, list) and isinstance(new, list) and path in rules.sets and Counter(old) == Counter(new):
        return old
    return new


def _read_elements(rules: Rules, shape: Shape, path: str, old: list[Any], new: list[Any]) -> list[Any]:
    """Elements that are still there keep their place; the others are compared one by one in the order that is left."""
    left = list(new)
    read: list[Values | None] = [None] * len(old)
    for index, before in enumerate(old):
        for candidate in left:
            value = _read_object(rules, shape, path, before, candidate)
            if value == _without_empty_defaults(before):
                read[index] = value
                left.remove(candidate)
                break
    for index, before in enumerate(old):
        if read[index] is None and left:
            read[index] = _read_object(rules, shape, path, before, left.pop(0))
    added = [{name: value for name, value in element.items() if value not in _EMPTY} for element in left]
    return [element for element in read if element is not None] + added


def _without_empty_defaults(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty_defaults(part) for key, part in value.items() if not (key == DEFAULTS and not part)}
    return [_without_empty_defaults(part) for part in value] if isinstance(value, list) else value


def same(old: Any, new: Any) -> bool:
    """Whether two values mean the same: to the bridged plugins' framework, absent, empty, zero and false are one."""
    if old in (*_EMPTY, 0) and new in (*_EMPTY, 0):
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return all(same(old.get(key), new.get(key)) for key in {*old, *new})
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(before, after) for before, after in zip(old, new, strict=True))
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)
