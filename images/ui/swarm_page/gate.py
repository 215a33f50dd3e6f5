"""Who may see the page: the one password, the signed ticket that a browser keeps after it was given, and an end to
guessing."""

import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

USER: Final = "admin"
TICKET_SECONDS: Final = 12 * 3600
_MOST_FAILURES: Final = 10
_FAILURES_WITHIN_SECONDS: Final = 60.0


class TooManyFailuresError(Exception):
    """Nobody may try a password for `seconds`. Whoever has a ticket is not concerned."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many wrong passwords; try again in {seconds} s")
        self.seconds = seconds


class Gate:
    """Failures are counted for all together: an address that a client says of itself is none to count by."""

    def __init__(self, password: str, clock: Callable[[], float] = time.time) -> None:
        if not password:
            raise ValueError("the password is empty")
        self._password = password.encode()
        # From the password, so that tickets outlive a restart and end with the password.
        self._key = hmac.digest(self._password, b"tickets of the page", "sha256")
        # Browsers have one drawer for all ports of a host, and there may be another such page on it.
        self.cookie: Final = f"flotilla_{self._signature('cookie')[:8]}"
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=_MOST_FAILURES)
        self._lock = threading.Lock()

    def opens(self, user: str, password: str) -> bool:
        """Whether these are the right words; TooManyFailuresError when too many were wrong, whatever these are."""
        with self._lock:
            self._check_failures()
            right_user = hmac.compare_digest(user.encode(), USER.encode())
            right_password = hmac.compare_digest(password.encode(), self._password)
            if right_user and right_password:
                return True
            self._failures.append(self._clock())
            return False

    def ticket(self) -> str:
        """What a browser shows from now on in place of the password."""
        expires = str(int(self._clock()) + TICKET_SECONDS)
        return f"{expires}.{self._signature(expires)}"

    def admits(self, ticket: str) -> bool:
        """Whether the ticket is one of ours and still valid."""
        expires, _, signature = ticket.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(expires).encode()):
            return False
        return int(expires) > self._clock()

    def _signature(self, expires: str) -> str:
        return hmac.new(self._key, expires.encode(), "sha256").hexdigest()

    def _check_failures(self) -> None:
        if len(self._failures) < _MOST_FAILURES:
            return
        rest = self._failures[0] + _FAILURES_WITHIN_SECONDS - self._clock()
        if rest > 0:
            raise TooManyFailuresError(int(rest) + 1)
