"""Paths into property values, such as `tags.x`, `parts[0]` and `labels["a.b"]`, as options name them."""

import json
import re
from typing import Any

from hermetic.values import PropertyMap, PropertyValue, is_secret

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
    """The new inputs with the old values at ignored paths: what is not in the old is not in the result either."""
    result: PropertyValue = news
    for text in ignored:
        path = parse_path(text)
        try:
            result = _restored(result, olds, path)
        except PathError as error:
            raise PathError(
                f"cannot ignore changes to {text!r} because one or more elements of the path are missing: "
                "set them in the program, or shorten the path"
            ) from error
    return result


_MISSING: Any = object()


def _restored(new: PropertyValue, old: PropertyValue, path: Path) -> PropertyValue:
    """`new` with what stands at `path` taken from `old`; both may be missing."""
    if not path:
        return old
    if is_secret(new):
        inner = _restored(new["value"], _open(old), path)
        return inner if inner is _MISSING else new | {"value": inner}
    return _restored_inside(new, _open(old), path)


def _open(value: PropertyValue) -> PropertyValue:
    return value["value"] if is_secret(value) else value


def _restored_inside(new: PropertyValue, old: PropertyValue, path: Path) -> PropertyValue:
    step, rest = path[0], path[1:]
    if step == "*":
        for each in _places(new, old):
            new = _restored(new, old, (each, *rest))
        return new
    if new is _MISSING and old is _MISSING:
        return _MISSING
    if isinstance(new, dict) and isinstance(step, str):
        return _restored_in_map(new, old, step, rest)
    if isinstance(new, list) and isinstance(step, int):
        return _restored_in_list(new, old, step, rest)
    if old is _MISSING:
        return new
    raise PathError(f"{step!r} is missing in the new value")


def _restored_in_map(new: PropertyMap, old: PropertyValue, key: str, rest: Path) -> PropertyMap:
    old_value = old.get(key, _MISSING) if isinstance(old, dict) else _MISSING
    value = _restored(new.get(key, _MISSING), old_value, rest)
    others = {each: item for each, item in new.items() if each != key}
    return others if value is _MISSING else others | {key: value}


def _restored_in_list(new: list[Any], old: PropertyValue, index: int, rest: Path) -> list[Any]:
    old_value = old[index] if isinstance(old, list) and index < len(old) else _MISSING
    new_value = new[index] if index < len(new) else _MISSING
    value = _restored(new_value, old_value, rest)
    if index < len(new):
        return [*new[:index], *([] if value is _MISSING else [value]), *new[index + 1 :]]
    return [*new, value] if index == len(new) and value is not _MISSING else new


def _places(new: PropertyValue, old: PropertyValue) -> list[str | int]:
    """Keys or indices of both values."""
    if isinstance(new, dict):
        return sorted({*new, *(old if isinstance(old, dict) else ())})
    if isinstance(new, list):
        return list(range(max(len(new), len(old) if isinstance(old, list) else 0)))
    return []
