"""What a user reads when a setting is wrong: one line that names the field, the value and the fix."""

from typing import Any

import pulumi
from pydantic import ValidationError
from pydantic_core import ErrorDetails

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


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    """What would be right, in words that say what to write."""
    bounds = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    for bound, words in bounds.items():
        if bound in context:
            return f"use {words} {context[bound]}"
    if kind == "literal_error":
        return f"use {context['expected']}"
    if kind.startswith(("int", "float")):
        return "use a number"
    if kind.startswith("bool"):
        return "use true or false"
    if kind == "string_type":
        return "use text"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "use a mapping of settings"
    if kind == "string_pattern_mismatch":
        return f"it has to look like {context['pattern']}"
    return message


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever the user wrote
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _VALUE_LENGTH else text[: _VALUE_LENGTH - 1] + "…"
