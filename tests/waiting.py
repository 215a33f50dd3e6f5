"""How every test waits for what comes a little later: until a condition holds, and never longer than a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.2


def wait_for(what: str | Callable[[], str], condition: Callable[[], object], seconds: float = 180) -> None:
    """Ask until the condition holds; after `seconds` it is an error that says `what` was waited for.

    A `what` that tells what is there instead is a function: it is called when the time is over.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what if isinstance(what, str) else what()}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
