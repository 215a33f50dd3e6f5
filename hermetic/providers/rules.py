"""What the SDK's types do not say of a resource: defaults, what replaces, is computed, is a set, is refused.

One table per resource type. A path is the wire names joined by dots, without list indices: `taskSpec.runtime`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermetic.providers import durations

Refusal = str
Validation = Callable[[Any], Refusal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The table of one resource type; every field is keyed by path.

    `replaces` is None when every input does. `conflicts` lists groups of which only one may be given; `exclusions`
    maps an argument to those it may not stand beside. `keeps_empty` names lists that a plan shows as empty, not absent.
    """

    resource_type: str
    autoname: bool = True
    replaces: frozenset[str] | None = None
    delete_before_replace: bool = False
    computed: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    unordered: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    validations: Mapping[str, Validation] = field(default_factory=dict[str, Validation])
    conflicts: Sequence[Sequence[str]] = ()
    exclusions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    secret_outputs: frozenset[str] = frozenset()
    suppressed: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict[str, Callable[[Any, Any], bool]])
    noisy_replacement: str = ""

    def replaced_by(self, path: str) -> bool:
        return self.replaces is None or path in self.replaces

    def upstream_name(self, path: str) -> str:
        """The name of the last part of a path in the plugin's own messages, which are in snake case."""
        return self.renamed.get(path) or snake_case(path.rpartition(".")[2])


def paths(text: str) -> frozenset[str]:
    """A set of paths written as words; `a.b.{c,d}` stands for `a.b.c` and `a.b.d`."""
    found: set[str] = set()
    for word in text.split():
        head, brace, tail = word.partition("{")
        found |= {head + name for name in tail.rstrip("}").split(",")} if brace else {word}
    return frozenset(found)


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda letter: "_" + letter.group(1).lower(), name)


def matches(pattern: str) -> Validation:
    def check(value: Any) -> Refusal | None:
        return None if re.search(pattern, str(value)) else f"'{value}' doesn't match the pattern '{pattern}'"

    return check


def at_least(threshold: int) -> Validation:
    return lambda value: f"'{value}' cannot be lower than {threshold}" if value < threshold else None


def duration(value: Any) -> Refusal | None:
    try:
        length = durations.nanoseconds(str(value))
    except ValueError:
        return f"'{value}' is not a valid duration"
    return f"'{value}' duration must not be negative" if length < 0 else None


def ratio(value: Any) -> Refusal | None:
    try:
        share = float(value)
    except ValueError:
        return f"'{value}' is not a float"
    return None if 0 <= share <= 1 else f"'{value}' has to be between 0.0 and 1.0"


def base64_text(value: Any) -> Refusal | None:
    try:
        b64decode(str(value), validate=True)
    except NotBase64:
        return "the value is not base64 decodeable"  # the value itself may be a secret
    return None


def absolute_path(value: Any) -> Refusal | None:
    return None if re.match(r"^[a-zA-Z]:[\\/]|^/", str(value)) else f"'{value}' must be an absolute path"
