"""Visitors of a page, for as long as something else goes on: what they were answered, and what was lost."""

import re
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.platform import fetch

PACE_SECONDS = 0.05


@dataclass
class Visits:
    """What one group of visitors saw: how often which text was in a page, the slowest answer in seconds, and for every
    request that was not answered with 200 when (seconds from the start) and how it ended (0 is a broken connection)."""

    count: int = 0
    seen: Counter[str] = field(default_factory=Counter[str])
    slowest: float = 0.0
    lost: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def __str__(self) -> str:
        seen = ", ".join(f"{text} {count}" for text, count in sorted(self.seen.items()))
        kinds = ", ".join(f"{count} of status {status}" for status, count in Counter(s for _, s in self.lost).items())
        when = f": {kinds}, {self.lost[0][0]} to {self.lost[-1][0]} s" if self.lost else ""
        return f"{self.count} requests, {len(self.lost)} lost{when}; slowest {self.slowest:.1f} s ({seen})"


@contextmanager
def visitors(url: str, pattern: str, *, number: int = 3) -> Generator[Visits]:
    """So many visitors, each with a connection for every request; `pattern` is what they look for in a page."""
    visits, done, lock, begun = Visits(), threading.Event(), threading.Lock(), time.monotonic()

    def visit() -> None:
        while not done.wait(PACE_SECONDS):
            asked = time.monotonic()
            status, page, _ = fetch(url)
            with lock:
                visits.count += 1
                visits.slowest = max(visits.slowest, time.monotonic() - asked)
                if status == 200:
                    visits.seen[" ".join(re.findall(pattern, page))] += 1
                else:
                    visits.lost.append((round(asked - begun, 1), status))

    threads = [threading.Thread(target=visit, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield visits
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert visits.count > 0, "nobody asked"
