"""What the user sees while images are built: one line when a build starts and one when it ends, whole lines only
although two builds talk at once."""

import sys
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TextIO

LAST_LINES: Final = 20


class CancelledError(Exception):
    """Another build failed, or the user stopped the run."""


class BuildError(Exception):
    """A build that failed; the message holds what the user needs, the last lines of its log included."""


class Progress:
    """Lines to a stream; with `verbose` the logs of the builds too. After `cancel()` builds stop at their next line."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._verbose = verbose
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def say(self, text: str) -> None:
        """One line for the user."""
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def cancel(self) -> None:
        """Ask all builds to stop."""
        self._cancelled.set()

    @contextmanager
    def step(self, what: str, name: str) -> Generator["Log"]:
        """A line at the start, a line with the seconds at the end; the log of what is done goes to what it yields."""
        if self._cancelled.is_set():
            raise CancelledError(name)
        begun = time.monotonic()
        self.say(f"{what} {name} ...")
        log = Log(name, self._cancelled, self if self._verbose else None)
        yield log
        self.say(f"{what} {name}: done in {time.monotonic() - begun:.1f} s")


class Log:
    """The log of one build: printed when the user wants it, and its end kept for the error message."""

    def __init__(self, name: str, cancelled: threading.Event, echo: Progress | None) -> None:
        self._name = name
        self._cancelled = cancelled
        self._echo = echo
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def write(self, text: str) -> None:
        """Some lines of the log; `CancelledError` when the run was stopped."""
        if self._cancelled.is_set():
            raise CancelledError(self._name)
        for line in filter(None, (line.rstrip() for line in text.splitlines())):
            self._last.append(line)
            if self._echo is not None:
                self._echo.say(f"  {self._name}: {line}")

    def failure(self, reason: str) -> BuildError:
        """The error that ends the run: what failed, why, and the last lines."""
        lines = "".join(f"\n  {line}" for line in self._last)
        return BuildError(
            f"image {self._name} could not be built: {reason}" + (f"; its last lines:{lines}" if lines else "")
        )
