"""What an operation can end with, other than its result. The message is all that a user sees of it."""

import re
from collections.abc import Mapping
from typing import Any

TOKEN = re.compile(r"SWM(?:TKN|KEY)-\d-[0-9A-Za-z+/=-]+")


class SwarmError(Exception):
    """An operation failed; the message names field, value and fix."""


class CancelledError(SwarmError):
    """The user interrupted the engine while we waited."""


class DeadlineError(SwarmError):
    """What we waited for did not come in time."""


class HalfMadeError(SwarmError):
    """The object exists but is not as declared: it goes into the state, and the next update repairs it."""

    def __init__(self, message: str, object_id: str, properties: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.object_id = object_id
        self.properties = properties


def without_secrets(message: str, secrets: frozenset[str]) -> str:
    """The message with every secret of the request, and whatever looks like a swarm's token or key, blotted out."""
    for text in sorted(secrets, key=len, reverse=True):
        message = message.replace(text, "[secret]")
    return TOKEN.sub("[secret]", message)
