"""What a deployment tells while it runs: steps that begin and end, and messages; displays listen."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hermetic.state import ResourceState
from hermetic.steps import NO_DIFF, PARTS_OF_REPLACEMENT, Diff, Op
from hermetic.values import PropertyMap


class Severity(StrEnum):
    """How much a message matters, in Pulumi's words."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(slots=True)
class Step:
    """One thing to do to one resource, and why."""

    op: Op
    urn: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    diff: Diff = NO_DIFF
    # The old object is deleted after everything else (else it was deleted before).
    delete_old_later: bool = False
    # An old object that is deleted to be made anew stays in the state until that happened.
    awaits_replacement: bool = False
    # Inputs as the program gave them, for a provider that is asked with other old values.
    program_inputs: PropertyMap = field(default_factory=dict)

    @property
    def state(self) -> ResourceState:
        """The new state, or the old one of what is deleted."""
        state = self.new or self.old
        if state is None:
            raise ValueError(f"step {self.op} of {self.urn} has no state")
        return state

    @property
    def logical(self) -> bool:
        """Whether the step is one that users think in; the parts of a replacement are not."""
        return self.op not in PARTS_OF_REPLACEMENT

    @property
    def old_state(self) -> ResourceState:
        if self.old is None:
            raise ValueError(f"step {self.op} of {self.urn} has no old state")
        return self.old

    @property
    def new_state(self) -> ResourceState:
        if self.new is None:
            raise ValueError(f"step {self.op} of {self.urn} has no new state")
        return self.new


class Listener(Protocol):
    """A display."""

    @property
    def failed(self) -> bool: ...
    def step_begins(self, step: Step) -> None: ...
    def step_ends(self, step: Step) -> None: ...
    def step_fails(self, step: Step, message: str) -> None: ...
    def outputs_known(self, state: ResourceState) -> None: ...
    def message(self, severity: Severity, urn: str, text: str, *, ephemeral: bool = False) -> None: ...
    def program_line(self, line: str) -> None: ...
