"""`Mount` from the engine down to a real disk: the provider, the program as it goes over the wire, the machine's own
/sys, /etc and mounts (in a namespace of its own, so that this computer keeps its)."""

import shlex
import subprocess
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugins.swarm.ssh import Finished
from tests.unit.swarm_plugin.client import Engine
from tests.unit.swarm_plugin.fake_docker import World, connection, served
from tests.unit.swarm_plugin.loop_disks import LoopDisk, LoopMachine, loop_machine

pytestmark = pytest.mark.e2e
# Files of its own in place of the computer's, and a folder of disks with ours alone.
SETUP = """
cp -a /etc {folder}/etc
mount --bind {folder}/etc /etc
echo '# none' >/etc/fstab
mount -t tmpfs none /run
mount -t tmpfs none /sys/class/block
mkdir -p /sys/class/block/{name}/holders
printf %s {told} >/sys/class/block/{name}/serial
"""


@dataclass
class Inside(World):
    """A world whose one machine is a mount namespace: what is run there is run as ssh would."""

    pid: int = 0

    def run(self, host: str, options: Sequence[str], argv: Sequence[str], timeout: float, given: str) -> Finished:
        done = self.shell(shlex.join(argv), given)
        return Finished(done.returncode, done.stdout, done.stderr)

    def shell(self, command: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        words = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "sh", "-c", command]
        return subprocess.run(words, input=given, capture_output=True, text=True, check=False)


@pytest.fixture
def here(tmp_path: Path) -> Generator[LoopMachine]:
    with loop_machine(tmp_path.resolve()) as machine:
        yield machine


@pytest.fixture
def disk(here: LoopMachine) -> LoopDisk:
    return here.disk()


@pytest.fixture
def world(here: LoopMachine, disk: LoopDisk) -> Inside:
    setup = SETUP.format(folder=here.folder, name=Path(disk.node).name, told=disk.serial[:20])
    return Inside(pid=here.container(setup).pid)


@pytest.fixture
def engine(world: Inside) -> Generator[Engine]:
    with served(world) as (engine, _):
        yield engine


def test_a_volume_lives_from_blank_to_unmounted_and_comes_back_with_its_data(
    here: LoopMachine, disk: LoopDisk, world: Inside, engine: Engine
) -> None:
    path = f"{here.root}/data"
    inputs: dict[str, Any] = {"connection": connection("m1"), "serial": disk.serial, "path": path}
    made = engine.create("Mount", inputs)
    assert (made["device"], made["uuid"], made["formatted"]) == (disk.node, here.volume(disk).own_uuid, True)
    assert world.shell(f"echo rows >{path}/rows && findmnt -no OPTIONS {path}").stdout.startswith("rw,nosuid,nodev,")
    changed = engine.update(made, {**inputs, "options": ["noexec"]})
    assert "noexec" in world.shell(f"findmnt -no OPTIONS {path}").stdout
    seen = engine.read(changed)
    assert seen is not None
    assert not engine.diff(seen, changed.inputs).diffs
    assert f"x-flotilla.volume={disk.serial} 0 2" in world.shell("cat /etc/fstab").stdout
    engine.delete(changed)
    assert world.shell("cat /etc/fstab").stdout == "# none\n"
    assert world.shell(f"ls -d {path}").returncode != 0
    again = engine.create("Mount", inputs)
    assert (again["uuid"], again["formatted"]) == (made["uuid"], False)
    assert world.shell(f"cat {path}/rows").stdout == "rows\n"
    world.shell(f"umount {path}")
    assert engine.read(again) is None
    assert engine.create("Mount", inputs)["formatted"] is False
