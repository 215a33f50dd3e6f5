"""Go's durations, as Docker's providers read and print them: the shortest form is what comes back from the daemon."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def nanoseconds(text: str) -> int:
    """The length of `1m30s`, `500ms`, `-2h` or `0` in nanoseconds; ValueError for anything else."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    parts = list(_PART.finditer(rest))
    if not parts or "".join(part.group() for part in parts) != rest:
        raise ValueError(f"{text!r} is not a valid duration")
    return sign * sum(int(Decimal(part.group(1)) * _UNITS[part.group(2)]) for part in parts)


def seconds(text: str) -> float:
    """The same in seconds."""
    return nanoseconds(text) / 1e9


def shortest(length: int) -> str:
    """Nanoseconds in Go's shortest form: `1m`, not `1m0s`; `1.5s`, not `1500ms`."""
    if length == 0:
        return "0s"
    sign, rest = ("-", -length) if length < 0 else ("", length)
    if rest < _UNITS["s"]:
        unit = next(unit for unit in ("ms", "us", "ns") if rest >= _UNITS[unit])
        return f"{sign}{_decimal(rest, _UNITS[unit])}{'µs' if unit == 'us' else unit}"
    hours, rest = divmod(rest, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    written = [(hours, "h"), (minutes, "m")]
    text = "".join(f"{count}{unit}" for count, unit in written if count)
    return sign + text + (f"{_decimal(rest, _UNITS['s'])}s" if rest else "")


def _decimal(amount: int, unit: int) -> str:
    whole, fraction = divmod(amount, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
