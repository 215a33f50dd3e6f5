"""Outputs that the aws provider would add, by resource type: (logical name, inputs) → outputs."""

from collections.abc import Callable
from typing import Any

AWS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {}

INVOKES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
