"""Spark on this computer's own Docker, measured: size of its image, cold deployment, idle memory of each part, and
3 → 30 workers on six nodes (M121), the image being there. Run as `python -m benchmarks.spark_scale`."""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import docker

from images.recipe import recipes
from tests.e2e.platform import Platform, standing

PROJECT = Path(__file__).resolve().parent.parent
WORKERS = (3, 30)
NODES = 6
# Thirty executors at once are more than one computer holds.
PI: dict[str, Any] = {"application": "/opt/spark/examples/pi.py", "args": ["60"], "total_cores": 6}
SETTINGS: dict[str, Any] = {
    "cloud": "local",
    "network": {"machines": "10.63.0.0/24"},
    "ssh": {"first_port": 23000},
    "managers": {"count": 1},
    "workers": {"count": NODES, "memory": "3g", "cpus": 2},
    "services": {
        "web": None,
        "wordpress": None,
        "spark": {"workers": WORKERS[0], "memory": "1g", "port": 19082, "history": {"port": 19083}},
    },
    "load_balancer": {"statistics_port": 19404},
}


def main() -> None:
    """Print a line for each figure."""
    load = os.getloadavg()[1]
    say("machine", f"{platform.machine()}, {os.cpu_count()} CPUs, load of others {load:.1f} at the start")
    subprocess.run(["make", "images", "STACK=spark"], cwd=PROJECT, check=True, capture_output=True)
    for name in ("base", "jre", "spark"):
        size = docker.from_env().images.get(recipes()[name].reference).attrs["Size"]
        say(f"image {name}", f"{size / 1e6:.0f} MB with what it stands on")
    with tempfile.TemporaryDirectory() as folder, standing(Path(folder), SETTINGS) as stack:
        measure(stack)


def measure(stack: Platform) -> None:
    """The figures of a stack of its own."""
    say(f"cold deployment, {NODES} nodes, {WORKERS[0]} workers", timed(stack))
    for part, (memory, spent) in parts(stack).items():
        say(f"idle {part}", f"{memory:.0f} MB, {spent:.1f} CPU seconds since its start")
    stack.write(spark={"workers": WORKERS[1]})
    say(f"{WORKERS[0]} → {WORKERS[1]} workers", timed(stack))
    stack.write(spark={"jobs": {"pi": PI}})
    say(f"Pi in 60 parts on {PI['total_cores']} of {WORKERS[1]} workers", timed(stack))
    stack.write(spark={"workers": WORKERS[0]})
    say(f"{WORKERS[1]} → {WORKERS[0]} workers", timed(stack))


def timed(stack: Platform) -> str:
    """Seconds that `make up` takes, its checks of images and files included."""
    begun = time.monotonic()
    stack.make("up")
    return f"{time.monotonic() - begun:.0f} s (load {os.getloadavg()[0]:.1f})"


def parts(stack: Platform) -> dict[str, tuple[float, float]]:
    """Resident memory in MB and CPU seconds of one JVM of each part, as its node's kernel tells."""
    found: dict[str, tuple[float, float]] = {}
    # The main class of a JVM names its part; the fields are those of proc(5).
    script = (
        "for p in /proc/[0-9]*; do part=$(tr '\\0' '\\n' <$p/cmdline 2>/dev/null | "
        "grep -oE 'deploy.(master.Master|worker.Worker|history.HistoryServer)$'); "
        '[ -z "$part" ] || echo "$part $(awk \'/VmRSS/ {print $2}\' $p/status) '
        "$(awk '{print $14 + $15}' $p/stat)\"; done"
    )
    for number in range(1, NODES + 1):
        for line in stack.on(f"worker-{number}", script).splitlines():
            if row := re.fullmatch(r"deploy\.\w+\.(\w+) (\d+) (\d+)", line.strip()):
                found[row[1]] = (int(row[2]) / 1000, int(row[3]) / 100)
    return found


def say(what: str, figure: str) -> None:
    """A line of the result, at once."""
    sys.stdout.write(f"{what:<45} {figure}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
