"""Single values of a Compose file, in all forms that the specification allows, each refused in one line where it is of
another kind."""

import re
import shlex
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, get_args

from components.plan.durations import shortest
from components.plan.errors import PlanError
from components.plan.sizes import parse_size

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_ENTRY = re.compile(r"[^=\s]+")


def mapping(value: Any, field: str) -> dict[str, Any]:
    """A mapping by text; nothing at all is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(value, field, "no mapping", "write keys and values")
    return {str(key): item for key, item in value.items()}


def sequence(value: Any, field: str) -> list[Any]:
    """A list; nothing at all is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(value, field, "no list", "write one, with - before each item")
    return value


def text(value: Any, field: str) -> str:
    """A text; a number is the text that it is written as."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _wrong(value, field, "no text", "write a text, in quotes where it looks like something else")
    if isinstance(value, float):
        # Docker's own form of a number that was not quoted: 1.10 is 1.1.
        return format(Decimal(repr(value)).normalize(), "f")
    return str(value)


def texts(value: Any, field: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(text(item, field) for item in sequence(value, field))


def text_or_texts(value: Any, field: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    return texts(value, field) if isinstance(value, list) or value is None else (text(value, field),)


def words(value: Any, field: str) -> tuple[str, ...]:
    """A command: a list, or one text that is split as a shell would."""
    if value is None:
        return ()
    try:
        found = texts(value, field) if isinstance(value, list) else tuple(shlex.split(text(value, field)))
    except ValueError as error:
        raise _wrong(value, field, f"no command ({error})", "close the quotation, or write a list") from None
    if not found:
        raise _wrong(value, field, "an empty command leaves the image's own", "leave it out, or name a command")
    return found


def pairs(value: Any, field: str) -> dict[str, str]:
    """`KEY: value`, or a list of `KEY=value`."""
    if isinstance(value, list):
        return dict(_entry(item, field) for item in value)
    return {key: _pair_value(key, item, field) for key, item in mapping(value, field).items()}


def _entry(item: Any, field: str) -> tuple[str, str]:
    key, equals, value = text(item, field).partition("=")
    if not equals:
        raise _no_value(key, field)
    return key, value


def _pair_value(key: str, value: Any, field: str) -> str:
    if value is None:
        raise _no_value(key, field)
    return text(value, f"{field}.{key}")


def _no_value(key: str, field: str) -> PlanError:
    return PlanError(
        field=field,
        value=key,
        problem="has no value, and the program reads no environment",
        fix=f"write its value, or ${{{key}}} and give that under variables",
    )


def labels(value: Any, field: str) -> dict[str, str]:
    """Labels, where one without a value is empty."""
    if isinstance(value, list):
        entries = (text(item, field).partition("=") for item in value)
        return {key: item for key, _, item in entries}
    return {key: "" if item is None else text(item, f"{field}.{key}") for key, item in mapping(value, field).items()}


def boolean(value: Any, field: str) -> bool:
    """True or false, also as the text that a variable gave."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _wrong(value, field, "neither true nor false", "write true or false")


def integer(value: Any, field: str, *, least: int = 0) -> int:
    """A whole number, also as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _wrong(value, field, "no whole number", f"write one, {least} or more")
    return value


def number(value: Any, field: str) -> float:
    """A number that is not negative, also as text."""
    if isinstance(value, bool) or not _NUMBER.fullmatch(text(value, field)):
        raise _wrong(value, field, "no number", "write one, such as 0.5")
    return float(text(value, field))


def size(value: Any, field: str) -> int:
    """Bytes."""
    return parse_size(text(value, field), field=field)


def duration(value: Any, field: str) -> str:
    """A duration in its shortest form."""
    return shortest(text(value, field), field=field)


def choice(kind: Any) -> Callable[[Any, str], Any]:
    """A reader of one of the words of a Literal."""
    allowed: tuple[str, ...] = get_args(kind)

    def read(value: Any, field: str) -> Any:
        if value not in allowed:
            raise _wrong(value, field, "not one that a swarm knows", f"use {' or '.join(allowed)}")
        return value

    return read


def hosts(value: Any, field: str) -> tuple[tuple[str, str], ...]:
    """Entries of /etc/hosts: `name:address`, `name=address`, or a mapping with one address or several."""
    if isinstance(value, list):
        return tuple(_host(text(item, field), field) for item in value)
    return tuple(
        (name, address)
        for name, item in mapping(value, field).items()
        for address in text_or_texts(item, f"{field}.{name}")
    )


def _host(entry: str, field: str) -> tuple[str, str]:
    name, separator, address = entry.partition("=" if "=" in entry else ":")
    if not (separator and _ENTRY.fullmatch(name) and address):
        raise _wrong(entry, field, "no name with an address", "write name:address")
    return name, address.strip("[]")


def _wrong(value: Any, field: str, problem: str, fix: str) -> PlanError:
    return PlanError(field=field, value=value, problem=problem, fix=fix)


def environment_file(content: str, field: str) -> dict[str, str]:
    """`KEY=value` lines as `docker stack deploy` reads them: as they are, without quotes; `#` begins a comment."""
    lines = (line.lstrip() for line in content.splitlines())
    return dict(_entry(line, field) for line in lines if line and not line.startswith("#"))


def secretive(environment: Mapping[str, str]) -> list[str]:
    """Names that look as if their values were secret; those that name a file do not."""
    return [
        name
        for name in environment
        if re.search(r"PASSWORD|PASSWD|SECRET|TOKEN|(?:API|PRIVATE|ACCESS)_?KEY", name.upper())
        and not name.upper().endswith("_FILE")
    ]
