"""User data in the room that a cloud has for it. What is larger goes compressed, which cloud-init reads as well.

Only what is larger: previews show text, and another release of the compressor may give other bytes for the same text,
for which a pool would be rolled."""

import gzip

from components.plan.errors import PlanError


def fitting_bytes(text: str, *, room: int, field: str, limit: str) -> bytes:
    """The text's own bytes, or those of it compressed where there is room for no more than `room`; PlanError, with the
    `limit` in the cloud's words, where these are too many as well."""
    plain = text.encode()
    data = plain if len(plain) <= room else gzip.compress(plain, compresslevel=9, mtime=0)
    if len(data) > room:
        raise PlanError(
            field=field,
            value=f"{len(plain)} bytes, {len(data)} compressed",
            problem=limit,
            fix="keep fewer certificates in registry.authority_file",
        )
    return data
