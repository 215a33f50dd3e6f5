"""User data as EC2 takes it: 16 KiB at most, in base64. What is larger goes compressed, which cloud-init reads as well.

Only what is larger, because another release of the compressor may give other bytes for the same text, and a pool is
rolled for other user data."""

import base64
import gzip

from components.plan.errors import PlanError

LONGEST_USER_DATA = 16 * 1024
"""Bytes, before base64. Source: EC2 user guide, "Run commands when you launch an EC2 instance with user data input"."""


def encode_user_data(text: str, *, machine: str) -> str:
    """The base64 of user data; PlanError where it is too long even compressed."""
    plain = text.encode()
    data = plain if len(plain) <= LONGEST_USER_DATA else gzip.compress(plain, compresslevel=9, mtime=0)
    if len(data) > LONGEST_USER_DATA:
        raise PlanError(
            field=f"user data of {machine}",
            value=f"{len(plain)} bytes, {len(data)} compressed",
            problem=f"EC2 takes {LONGEST_USER_DATA} at most",
            fix="keep fewer certificates in registry.authority_file",
        )
    return base64.b64encode(data).decode()
