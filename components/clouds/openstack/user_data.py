"""User data as Nova takes it: 65,535 characters of base64. What is larger goes compressed, which cloud-init reads as
well: HAProxy's configuration names every node.

Only what is larger, because previews show text, and another release of the compressor may give other bytes for it."""

import base64
import gzip

from components.plan.errors import PlanError

LONGEST_USER_DATA = 65_535
"""Characters of base64. Source: `MAX_USERDATA_SIZE` in Nova's compute/api.py."""


def fitting(text: str) -> str:
    """The text itself, which the provider puts into base64, or else the base64 of it compressed; PlanError where that
    is too long as well."""
    plain = text.encode()
    if _length(plain) <= LONGEST_USER_DATA:
        return text
    data = gzip.compress(plain, compresslevel=9, mtime=0)
    if _length(data) > LONGEST_USER_DATA:
        raise PlanError(
            field="user data",
            value=f"{len(plain)} bytes, {len(data)} compressed",
            problem=f"Nova takes {LONGEST_USER_DATA} characters of base64 at most",
            fix="keep fewer certificates in registry.authority_file",
        )
    return base64.b64encode(data).decode()


def _length(data: bytes) -> int:
    return -(-len(data) // 3) * 4
