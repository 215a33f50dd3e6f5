"""A mapping of a Compose file, read by the table of its keys: every key is taken, or it is said what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from components.plan.errors import PlanError
from components.services.compose import values
from components.services.compose.keys import IGNORED, REFUSED, SUPPORTED, Table

Value = TypeVar("Value")


@dataclass
class Findings:
    """What was found in a file: lines for what is ignored (`notes`) and for what is in the way (`faults`)."""

    notes: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])

    def note(self, where: str, value: object, words: str) -> None:
        """A line of the same form as an error's."""
        self.notes.append(f"{where} is {shown(value)}: {words}")


class Section:
    """A mapping at `field` of the file. What is not of its table is a fault, and so is what the table refuses."""

    def __init__(self, field: str, value: Any, table: Table, findings: Findings) -> None:
        self.field = field
        self.findings = findings
        self._table = table
        self._values: dict[str, Any] = {}
        for key, item in self._mapping(value).items():
            if key.startswith("x-"):
                continue
            self._sort(key, item)
        self._left = set(self._values)

    def _mapping(self, value: Any) -> dict[str, Any]:
        return self.caught(lambda: values.mapping(value, self.field)) or {}

    def _sort(self, name: str, value: Any) -> None:
        key = self._table.get(name)
        if key is None:
            known = ", ".join(key.name for key in self._table.values() if key.verdict == SUPPORTED)
            self.fault(name, value, "no key of a Compose file here", f"use one of {known}")
        elif key.verdict == SUPPORTED:
            self._values[name] = value
        elif value is False or value in (None, [], {}):
            # What is said is what a swarm does anyway.
            return
        elif key.verdict == IGNORED:
            self.findings.note(self.where(name), value, f"ignored: {key.why}; {key.fix}")
        elif key.verdict == REFUSED:
            self.fault(name, value, key.why, key.fix)

    def where(self, key: str) -> str:
        """The whole name of a key: `services.web.ports`."""
        return f"{self.field}.{key}" if self.field else key

    def fault(self, key: str, value: object, problem: str, fix: str) -> None:
        """Something in the way; the reader goes on, so that the user learns of everything at once."""
        self.findings.faults.append(
            str(PlanError(field=self.where(key), value=_short(value), problem=problem, fix=fix))
        )

    def caught(self, read: Callable[[], Value]) -> Value | None:
        """What the reader gives, None when it refused: that is a fault."""
        try:
            return read()
        except PlanError as error:
            self.findings.faults.append(str(error))
            return None

    def optional(self, key: str, read: Callable[[Any, str], Value]) -> Value | None:
        """The value of a key by a reader that takes it and its whole name; None where it is not said."""
        self._left.discard(key)
        if self._values.get(key) is None:
            return None
        return self.caught(lambda: read(self._values[key], self.where(key)))

    def required(self, key: str, read: Callable[[Any, str], Value]) -> Value:
        """The same for a key that has to be there."""
        self._left.discard(key)
        if self._values.get(key) is None:
            raise PlanError(field=self.where(key), value=None, problem="missing", fix="say it")
        return read(self._values[key], self.where(key))

    def inner(self, key: str, value: Any, table: Table) -> Section:
        """A mapping inside this one."""
        return Section(self.where(key), value, table, self.findings)

    def section(self, key: str, table: Table) -> Section:
        """The mapping that is the value of a key; an empty one where it is not said."""
        self._left.discard(key)
        return self.inner(key, self._values.get(key), table)

    def done(self) -> None:
        """Nothing that the table supports was left unread: a defect of the reader, never of the file."""
        if self._left:
            raise AssertionError(f"{self.field}: {sorted(self._left)} are supported and not read")


def shown(value: object) -> str:
    """A value in a line: not longer than a reader wants to see."""
    return repr(_short(value)) if isinstance(value, str) else str(_short(value))


def _short(value: object, most: int = 60) -> object:
    written = str(value)
    if isinstance(value, Mapping | list):
        return _Bare(written if len(written) <= most else written[: most - 1] + "…")
    return value if len(written) <= most else written[: most - 1] + "…"


class _Bare:
    """Words that are shown without quotation marks."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __str__(self) -> str:
        return self._words
