"""Device names of EBS volumes: EC2 wants one for each attachment, although a machine finds its volumes by serial.

A name comes from the volume's own name, never from a place in a list: a name that moved would detach a volume under a
service that writes to it."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import count
from string import ascii_lowercase

from components.plan.errors import PlanError

DEVICE_NAMES = tuple(f"/dev/xvd{first}{second}" for first in "bc" for second in ascii_lowercase)
"""Names that EC2 takes on every machine that it still sells (HVM), apart from those of images and instance stores.

Source: EC2 user guide, "Device names for volumes on Amazon EC2 instances".
"""


def device_name(volume: str) -> str:
    """The device name that belongs to a volume's name."""
    return DEVICE_NAMES[int.from_bytes(hashlib.sha256(volume.encode()).digest()[:8]) % len(DEVICE_NAMES)]


def check_devices(nodes: Mapping[str, str]) -> None:
    """PlanError when two volumes of a node would be the same device; `nodes` has each volume's node by its name."""
    taken: dict[tuple[str, str], str] = {}
    for volume, node in sorted(nodes.items()):
        device = device_name(volume)
        if (node, device) in taken:
            raise PlanError(
                field="volumes",
                value=volume,
                problem=f"on {node} its device would be {device}, which volume {taken[node, device]} has",
                fix=f"give the one without data another name, such as {_free(volume, nodes)}",
            )
        taken[node, device] = volume


def _free(volume: str, others: Iterable[str]) -> str:
    """A name like that whose device no volume has."""
    taken = {device_name(other) for other in others}
    numbered = (f"{volume}-{number}" for number in count(2))
    return next(name for name in numbered if device_name(name) not in taken)
