"""The two ways to the user: results on the standard output, complaints on the standard error; both at once visible."""

import sys


def say(text: str = "") -> None:
    """A line of a result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """A line about what is wrong."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
