"""Which properties differ between what is and what is wanted, each by its path, and what that means for the object."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plugins.swarm.fields import Change, Fields, path_of
from plugins.swarm.values import plain

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One property, or a part of one, that differs."""

    path: str
    property: str
    kind: Kind
    replaces: bool


def differences(
    fields: Fields, olds: Mapping[str, Any], news: Mapping[str, Any], ignored: Sequence[str] = ()
) -> list[Difference]:
    """All differences that mean something, in the order of the fields; marks of secrets are no difference."""
    found: list[Difference] = []
    for name, rule in fields.items():
        if rule.change is Change.NOTHING:
            continue
        old, new = plain(olds.get(name)), plain(news.get(name))
        found.extend(
            Difference(path, name, kind, rule.change is Change.REPLACE)
            for path, kind in _compare(name, old, new)
            if not _is_ignored(path, ignored)
        )
    return found


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, Kind]]:
    # An empty list or map is the same as none: neither says anything.
    if old == new or (not old and not new and type(old) in (list, dict, type(None)) and new in (None, [], {})):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _compare(path + path_of(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (items[index] if index < len(items) else None for items in (old, new))
            yield from _compare(f"{path}[{index}]", before, after)
    else:
        yield path, "add" if old is None else "delete" if new is None else "update"


def _is_ignored(path: str, ignored: Sequence[str]) -> bool:
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in ignored)
