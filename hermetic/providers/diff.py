"""Diff: what changes between a state and new inputs, what that replaces, and whether the old one must go first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hermetic.providers.check import DEFAULTS, Values, without_defaults
from hermetic.providers.plan import in_set_order, planned_state, same
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import ResourceShape, Shape
from hermetic.values import UNKNOWN, strip_secrets

Change = Literal["ADD", "DELETE", "UPDATE"]


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One line of a detailed diff: the property path as Pulumi writes it, what happens, and whether it replaces."""

    path: str
    change: Change
    replaces: bool

    @property
    def root(self) -> str:
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """The answer to Diff."""

    changes: Sequence[PropertyChange]
    replaces: frozenset[str]
    delete_before_replace: bool


def difference(
    rules: Rules, shape: ResourceShape, old: Values, news: Values, ignored: Sequence[str] = ()
) -> Difference:
    """Compare a state with the inputs that are wanted now; `ignored` are property paths whose changes do not count."""
    before = strip_secrets(old)
    planned = planned_state(rules, shape.outputs, without_defaults(strip_secrets(news)), before)
    parts = {name: shape.outputs.fields.get(name, part) for name, part in shape.inputs.fields.items()}
    return compared(rules, parts, before, planned, news, ignored)


def compared(
    rules: Rules, parts: Mapping[str, Shape], before: Values, after: Values, news: Values, ignored: Sequence[str]
) -> Difference:
    """Compare plain values, property by property; `news` are the inputs as they were checked."""
    found: list[PropertyChange] = []
    for name, part in parts.items():
        found += _changes(rules, part, name, name, before.get(name), after.get(name))
    counted = [change for change in found if not any(_lies_under(change.path, path) for path in ignored)]
    replaces = {change.root for change in counted if change.replaces}
    if replaces and rules.noisy_replacement:
        replaces.add(rules.noisy_replacement)
    named = rules.autoname and "name" in parts and "name" not in (news.get(DEFAULTS) or ())
    return Difference(counted, frozenset(replaces), bool(replaces) and (rules.delete_before_replace or named))


def _lies_under(path: str, ignored: str) -> bool:
    return path == ignored or path.startswith((ignored + ".", ignored + "["))


def _changes(rules: Rules, shape: Shape, path: str, shown: str, old: Any, new: Any) -> Iterator[PropertyChange]:
    suppress = rules.suppressed.get(path)
    if same(old, new) or (suppress and suppress(old, new)):
        return
    whole = _whole_change(old, new)
    if whole:
        yield PropertyChange(shown, whole, rules.replaced_by(path) or _nested_replaces(rules, path, old, new))
    elif shape.kind == "object" and isinstance(new, dict):
        for name, part in shape.fields.items():
            yield from _changes(rules, part, f"{path}.{name}", f"{shown}.{name}", old.get(name), new.get(name))
    elif shape.kind == "map":
        yield from _map_changes(rules, path, shown, old, new)
    elif shape.is_list_of_objects() and path in rules.sets and not _members_all_given(shape.of(), new):
        yield PropertyChange(shown, "UPDATE", rules.replaced_by(path) or _nested_replaces(rules, path, old, new))
    elif shape.kind == "list":
        yield from _list_changes(rules, shape, path, shown, old, new)
    else:
        yield PropertyChange(shown, "UPDATE", rules.replaced_by(path))


def _whole_change(old: Any, new: Any) -> Change | None:
    if old is None or old == []:
        return "ADD"
    if new is None or new == []:
        return "DELETE"
    return "UPDATE" if new == UNKNOWN or type(old) is not type(new) else None


def _map_changes(rules: Rules, path: str, shown: str, old: Values, new: Values) -> Iterator[PropertyChange]:
    for key in sorted({*old, *new}):
        if key not in new:
            change: Change = "DELETE"
        elif key not in old:
            change = "ADD"
        elif old[key] != new[key]:
            change = "UPDATE"
        else:
            continue
        yield PropertyChange(shown + _key(key), change, rules.replaced_by(path))


def _key(key: str) -> str:
    return f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else '["' + key.replace('"', '\\"') + '"]'


def _list_changes(
    rules: Rules, shape: Shape, path: str, shown: str, old: Sequence[Any], new: Sequence[Any]
) -> Iterator[PropertyChange]:
    is_set = path in rules.sets
    if (is_set or path in rules.unordered) and in_set_order(old) == in_set_order(new):
        return
    for index in range(max(len(old), len(new))):
        place = f"{shown}[{index}]"
        gone = index >= len(new) or (is_set and old[index : index + 1] and old[index] not in new)
        come = index >= len(old) or (is_set and new[index : index + 1] and new[index] not in old)
        if index < len(old) and index < len(new) and ((gone and come) or not is_set):
            yield from _element_changes(rules, shape.of(), path, place, old[index], new[index])
        elif come and index < len(new):
            yield PropertyChange(place, "ADD", _element_replaces(rules, path))
        elif gone and index < len(old):
            yield PropertyChange(place, "DELETE", _element_replaces(rules, path))


def _element_changes(rules: Rules, shape: Shape, path: str, place: str, old: Any, new: Any) -> Iterator[PropertyChange]:
    if shape.kind != "object" or new == UNKNOWN:
        if old != new:
            yield PropertyChange(place, "UPDATE", rules.replaced_by(path))
        return
    replaces = path in rules.sets and rules.replaced_by(path)
    for name, part in shape.fields.items():
        for change in _changes(rules, part, f"{path}.{name}", f"{place}.{name}", old.get(name), new.get(name)):
            yield PropertyChange(change.path, change.change, change.replaces or replaces)


def _element_replaces(rules: Rules, path: str) -> bool:
    """An element that comes or goes replaces with the list itself, or with any member that does."""
    members = () if rules.replaces is None else rules.replaces
    return rules.replaced_by(path) or any(member.startswith(path + ".") for member in members)


def _members_all_given(shape: Shape, elements: Sequence[Any]) -> bool:
    """The bridge can name a set's element only when no member of it is a default of the plugin: labels, in fact."""
    return all(
        isinstance(element, dict) and all(element.get(name) not in (None, "", [], False) for name in shape.fields)
        for element in elements
    )


def _nested_replaces(rules: Rules, path: str, old: Any, new: Any) -> bool:
    """Whether a member that replaces is among what differs, in a list that is only compared as a whole."""
    members = [member.removeprefix(path + ".") for member in rules.replaces or () if member.startswith(path + ".")]
    return any(_gathered(old, member.split(".")) != _gathered(new, member.split(".")) for member in members)


def _gathered(value: Any, names: list[str]) -> list[str]:
    if isinstance(value, list):
        return sorted(found for element in value for found in _gathered(element, names))
    if not names:
        return [] if value in (None, "", [], {}) else [repr(value)]
    return _gathered(value.get(names[0]), names[1:]) if isinstance(value, dict) else []
