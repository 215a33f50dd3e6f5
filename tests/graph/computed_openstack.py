"""Outputs that the openstack provider would add, by resource type: (logical name, inputs) → outputs."""

from collections.abc import Callable
from typing import Any

OPENSTACK: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {}
