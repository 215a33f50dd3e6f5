"""Sizes of memory in Docker's form: `512m` and `2g` count in powers of 1,024, and a number alone counts bytes."""

import re
from decimal import Decimal

from components.plan.errors import PlanError

KIB = 2**10
MIB = 2**20
GIB = 2**30

_UNITS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": 2**40, "p": 2**50}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:ib|b)?", re.ASCII | re.IGNORECASE)
_LARGEST = 2**63 - 1


def parse_size(text: str | int, *, field: str) -> int:
    """Bytes of `2g`, `256m`, `1GiB`, `1.5 GB` or a plain number; PlanError for anything else.

    As in Docker, `GB` and `GiB` are the same and case means nothing.
    """
    found = _SIZE.fullmatch(str(text))
    if found is None:
        raise PlanError(
            field=field, value=text, problem="no size", fix="write a number with a unit, such as 512m or 2g"
        )
    size = int(Decimal(found[1]) * _UNITS[found[2].lower()])
    if size > _LARGEST:
        raise PlanError(field=field, value=text, problem="more than Docker can hold", fix="use less than 8192p")
    return size


def format_size(size: int) -> str:
    """The shortest form of so many bytes that is still exact: 268435456 → `256m`."""
    for letter in ("p", "t", "g", "m", "k"):
        if size and size % _UNITS[letter] == 0:
            return f"{size // _UNITS[letter]}{letter}"
    return str(size)
