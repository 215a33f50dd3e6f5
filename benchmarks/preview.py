"""Seconds of a whole first preview by the hermetic engine without an account or a plugin: engine, program, stand-ins.
Run as `python -m benchmarks.preview [NAME …]`, where a name is a stack file's or an example's."""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.project_copy import HERMETIC, KEY, PROJECT, Place, copy_project

RUNS = 3
NAMES = ("aws", "openstack", "hundred-workers", "worker-pool")


def main() -> None:
    """Print a line for each stack file."""
    (PROJECT / ".flotilla").mkdir(exist_ok=True)
    say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    say(f"{'stack':<18} {'resources':>10} {'seconds':>8} {'spread':>13}   (wall, median of {RUNS})")
    for name in sys.argv[1:] or NAMES:
        with tempfile.TemporaryDirectory(dir=PROJECT / ".flotilla") as folder:
            place = prepared(Path(folder), name)
            runs = [preview(place, name) for _ in range(RUNS)]
        spent = sorted(seconds for seconds, _ in runs)
        say(f"{name:<18} {runs[0][1]:>10} {statistics.median(spent):>8.2f} {f'{spent[0]:.2f}-{spent[-1]:.2f}':>13}")


def prepared(folder: Path, name: str) -> Place:
    """A copy of the project with the stack in it and the public key that a preview reads."""
    own = PROJECT / f"Pulumi.{name}.yaml"
    place = copy_project(folder, name, own if own.exists() else PROJECT / "examples" / f"{name}.yaml")
    (folder / ".flotilla").mkdir()
    (folder / ".flotilla" / "id_ed25519.pub").write_text(KEY)
    return place


def preview(place: Place, name: str) -> tuple[float, int]:
    """Wall seconds of one preview, and how many resources it would create."""
    start = time.perf_counter()
    done = place.run(HERMETIC, "preview", "--stack", name, "--json")
    spent = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout[-1000:] + done.stderr)
    return spent, done.stdout.count('"op": "create"')


def say(line: str) -> None:
    """A line of the result, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
