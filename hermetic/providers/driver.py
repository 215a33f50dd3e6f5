"""What a stand-in does for one resource type, and what an operation gives it: progress, deadline, cancellation."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hermetic.providers.check import Values
from hermetic.providers.rules import Rules

Log = Callable[[str, str], None]
"""Receives the URN of a resource and a line on how far its operation has come."""
Warn = Callable[[str], None]
"""Receives a line that the user should see beside the result."""


class ProviderError(Exception):
    """An operation failed; the message is what the user reads."""


class CancelledError(ProviderError):
    """The engine asked the provider to stop."""


class PartlyDoneError(ProviderError):
    """The resource exists but is not as wanted: its id and state must be kept beside the error."""

    def __init__(self, message: str, identity: str, state: Values) -> None:
        super().__init__(message)
        self.identity = identity
        self.state = state


@dataclass(slots=True)
class Operation:
    """One call of the engine: whom it is for and how long it may take (seconds, monotonic clock)."""

    urn: str
    deadline: float
    cancelled: threading.Event = field(default_factory=threading.Event)
    log: Log | None = None
    _told: str = ""

    @classmethod
    def within(cls, urn: str, seconds: float, cancelled: threading.Event, log: Log | None = None) -> Operation:
        return cls(urn, time.monotonic() + seconds, cancelled, log)

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def progress(self, message: str) -> None:
        """Tell how far the operation has come; the same line twice in a row is told once."""
        if self.log and message != self._told:
            self._told = message
            self.log(self.urn, message)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 1e9, pause: float = 0.2) -> None:
        """Ask `condition` again and again; ProviderError naming `what` after `seconds` or at the deadline."""
        last = time.monotonic() + min(seconds, self.left)
        while not condition():
            if time.monotonic() >= last:
                raise ProviderError(f"timed out while waiting for {what}")
            if self.cancelled.wait(min(pause, max(0.0, last - time.monotonic()) + 0.01)):
                raise CancelledError(f"cancelled while waiting for {what}")


class Driver(ABC):
    """Creates, reads, updates and deletes resources of one type. Values are plain: no secret wrappers, no unknowns."""

    @abstractmethod
    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        """Make it; its id and its state as read."""

    @abstractmethod
    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        """Its state in reality, None when it is gone. What cannot be read is taken from `state`."""

    def update(self, operation: Operation, identity: str, old: Values, planned: Values) -> Values:
        """Change it in place; its state as read."""
        del old
        return self.read(operation, identity, planned) or planned

    @abstractmethod
    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """Remove it; one that is gone already is no error."""

    def replaces_when_read(self, state: Values) -> str:
        """The name of an output that by itself calls for a replacement (a certificate that must be renewed), or ''."""
        del state
        return ""


@dataclass(frozen=True, slots=True)
class Package:
    """A stand-in: its name, the version of the plugin whose answers it gives, and its resource types by token."""

    name: str
    version: str
    resources: Mapping[str, tuple[Rules, Driver]]
    check_configuration: Callable[[Values], list[str]]
    configure: Callable[[Values], None]
    probe: Callable[[], None]
    close: Callable[[], None]
