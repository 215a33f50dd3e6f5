"""User data in the room that a cloud has for it. What is larger goes compressed, which cloud-init reads as well.

Only what is larger: previews show text, and another release of the compressor may give other bytes for the same text,
for which a pool would be rolled."""

import gzip

from components.clouds.cloud import LOAD_BALANCER
from components.plan.errors import PlanError

_FEWER_CERTIFICATES = "keep fewer certificates in registry.authority_file"
_FIXES = {LOAD_BALANCER: "use load_balancer.kind: managed, or fewer nodes or published ports"}
"""A load balancer's are long for HAProxy's configuration, which names every node for every port."""


def fitting_bytes(text: str, *, room: int, machine: str, limit: str) -> bytes:
    """The text's own bytes, or those of it compressed where there is room for no more than `room`; PlanError, with the
    `limit` in the cloud's words, where these are too many as well."""
    plain = text.encode()
    data = plain if len(plain) <= room else gzip.compress(plain, compresslevel=9, mtime=0)
    if len(data) > room:
        raise PlanError(
            field=f"user data of {machine}",
            value=f"{len(plain)} bytes, {len(data)} compressed",
            problem=limit,
            fix=_FIXES.get(machine, _FEWER_CERTIFICATES),
        )
    return data
