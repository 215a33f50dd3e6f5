"""Real disks for the tests of mounting: loop devices that tell a serial, on a machine whose files are all our own."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugins.swarm.remote_mount import MIB, Machine, Volume, answer

# A tool that takes a note of its call and is then itself.
NOTING = '#!/bin/sh\necho "$@" >>{notes}\nexec {tool} "$@"\n'


def shell(*argv: str) -> str:
    """What a command prints; it has to succeed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def new_serial() -> str:
    """The id of a volume that nobody else has."""
    return str(uuid.uuid4())


@dataclass
class LoopDisk:
    """One disk: its serial, its device and the file that holds its bytes."""

    serial: str
    node: str
    file: Path

    @property
    def digest(self) -> str:
        """Of all its bytes."""
        subprocess.run(["sync", self.node], check=True)
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def write(self, offset: int, data: bytes) -> None:
        """Write to the device, from its end where the offset is negative."""
        with Path(self.node).open("r+b") as device:
            device.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
            device.write(data)

    def grow(self, mib: int) -> None:
        """Make it larger, as a cloud does while it is attached."""
        os.truncate(self.file, mib * MIB)
        shell("losetup", "--set-capacity", self.node)


@dataclass
class LoopMachine:
    """A machine with loop devices for disks. Below `root`, a file system of its own, it mounts them."""

    folder: Path
    disks: list[LoopDisk] = field(default_factory=list[LoopDisk])
    processes: "list[subprocess.Popen[str]]" = field(default_factory=list["subprocess.Popen[str]"])

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def machine(self) -> Machine:
        """As the program sees it."""
        return Machine(sys=self.folder / "sys", fstab=self.folder / "fstab", run=self.folder)

    @property
    def formatted(self) -> list[str]:
        """The calls of mkfs there ever were."""
        notes = self.folder / "notes"
        return notes.read_text().splitlines() if notes.exists() else []

    def disk(self, serial: str = "", mib: int = 64) -> LoopDisk:
        """Attach a blank disk."""
        serial = serial or new_serial()
        file = self.folder / f"{serial}.disk"
        file.touch()
        os.truncate(file, mib * MIB)
        node = shell("losetup", "--find", "--show", str(file))
        shown = self.folder / "sys" / "class" / "block" / Path(node).name
        (shown / "holders").mkdir(parents=True)
        (shown / "serial").write_text(serial[:20])
        self.disks.append(LoopDisk(serial, node, file))
        return self.disks[-1]

    def volume(self, disk: LoopDisk, **changed: Any) -> Volume:
        """What is asked for of a disk."""
        usual: dict[str, Any] = {"serial": disk.serial, "path": str(self.root / "data"), "options": ["nodev", "nosuid"]}
        return Volume(**{**usual, **changed})

    def ask(self, action: str, disk: LoopDisk, **changed: Any) -> dict[str, Any]:
        """The program's answer."""
        return answer({"action": action, **vars(self.volume(disk, **changed))}, self.machine)

    def mount(self, disk: LoopDisk, **changed: Any) -> dict[str, Any]:
        """The result of a mount that succeeds."""
        told = self.ask("mount", disk, **changed)
        assert "result" in told, told
        return told["result"]

    def unmount(self, disk: LoopDisk) -> list[str]:
        """The notes of an unmount that succeeds: it is asked again as the provider does, since any container that
        starts on this computer has a copy of all mounts for a moment."""
        end = time.monotonic() + 30
        while "result" not in (told := self.ask("unmount", disk)):
            assert "notYet" in told, told
            assert time.monotonic() < end, told
        return told["result"]["notes"]

    def tool(self, name: str, script: str) -> None:
        """Put a script in place of a tool."""
        path = self.folder / "tools" / name
        path.write_text(script)
        path.chmod(0o755)

    def container(self, command: str, propagation: str = "private") -> "subprocess.Popen[str]":
        """A process with mounts of its own, as a container has them, that has done its command and then waits."""
        words = [
            "unshare",
            "--mount",
            "--propagation",
            propagation,
            "sh",
            "-e",
            "-c",
            f"{command}\nexec cat",
        ]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        # cat itself says it back: as long as it is the shell, who asks for its name is told `sh`.
        process.stdin.write("done\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        return process

    def clear(self) -> None:
        """Leave nothing, however the test ended."""
        shutil.rmtree(self.folder / "tools")
        for process in self.processes:
            process.kill()
            process.communicate()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{self.folder}/tools/" in (process / "cmdline").read_text():
                    os.kill(int(process.name), signal.SIGKILL)
        points = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for point in reversed([point for point in points if point.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", point], check=True)
        for disk in self.disks:
            subprocess.run(["losetup", "--detach", disk.node], check=False, capture_output=True)

    def lines(self) -> list[str]:
        """What our fstab says."""
        return (self.folder / "fstab").read_text().splitlines() if (self.folder / "fstab").exists() else []


@contextmanager
def loop_machine(folder: Path) -> Generator[LoopMachine]:
    """A machine, and none of it left afterwards."""
    made = LoopMachine(folder)
    for name in ("root", "tools", "sys/class/block"):
        (folder / name).mkdir(parents=True)
    (folder / "sys" / "dev").symlink_to("/sys/dev")
    made.tool("mkfs.ext4", NOTING.format(notes=folder / "notes", tool=shell("which", "mkfs.ext4")))
    image = folder / "root.disk"
    image.touch()
    os.truncate(image, 16 * MIB)
    shell("mke2fs", "-q", "-t", "ext4", str(image))
    shell("mount", "-o", "loop", str(image), str(made.root))
    try:
        yield made
    finally:
        made.clear()
