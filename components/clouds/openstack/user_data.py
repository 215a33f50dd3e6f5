"""User data as Nova takes it: 65,535 characters of base64. With HAProxy's configuration, which names every node, it may
be more."""

import base64

from components.clouds.user_data import fitting_bytes

LONGEST_USER_DATA = 65_535
"""Characters of base64. Source: `MAX_USERDATA_SIZE` in Nova's compute/api.py."""


def fitting(text: str, *, machine: str) -> str:
    """The text itself, which the provider puts into base64, or else the base64 of it compressed; PlanError where that
    is too long as well."""
    limit = f"Nova takes {LONGEST_USER_DATA} characters of base64 at most"
    # Base64 makes four characters of three bytes.
    data = fitting_bytes(text, room=LONGEST_USER_DATA // 4 * 3, machine=machine, limit=limit)
    return text if data == text.encode() else base64.b64encode(data).decode()
