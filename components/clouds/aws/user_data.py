"""User data as EC2 takes it: 16 KiB at most, in base64."""

import base64

from components.clouds.user_data import fitting_bytes

LONGEST_USER_DATA = 16 * 1024
"""Bytes, before base64. Source: EC2 user guide, "Run commands when you launch an EC2 instance with user data input"."""


def encode_user_data(text: str, *, machine: str) -> str:
    """The base64 of user data; PlanError where it is too long even compressed."""
    limit = f"EC2 takes {LONGEST_USER_DATA} at most"
    return base64.b64encode(fitting_bytes(text, room=LONGEST_USER_DATA, machine=machine, limit=limit)).decode()
