"""Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Labels = Mapping[str, str]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(kw_only=True)
class Family:
    """A metric with its samples; `text` is what HELP says."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str
    samples: list[tuple[Labels, float]] = field(default_factory=list[tuple[Labels, float]])

    def add(self, value: float, labels: Labels) -> None:
        """One more sample."""
        self.samples.append((labels, value))


class Families:
    """Metrics by name, in the order in which they were first told of."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    def gauge(self, name: str, text: str, value: float, labels: Labels) -> None:
        """A value that goes up and down."""
        self._family(name, "gauge", text).add(value, labels)

    def counter(self, name: str, text: str, value: float, labels: Labels) -> None:
        """A value that only grows, and begins anew with its container or machine."""
        self._family(name, "counter", text).add(value, labels)

    def render(self) -> str:
        """Everything as text."""
        return "".join(f"{line}\n" for family in self._families.values() for line in _lines(family))

    def _family(self, name: str, kind: Literal["gauge", "counter"], text: str) -> Family:
        return self._families.setdefault(name, Family(name=name, kind=kind, text=text))


def label_name(text: str) -> str:
    """A label's name, as cAdvisor writes the names of Docker's labels."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", text)


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.text}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in family.samples:
        yield f"{family.name}{_labels(labels.items())} {_value(value)}"


def _labels(items: Iterable[tuple[str, str]]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in items)
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _value(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
