"""Durations in Go's form. Docker reports them in the shortest form of it, and pulumi-docker compares texts: any other
form of the same duration would be a change in every preview, for ever."""

import re
from decimal import Decimal

from components.plan.errors import PlanError

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # micro sign
    "μs": 10**3,  # Greek letter mu; Go takes both
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST = 2**63 - 1


def parse_duration(text: str, *, field: str) -> int:
    """Nanoseconds of a Go duration (`90s`, `1m30s`, `1.5h`, `0`); PlanError for all else, negative ones too."""
    if text == "0":
        return 0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise PlanError(
            field=field,
            value=text,
            problem="no duration",
            fix="write numbers with units, such as 10s, 1m30s or 2160h",
        )
    # Go drops what is finer than a nanosecond part by part, and so do we.
    length = sum(int(Decimal(number) * _NANOSECONDS[unit]) for number, unit in parts)
    if length > _LONGEST:
        raise PlanError(field=field, value=text, problem="longer than Docker can hold", fix="use at most 2562047h")
    return length


def shortest(text: str, *, field: str) -> str:
    """The same duration as Docker's providers print it: `60s` → `1m`, `5000ms` → `5s`, `3601s` → `1h0m1s`."""
    return format_duration(parse_duration(text, field=field))


def format_duration(nanoseconds: int) -> str:
    """Go's text of a duration without trailing zero minutes and seconds."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < _NANOSECONDS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if nanoseconds >= _NANOSECONDS[unit])
        return _decimal(nanoseconds, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, _NANOSECONDS["s"]) + "s" if rest else ""
    if hours:
        # Go leaves a zero out at the end only: `1h0m1s`, but `1h`.
        return f"{hours}h{minutes}m{seconds}" if minutes or seconds else f"{hours}h"
    return (f"{minutes}m" if minutes else "") + seconds


def _decimal(amount: int, unit: int) -> str:
    """`amount / unit` without rounding and without trailing zeros."""
    return format((Decimal(amount) / unit).normalize(), "f")
