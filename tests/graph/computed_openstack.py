"""What the openstack provider would add: outputs by resource type ((logical name, inputs) → outputs), and answers of
its functions by token (arguments → result)."""

import zlib
from collections.abc import Callable
from typing import Any

MTU = 1450
"""What the network carries: less than Docker's own 1500, as where the cloud itself tunnels."""


def public_address(name: str) -> str:
    """An address from a documentation network that belongs to a name."""
    return f"198.51.100.{1 + zlib.crc32(name.encode()) % 254}"


OPENSTACK: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "openstack:networking/network:Network": lambda name, inputs: {"mtu": MTU},
    "openstack:networking/floatingIp:FloatingIp": lambda name, inputs: {"address": public_address(name)},
    "openstack:loadbalancer/loadBalancer:LoadBalancer": lambda name, inputs: {"vipPortId": f"{name}-port-id"},
}

INVOKES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openstack:networking/getNetwork:getNetwork": lambda arguments: {**arguments, "id": f"network-{arguments['name']}"},
    "openstack:images/getImage:getImage": lambda arguments: {**arguments, "id": f"image-{arguments['name']}"},
}
