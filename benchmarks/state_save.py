"""How long one save of a stack takes when one of its resources has changed since the last; run as a module."""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from hermetic.backend import CheckpointStore, FileBackend, StackName
from hermetic.secrets import PassphraseCrypter
from hermetic.state import Deployment, ResourceState
from hermetic.values import secret

SAVES = 50


def resource(number: int, blocks: int) -> ResourceState:
    """An entry with a secret, dependencies, and as many nested blocks as asked for (about 150 bytes each)."""
    block = {"name": f"port-{number}", "published": 8000 + number, "protocol": "tcp", "labels": [{"label": "a"}] * 3}
    properties = {"name": f"service-{number}", "blocks": [block] * blocks, "password": secret(f"password {number}")}
    previous = [f"urn:pulumi:dev::flotilla::docker:index/service:Service::service-{number - 1}"] if number else []
    return ResourceState(
        urn=f"urn:pulumi:dev::flotilla::docker:index/service:Service::service-{number}",
        type="docker:index/service:Service",
        custom=True,
        id=f"id-{number}",
        inputs=properties,
        outputs=properties | {"id": f"id-{number}"},
        dependencies=previous,
        property_dependencies={"name": previous, "blocks": []},
    )


def seconds_per_save(folder: Path, resources: int, blocks: int) -> tuple[float, float, int]:
    """Median and worst time of a save, and the size of the checkpoint."""
    stack = StackName("flotilla", "dev")
    backend = FileBackend(f"file://{folder}")
    store = CheckpointStore(backend, stack, PassphraseCrypter.new("benchmark"))
    deployment = Deployment(resources=[resource(number, blocks) for number in range(resources)])
    store.save(deployment)
    times: list[float] = []
    for turn in range(SAVES):
        deployment.resources[turn * 7 % resources].outputs["turn"] = turn
        start = time.perf_counter()
        store.save(deployment)
        times.append(time.perf_counter() - start)
    return statistics.median(times), max(times), store.file.stat().st_size


def main() -> None:
    """Print one line for each size of stack, and the machine."""
    out = sys.stdout.write
    out(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.release()}\n")
    for resources, blocks in ((100, 3), (1_000, 3), (1_000, 15), (3_000, 3)):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            median, worst, size = seconds_per_save(Path(folder), resources, blocks)
        out(
            f"{resources:>5} resources, {size / 1e6:5.1f} MB: {median * 1e3:6.1f} ms a save"
            f" (worst of {SAVES}: {worst * 1e3:.1f} ms)\n"
        )


if __name__ == "__main__":
    main()
