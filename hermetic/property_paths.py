"""Paths into property values, such as `tags.x`, `parts[0]` and `labels["a.b"]`, as options name them."""

import json
import re
from typing import Any

from hermetic.values import PropertyMap, PropertyValue, is_secret, secret

Path = tuple[str | int, ...]

_ELEMENT = re.compile(r'\.?([^.\[\]"]+)|\.?\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]')


class PathError(ValueError):
    """A text that is no property path, or a path that leads nowhere."""


def parse_path(text: str) -> Path:
    """The steps of a path; `*` stays as a text and stands for any key or index."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        found = _ELEMENT.match(text, position)
        if found is None:
            raise PathError(f'{text!r} is no property path: write it like name.field[0] or name["a.b"]')
        name, quoted, index = found.groups()
        if index is not None:
            steps.append(index if index == "*" else int(index))
        else:
            steps.append(name if name is not None else json.loads(f'"{quoted}"'))
        position = found.end()
    return tuple(steps)


def contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is the place `outer`, or lies in it."""
    if len(outer) > len(inner):
        return False
    return all(mine in ("*", theirs) for mine, theirs in zip(outer, inner, strict=False))


def with_old_values(news: PropertyMap, olds: PropertyMap, ignored: list[str]) -> PropertyMap:
    """The new inputs with the old values at ignored paths: what is not in the old is not in the result either.

    Only the end of a path may be missing in one of the two, and lists keep their lengths.
    """
    result: PropertyValue = news
    missing: list[str] = []
    for text in ignored:
        try:
            result = _reset(result, olds, parse_path(text), hidden=False)
        except _MissingError:
            missing.append(text)
    if missing:
        raise PathError(
            f"ignore_changes names {', '.join(json.dumps(text) for text in missing)}, but one or more elements "
            "of the path are missing in the program or in the state: set it in the program, or shorten the path"
        )
    return result


class _MissingError(Exception):
    """A path that is in one value and not in the other."""


_MISSING: Any = object()


def _reset(new: PropertyValue, old: PropertyValue, path: Path, *, hidden: bool) -> PropertyValue:
    """`new` with what stands at `path` taken from `old`; `hidden` where the old value lies in a secret, the new not."""
    if is_secret(new):
        return new | {"value": _reset(new["value"], _open(old), path, hidden=False)}
    hidden = hidden or is_secret(old)
    old, step, rest = _open(old), path[0], path[1:]
    if step == "*":
        return _reset_all(new, old, rest, hidden=hidden)
    if isinstance(step, int):
        return _reset_item(new, old, step, rest, hidden=hidden)
    return _reset_member(new, old, step, rest, hidden=hidden)


def _open(value: PropertyValue) -> PropertyValue:
    return value["value"] if is_secret(value) else value


def _below(new: PropertyValue, old: PropertyValue, rest: Path, *, hidden: bool) -> PropertyValue:
    """The new value of a place that is in both: at the end of the path the old one."""
    if rest:
        return _reset(new, old, rest, hidden=hidden)
    return secret(old) if hidden else old


def _reset_member(new: PropertyValue, old: PropertyValue, key: str, rest: Path, *, hidden: bool) -> PropertyValue:
    before = old.get(key, _MISSING) if isinstance(old, dict) else _MISSING
    if not isinstance(new, dict):
        if before is not _MISSING or (rest and isinstance(old, dict)):
            raise _MissingError
        return new
    if rest and not isinstance(old, dict):
        raise _MissingError
    if key not in new:
        if before is not _MISSING and rest:
            raise _MissingError
        return new if before is _MISSING else new | {key: secret(before) if hidden else before}
    if before is _MISSING and not rest:
        return {each: value for each, value in new.items() if each != key}
    before = None if before is _MISSING else before
    return new | {key: _below(new[key], before, rest, hidden=hidden)}


def _reset_item(new: PropertyValue, old: PropertyValue, index: int, rest: Path, *, hidden: bool) -> PropertyValue:
    if not isinstance(new, list) or not isinstance(old, list):
        if isinstance(new, list) or isinstance(old, list):
            raise _MissingError
        return new
    if index >= max(len(new), len(old)) and not rest:
        return new
    if index >= min(len(new), len(old)):
        raise _MissingError
    return [*new[:index], _below(new[index], old[index], rest, hidden=hidden), *new[index + 1 :]]


def _reset_all(new: PropertyValue, old: PropertyValue, rest: Path, *, hidden: bool) -> PropertyValue:
    """All members or items at once; at the end of the path, old values of another shape change nothing."""
    if isinstance(new, dict) and isinstance(old, dict):
        if rest and not old.keys() <= new.keys():
            raise _MissingError
        kept = new if rest else {}
        return kept | {key: _below(new.get(key), value, rest, hidden=hidden) for key, value in old.items()}
    if isinstance(new, list) and isinstance(old, list):
        if len(new) != len(old):
            raise _MissingError
        return [_below(after, before, rest, hidden=hidden) for after, before in zip(new, old, strict=True)]
    if rest or not isinstance(new, dict | list):
        raise _MissingError
    return new
