"""CPU seconds of one run of the program under mocks, by size of the cluster, beside the SDK's own floor: the same
number of resources without any inputs. Run as `python -m benchmarks.program`."""

import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
RUNS = 3
SIZES = (2, 20, 100)
FLOOR = """
import asyncio, sys, pulumi
from tests.graph.record import Recorder, configure
class Bare(pulumi.CustomResource):
    def __init__(self, name): super().__init__("bare:index:Bare", name, {})
def program():
    for number in range(int(sys.argv[1])): Bare(str(number))
configure(Recorder(preview=False, earlier={}))
asyncio.run(pulumi.runtime.run_in_stack(program))
"""


def main() -> None:
    """Print a line for each size."""
    say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    say(f"{'workers':>8} {'resources':>10} {'program':>9} {'floor':>8} {'ratio':>6}   (CPU seconds, median of {RUNS})")
    for workers in SIZES:
        order: dict[str, Any] = {"settings": {"workers": {"count": workers}}, "mode": "applied", "earlier": {}}
        resources = 0
        spent: list[float] = []
        for _ in range(RUNS):
            seconds, output = cpu_seconds(["-m", "tests.graph.record"], json.dumps(order))
            resources = len(json.loads(output)["requests"])
            spent.append(seconds)
        floor = statistics.median(cpu_seconds(["-c", FLOOR, str(resources)], "")[0] for _ in range(RUNS))
        program = statistics.median(spent)
        say(f"{workers:>8} {resources:>10} {program:>9.2f} {floor:>8.2f} {program / floor:>6.1f}")


def say(line: str) -> None:
    """A line of the result, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cpu_seconds(words: list[str], given: str) -> tuple[float, str]:
    """CPU time of a Python process, its children not among it, and what it printed."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, *words], input=given, capture_output=True, text=True, check=True, cwd=PROJECT
    )
    after = os.times()
    spent = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return spent, done.stdout


if __name__ == "__main__":
    main()
