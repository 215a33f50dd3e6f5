"""The largest packet inside an overlay network: what is left of the underlay's after VXLAN and ESP took their part.
A larger one would be dropped on the way without a word (moby/libnetwork#1021)."""

from components.plan.errors import PlanError

VXLAN_OVERHEAD = 50
"""Bytes of the outer Ethernet, IPv4, UDP and VXLAN headers."""

ENCRYPTION_OVERHEAD = 26
"""Bytes that ESP adds to each packet of an encrypted overlay at most."""

SMALLEST_UNDERLAY = 1280
"""What every IPv6 link carries; less leaves no room that ordinary TCP stacks get along with."""

LARGEST_UNDERLAY = 9216
"""Jumbo frames, as large as switches carry them."""

_CIPHER_BLOCK = 4


def check_underlay(underlay: int, *, field: str = "network.mtu") -> None:
    """PlanError when machines cannot talk, or overlays not work, over links of so many bytes."""
    if not SMALLEST_UNDERLAY <= underlay <= LARGEST_UNDERLAY:
        raise PlanError(
            field=field,
            value=underlay,
            problem="no MTU that overlay networks work on",
            fix=f"use {SMALLEST_UNDERLAY} to {LARGEST_UNDERLAY}, usually 1500, or 1450 where the cloud tunnels itself",
        )


def overlay_mtu(underlay: int, *, encrypted: bool = False, field: str = "network.mtu") -> int:
    """MTU in bytes of the containers' interfaces: 1500 → 1450, encrypted 1424."""
    check_underlay(underlay, field=field)
    if not encrypted:
        return underlay - VXLAN_OVERHEAD
    available = underlay - VXLAN_OVERHEAD - ENCRYPTION_OVERHEAD
    return available - available % _CIPHER_BLOCK
