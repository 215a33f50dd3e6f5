"""What a user reads when a setting is wrong: one line that names the field, the value and the fix."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stacks.patterns import EXAMPLES

_VALUE_LENGTH = 60


class SettingsError(pulumi.RunError):
    """A wrong setting or a missing file. Pulumi shows the message of a RunError without a traceback."""


def describe(error: ValidationError) -> str:
    """The first fault in a line of its own, the others after it."""
    return "\n".join(_line(detail) for detail in error.errors(include_url=False))


def _line(detail: ErrorDetails) -> str:
    field = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{field} is not a setting; see the schema stacks/settings.schema.json for those that there are"
    if kind == "missing":
        return f"{field} is missing; it has no default"
    value = _shown(detail["input"])
    if kind == "value_error":
        return _own_words(field, value, str(context["error"]))
    return f"{field} is {value}: {_expected(kind, context, detail['msg'])}"


def _own_words(field: str, value: str, message: str) -> str:
    """A check of ours names the field itself; Python's own do not."""
    if not field or message.startswith(field.rpartition(".")[0] or field):
        return message
    return f"{field} is {value}: {message}"


_BOUNDS = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
_KINDS = {
    "int": "use a whole number",
    "float": "use a number",
    "bool": "use true or false",
    "string_type": "use text",
    "model": "use a mapping of settings",
    "dict": "use a mapping of settings",
}


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    """What would be right, in words that say what to write."""
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"use {words} {context[bound]}"
    if kind == "literal_error":
        return f"use {context['expected']}"
    if kind == "string_pattern_mismatch":
        return EXAMPLES[context["pattern"]]
    return next((words for beginning, words in _KINDS.items() if kind.startswith(beginning)), message)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _VALUE_LENGTH else text[: _VALUE_LENGTH - 1] + "…"


def listed(names: Sequence[str]) -> str:
    """The first names of a list, for an error to show."""
    shown = 10
    return ", ".join(names[:shown]) + (" …" if len(names) > shown else "")
