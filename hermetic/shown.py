"""Values for the eye: secrets and unknowns by name, never by value."""

import json
from typing import Any

from hermetic.values import UNKNOWN, is_secret

MASKED = "[secret]"


def masked(value: Any) -> Any:
    """The value with `[secret]` for what is secret."""
    if is_secret(value):
        return MASKED
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def shown(value: Any, *, show_secrets: bool = False) -> str:
    """A value for the eye: secrets and unknowns by name."""
    if is_secret(value):
        return shown(value["value"]) if show_secrets else MASKED
    if value == UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {shown(item, show_secrets=show_secrets)}" for key, item in sorted(value.items()))
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(shown(item, show_secrets=show_secrets) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
