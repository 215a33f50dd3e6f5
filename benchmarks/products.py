"""The table of docs/services.md: what each product's stack file costs on this computer's own Docker. Its images are
there before the clock starts. Run as `python -m benchmarks.products [STACK ...]`; no other stack may be up."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import docker

from images.recipe import BASE, recipes
from stacks.load import parse_settings
from stacks.plan import built_images
from tests.e2e.platform import PROJECT, Platform, settings_of, standing
from tests.waiting import wait_for

STACKS = ("dev", "spark", "hadoop", "registry", "monitoring", "ui", "mvc", "all")
# Proportional set sizes: what several processes share is counted once.
MEMORY = (
    "for id in $(docker ps -q); do kb=0; "
    "for p in $(docker top $id -eo pid | tail -n +2); do "
    "kb=$((kb + $(awk '/^Pss:/ {print $2}' /proc/$p/smaps_rollup))); done; "
    'echo "$(docker inspect -f \'{{index .Config.Labels "com.docker.swarm.service.name"}}\' $id) $kb"; done'
)
SETTLE_SECONDS = 300
STEADY = 0.02


def main() -> None:
    """Print a Markdown row for each stack, and a line for each service."""
    stacks = sys.argv[1:] or STACKS
    say(f"{platform.machine()}, {os.cpu_count()} CPUs, load of others {os.getloadavg()[1]:.1f} at the start\n")
    say("| stack | cold deployment | images beside the base | idle memory of its services |")
    say("|---|---|---|---|")
    for stack in stacks:
        measure(stack)


def measure(stack: str) -> None:
    """One stack: up, looked at, down."""
    subprocess.run(["make", "images", f"STACK={stack}"], cwd=PROJECT, check=True, capture_output=True)
    settings = settings_of(f"Pulumi.{stack}.yaml")
    with tempfile.TemporaryDirectory() as folder, standing(Path(folder), settings) as made:
        begun = time.monotonic()
        made.make("up")
        seconds = time.monotonic() - begun
        memory = settled_memory(made, settings)
    services = ", ".join(f"{name} {most:.0f}" for name, most in sorted(memory.items()))
    say(f"| `{stack}` | {seconds:.0f} s | {images(settings)} | {services} MB |")


def settled_memory(made: Platform, settings: dict[str, Any]) -> dict[str, float]:
    """MB of the largest task of each service, once two looks are alike."""
    nodes = made.on("manager-1", "docker node ls --format '{{.Hostname}}'").split()
    last: dict[str, float] = {}
    steady = False

    def looked() -> bool:
        nonlocal last, steady
        found = memory(made, nodes)
        whole, before = sum(found.values()), sum(last.values())
        steady = bool(last) and abs(whole - before) <= STEADY * before
        last = found
        return steady

    wait_for(f"steady memory of {', '.join(settings['services'])}", looked, SETTLE_SECONDS)
    return last


def memory(made: Platform, nodes: list[str]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for node in nodes:
        for line in made.on(node, MEMORY).splitlines():
            name, kilobytes = line.split()
            found[name] = max(found[name], int(kilobytes) / 1024)
    return dict(found)


def images(settings: dict[str, Any]) -> str:
    """Each image of the stack's own, without the base that all stand on."""
    client = docker.from_env()
    known = recipes()
    base = client.images.get(known[BASE].reference).attrs["Size"]
    sizes = {
        name: client.images.get(known[name].reference).attrs["Size"] - base
        for name in built_images(parse_settings(settings))
        if name != "haproxy"
    }
    return ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.items()) + " MB"


def say(line: str) -> None:
    """A line of the result, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
