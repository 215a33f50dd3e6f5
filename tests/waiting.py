"""How every test waits for what comes a little later: until a condition holds, and never longer than a deadline."""

import subprocess
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TypeVar

import docker.errors

POLL_SECONDS = 0.2
NOT_YET = (AssertionError, OSError, HTTPException, LookupError, ValueError, subprocess.SubprocessError)
"""How something that is asked too early answers: refused, cut off, late, or without what is looked for."""

T = TypeVar("T")


def wait_for(what: str | Callable[[], str], condition: Callable[[], T], seconds: float = 180) -> T:
    """Ask until the condition holds, and give what it gave; after `seconds` an error says what was waited for.

    A `what` that tells what is there instead is a function: it is called when the time is over. A condition that fails
    does not hold yet; how it failed last is the cause of the error. What the Docker Engine refuses ends the wait, since
    it does not refuse what is only late.
    """
    deadline = time.monotonic() + seconds
    while True:
        failed = None
        try:
            if found := condition():
                return found
        except docker.errors.APIError:
            raise
        except NOT_YET as error:
            failed = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what if isinstance(what, str) else what()}: not within {seconds:g} s") from failed
        time.sleep(POLL_SECONDS)
