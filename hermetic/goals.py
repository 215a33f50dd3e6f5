"""What a program wants of a resource, and what the engine plans for it."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from hermetic.events import Step
from hermetic.state import ResourceState
from hermetic.urns import ROOT_TYPE, is_provider_type, type_of
from hermetic.values import PropertyMap


class PlanError(Exception):
    """A registration that the engine refuses."""


@dataclass(slots=True)
class Alias:
    """Another name that a resource may have in the old state: a URN, or what differs from the resource's own."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(slots=True)
class Goal:
    """What the program wants of one resource."""

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    provider: str = ""
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replace_with: list[str] = field(default_factory=list)
    replacement_trigger: Any = None
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    import_id: str = ""
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    hooks: dict[str, list[str]] = field(default_factory=dict)
    hide_diff: list[str] = field(default_factory=list)
    source_position: str = ""


@dataclass(slots=True)
class Plan:
    """The steps of one registration and the state they end in; a resource that is skipped has neither."""

    urn: str
    steps: list[Step] = field(default_factory=list)
    state: ResourceState | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    """The resources that the user named; without any, all are meant."""

    urns: frozenset[str] = frozenset()
    with_dependents: bool = False

    def includes(self, urn: str) -> bool:
        """Whether a registration is meant; the stack and providers always are, as others need them."""
        return not self.urns or is_provider_type(type_of(urn)) or type_of(urn) == ROOT_TYPE or self.names(urn)

    def names(self, urn: str) -> bool:
        """Whether the user named it."""
        return urn in self.urns or any(_matches(pattern, urn) for pattern in self.urns if "*" in pattern)

    def missing(self, known: Collection[str]) -> set[str]:
        """Targets without stars that nothing known goes by."""
        return {urn for urn in self.urns if "*" not in urn and urn not in known}


def unknown_target(target: str) -> str:
    """What to say of a target that is nowhere."""
    hint = "" if "$" in target else " (a $ in it must be quoted, or the shell takes it away)"
    return f"--target '{target}' could not be found in the stack{hint}"


def _matches(pattern: str, urn: str) -> bool:
    """Whether a target with stars means a URN: one star stays within a part, two go over all."""
    parts = [re.escape(part).replace(r"\*", "[^:]*") for part in pattern.split("**")]
    return re.fullmatch(".*".join(parts), urn) is not None
