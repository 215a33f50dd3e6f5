"""CPU seconds and memory of one run of the program under mocks, by cloud and size of the cluster, beside the SDK's own
floor: the same number of resources without any inputs. Run as `python -m benchmarks.program [STACK …]`."""

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
RENTED: dict[str, Any] = {
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
    "network": {"overlay_prefix": 16, "overlays": "10.128.0.0/9"},
}
AWS = {"cloud": "aws", **RENTED}
OPENSTACK = {"cloud": "openstack", **RENTED}
STACKS: dict[str, dict[str, Any]] = {
    "local, 2 workers": {"workers": {"count": 2}},
    "local, 20 workers": {"workers": {"count": 20}},
    "local, 100 workers": {"workers": {"count": 100}},
    "aws, 6 workers": {**AWS, "workers": {"count": 6}},
    "aws, 100 workers": {**AWS, "workers": {"count": 100}},
    "aws, 1,000 workers": {**AWS, "workers": {"count": 1_000}},
    "aws, pool of 10,000": {
        **AWS,
        "workers": {"count": 10_000, "pool": True},
        "services": {"wordpress": None},
        "load_balancer": {"kind": "haproxy"},
    },
    "openstack, 100 workers": {**OPENSTACK, "workers": {"count": 100}},
    "openstack, 1,000 workers": {**OPENSTACK, "workers": {"count": 1_000}},
}
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
    """Print a line for each stack."""
    say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    say(
        f"{'stack':<26} {'resources':>10} {'program':>9} {'spread':>13} {'floor':>8} {'ratio':>6} {'memory':>8}"
        f"   (CPU seconds, median of {RUNS}; MB at most)"
    )
    for name in sys.argv[1:] or STACKS:
        order: dict[str, Any] = {"settings": STACKS[name], "mode": "applied", "earlier": {}}
        runs = [run(["-m", "tests.graph.record"], json.dumps(order)) for _ in range(RUNS)]
        resources = len(json.loads(runs[0][2])["requests"])
        spent = sorted(seconds for seconds, _, _ in runs)
        floor = statistics.median(run(["-c", FLOOR, str(resources)], "")[0] for _ in range(RUNS))
        program = statistics.median(spent)
        memory = max(megabytes for _, megabytes, _ in runs)
        say(
            f"{name:<26} {resources:>10} {program:>9.2f} {f'{spent[0]:.2f}-{spent[-1]:.2f}':>13} {floor:>8.2f} "
            f"{program / floor:>6.1f} {memory:>8.0f}"
        )


def say(line: str) -> None:
    """A line of the result, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(words: list[str], given: str) -> tuple[float, float, str]:
    """CPU seconds and most memory in MB of a Python process, and what it printed."""
    with subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(given)
        process.stdin.close()
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, printed


if __name__ == "__main__":
    main()
