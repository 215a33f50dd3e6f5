"""The program that mounts a volume on a machine: it comes there by standard input over SSH and runs as root.

The machine has Python 3.9 or later and its standard library, nothing else of ours. A run does what it can at once and
answers with one line of JSON: `result`, `notYet` (ask again) or `refused` (the user has to act). Only
`make_file_system` formats, and it never formats a disk that is not blank."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {"blkid": "util-linux", "mount": "mount", "umount": "mount", "xfs_growfs": "xfsprogs"}
# A file system that is made here has an id that follows from its volume's.
NAMESPACE = uuid.UUID("3c0f4a4e-8d0e-4d53-9f0a-5f6b9a1c7e21")
MARK = "x-flotilla.volume="
BY_US = ("nofail", "x-systemd.before=docker.service", "x-systemd.device-timeout=90s")
# Options of the mount itself, which the kernel shows as they are.
FLAGS = frozenset({"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"})
MOUNTABLE = ("ext4", "xfs")
# Virtio disks tell this many characters of their serial.
SHORTEST_SERIAL = 20
GIB = 1 << 30
MIB = 1 << 20
# A disk up to this size is read as a whole before it is called blank, of a larger one so much at its ends and within.
WHOLE, EDGE, SPOTS, SPOT = 256 * MIB, 16 * MIB, 128, MIB
BACKUP = 4096
NAMED_USERS = 4


class Stop(Exception):  # noqa: N818 - the two below say what it is
    """The run ends here; `mounted` tells of a volume that is mounted all the same."""

    mounted: dict[str, Any] | None = None


class NotYet(Stop):
    """Ask again later."""


class Refusal(Stop):
    """The user has to act; the message says what."""


@dataclass(frozen=True)
class Machine:
    """Where things are on a machine."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")
    fstab: Path = Path("/etc/fstab")
    run: Path = Path("/run")

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs there (and with it udev)."""
        return (self.run / "systemd" / "system").is_dir()


@dataclass(frozen=True)
class Volume:
    """What is asked for. `uuid` is that of the file system which the volume is known to have: with it, nothing is ever
    formatted. `device_name` is what the cloud attached the volume as, `size_gib` its least size (0: any)."""

    serial: str
    path: str
    options: Sequence[str] = ()
    device_name: str = ""
    size_gib: int = 0
    uuid: str = ""

    @property
    def folder(self) -> Path:
        """Where it is mounted."""
        return Path(self.path)

    @property
    def own_uuid(self) -> str:
        """The id of a file system made here."""
        return str(uuid.uuid5(NAMESPACE, self.serial))


@dataclass(frozen=True)
class Disk:
    """A whole disk, by its folder in sysfs and its node."""

    sysfs: Path
    node: Path

    def __str__(self) -> str:
        return str(self.node)

    @property
    def number(self) -> str:
        """`major:minor`; empty where there is no such device now."""
        try:
            told = self.node.stat()
        except OSError:
            return ""
        return f"{os.major(told.st_rdev)}:{os.minor(told.st_rdev)}" if stat.S_ISBLK(told.st_mode) else ""

    @property
    def size(self) -> int:
        """In bytes."""
        descriptor = os.open(self.node, os.O_RDONLY)
        try:
            return os.lseek(descriptor, 0, os.SEEK_END)
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class FileSystem:
    """A file system that can be mounted."""

    kind: str
    uuid: str


@dataclass(frozen=True)
class Mounted:
    """One line of mountinfo. `identity` is its own among all namespaces, `parent` that of the mount which it is on;
    `tags` are the groups of mounts that follow each other (`shared:3`, `master:3`)."""

    identity: str
    parent: str
    number: str
    root: str
    point: str
    kind: str
    options: frozenset[str]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """What a tool answered."""

    status: int
    text: str


def main(words: Sequence[str]) -> int:
    os.environ.update(PATH=SEARCH_PATH, LC_ALL="C")
    os.umask(0o022)
    sys.stdout.write(json.dumps(answer(json.loads(words[0]), Machine())) + "\n")
    return 0


def answer(request: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """The answer to one request: `action` and the fields of `Volume`."""
    volume = Volume(**{key: value for key, value in request.items() if key != "action"})
    try:
        if request["action"] == "look":
            return {"result": look(volume, machine)}
        with alone(machine):
            return {"result": (mount if request["action"] == "mount" else unmount)(volume, machine)}
    except NotYet as error:
        return {"notYet": str(error), "mounted": error.mounted}
    except Refusal as error:
        return {"refused": str(error), "mounted": error.mounted}


@contextmanager
def alone(machine: Machine) -> Generator[None]:
    """One run at a time on a machine; a tool that outlives its run (the connection broke) holds the lock on."""
    descriptor = os.open(machine.run / "flotilla-mount.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise NotYet("another run is at work on this machine") from None
    try:
        yield
    finally:
        os.close(descriptor)


def run(*argv: str) -> Done:
    """Run a tool to its end. It lives on when we die, and writes to a file, since a broken pipe would kill it: a mkfs
    that is cut off leaves a disk that is neither blank nor a file system."""
    with tempfile.TemporaryFile() as output:
        try:
            status = subprocess.call(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=False,
            )
        except FileNotFoundError:
            package = PACKAGES.get(argv[0], "e2fsprogs")
            raise Refusal(f"{argv[0]} is not on the machine: install the package {package} there") from None
        output.seek(0)
        return Done(status, output.read().decode(errors="replace").strip())


# The disk of a volume.


def find(volume: Volume, machine: Machine) -> Disk:
    """The disk that tells the volume's serial; on Xen, whose disks tell none, the one with the attachment's name."""
    disks = [Disk(entry, machine.dev / entry.name) for entry in whole_disks(machine)]
    told = {disk: serial_of(disk.sysfs) for disk in disks}
    found = [disk for disk in disks if is_serial_of(volume.serial, told[disk])]
    if len(found) > 1:
        names = ", ".join(str(disk) for disk in found)
        raise Refusal(f"serial is {volume.serial}: {names} all tell it; detach all but the right one")
    if not found and any(disk.sysfs.name.startswith("xvd") for disk in disks):
        found = [by_name(volume, disks)]
    if not found or not found[0].number:
        seen = ", ".join(f"{disk} is {told[disk]}" for disk in disks if told[disk]) or "none tells any"
        raise NotYet(f"no disk tells the serial {volume.serial}; of the disks there, {seen}")
    return found[0]


def whole_disks(machine: Machine) -> list[Path]:
    """Folders in sysfs of all disks: no partitions, and no paths below a multipath disk."""
    entries = sorted((machine.sys / "class" / "block").iterdir())
    return [one for one in entries if not (one / "partition").exists() and text_of(one / "hidden") != "1"]


def serial_of(disk: Path) -> str:
    """What the disk tells: virtio by itself, NVMe by its controller, SCSI on page 0x80 of its vital product data."""
    told = text_of(disk / "serial") or text_of(disk / "device" / "serial")
    if told:
        return told
    try:
        page = (disk / "device" / "vpd_pg80").read_bytes()
    except OSError:
        return ""
    return page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace").strip("\0 ")


def is_serial_of(serial: str, told: str) -> bool:
    """EBS writes `vol-0abc` as `vol0abc`; disks may tell the beginning alone, but never less than 20 characters."""
    wanted = serial.replace("vol-", "vol", 1)
    return told == wanted or (len(told) >= SHORTEST_SERIAL and wanted.startswith(told))


def by_name(volume: Volume, disks: Sequence[Disk]) -> Disk:
    """The disk that Xen shows for an attachment: `/dev/sdf` is `xvdf` inside, by the number in the attachment itself.
    Only here a name is trusted, and never because a disk is new."""
    if not volume.device_name:
        raise Refusal(
            f"serial is {volume.serial}: the disks of this type of machine are Xen's (xvda, ...), which tell no "
            "serials; give deviceName, what the volume is attached as (such as /dev/sdf), or use a newer type"
        )
    wanted = re.sub(r"^/dev/(?:sd|xvd)", "xvd", volume.device_name)
    found = [disk for disk in disks if disk.sysfs.name == wanted]
    if not found:
        raise NotYet(f"deviceName is {volume.device_name}: there is no disk {wanted}")
    return found[0]


def require_size(volume: Volume, disk: Disk) -> None:
    """A volume that grew shows it after a while; some disks have to be asked."""
    wanted = volume.size_gib * GIB
    if disk.size >= wanted:
        return
    for name in ("rescan", "rescan_controller"):
        if (disk.sysfs / "device" / name).exists():
            (disk.sysfs / "device" / name).write_text("1\n")
    if disk.size < wanted:
        raise NotYet(f"sizeGib is {volume.size_gib}: {disk} still has {disk.size / GIB:g} GiB")


def refuse_in_use(volume: Volume, disk: Disk, machine: Machine) -> None:
    """A disk that something else uses is not ours to mount."""
    parts = sorted(entry.parent.name for entry in disk.sysfs.glob("*/partition"))
    holders = sorted(one.name for one in disk.sysfs.glob("holders/*"))
    points = [one.point for one in mounts_of(machine) if one.number == disk.number]
    if parts:
        raise Refusal(f"serial is {volume.serial}: {disk} has partitions ({', '.join(parts)}); give a volume without")
    if holders:
        raise Refusal(f"serial is {volume.serial}: {disk} is in use by {', '.join(holders)}; stop that first")
    if points:
        raise Refusal(f"serial is {volume.serial}: {disk} is mounted at {points[0]}; unmount it there first")
    with claimed(volume, disk):
        pass


@contextmanager
def claimed(volume: Volume, disk: Disk) -> Generator[int]:
    """The disk, open for nobody else to claim: the kernel refuses that while anything has it mounted or composed."""
    descriptor = claim(disk)
    if descriptor is None:
        raise Refusal(
            f"serial is {volume.serial}: {disk} is in use, though not mounted here (swap, RAID, LVM, or a mount in a "
            "container); stop that first"
        )
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def claim(disk: Disk) -> int | None:
    """An exclusive descriptor, None where something has the disk in use."""
    try:
        return os.open(disk.node, os.O_RDONLY | os.O_EXCL)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return None
        raise NotYet(f"{disk} cannot be read: {error.strerror}") from error


# What is on it.


def file_system_of(volume: Volume, disk: Disk) -> FileSystem | None:
    """The file system, None where nothing is known (blank or not); everything else on it is refused."""
    told = content_of(volume, disk)
    kind, table = told.get("TYPE", ""), told.get("PTTYPE", "")
    if not told:
        return None
    if kind in MOUNTABLE and told.get("USAGE") == "filesystem" and not table:
        return FileSystem(kind, told.get("UUID", ""))
    what = kind or (f"a partition table ({table})" if table else "something unknown")
    raise Refusal(
        f"serial is {volume.serial}: {disk} holds {what}: only {' and '.join(MOUNTABLE)} are mounted, and nothing is "
        "formatted that is not blank; give another volume, or empty this one by hand if its content is worth nothing"
    )


def content_of(volume: Volume, disk: Disk) -> dict[str, str]:
    """What blkid finds when it looks for everything; it says 2 when it finds nothing, 8 when it finds several."""
    done = run("blkid", "-p", "-o", "export", str(disk))
    if done.status == 0:
        return dict(line.split("=", 1) for line in done.text.splitlines() if "=" in line)
    if done.status == 2:
        return {}
    told = "several things at once" if done.status == 8 else f"blkid failed ({done.text or done.status})"
    raise Refusal(f"serial is {volume.serial}: what {disk} holds is not clear: {told}; it is left as it is")


def make_file_system(volume: Volume, disk: Disk) -> None:
    """Make the file system of a blank disk. All that forbids it is looked for right here, so that nothing can call
    mkfs without it; leaving out its -F protects nothing, since without a terminal it asks nobody."""
    with claimed(volume, disk) as descriptor:
        if content_of(volume, disk):
            raise Refusal(f"serial is {volume.serial}: {disk} is not blank; it is left as it is")
        offset = first_byte(descriptor, disk.size)
    if offset is not None:
        raise Refusal(
            f"serial is {volume.serial}: {disk} has no known file system and is not blank either (the byte at {offset} "
            "is not 0), so it is not formatted. A damaged ext4 looks so (`e2fsck -b 32768` finds it), and a mkfs that "
            f"was interrupted. If nothing on it is worth keeping: `mkfs.ext4 {disk}` on the machine, then run again"
        )
    # Nothing can be discarded on what was never written.
    done = run("mkfs.ext4", "-q", "-E", "nodiscard", "-U", volume.own_uuid, str(disk))
    made = file_system_of(volume, disk) if done.status == 0 else None
    if made != FileSystem("ext4", volume.own_uuid):
        raise Refusal(f"serial is {volume.serial}: mkfs.ext4 {disk} failed: {done.text or done.status}")


def first_byte(descriptor: int, size: int) -> int | None:
    """Where the first byte is that is not 0, in all that is looked at."""
    for start, length in spots(size):
        for offset in range(start, start + length, MIB):
            data = os.pread(descriptor, min(MIB, start + length - offset), offset)
            rest = data.lstrip(b"\0")
            if rest:
                return offset + len(data) - len(rest)
    return None


def spots(size: int) -> list[tuple[int, int]]:
    """(offset, length) of what is read: everything, or both ends, each place of a backup superblock of ext4 (what
    stays of one whose beginning is lost), and places spread over the disk."""
    if size <= WHOLE:
        return [(0, size)]
    spread = [(number * (size // SPOTS), SPOT) for number in range(1, SPOTS)]
    backups = [(offset, BACKUP) for offset in backup_superblocks() if offset + BACKUP <= size]
    return [(0, EDGE), (size - EDGE, EDGE), *backups, *spread]


def backup_superblocks() -> Iterator[int]:
    """Where ext4 keeps copies: group 1 and the powers of 3, 5 and 7, for each of its block sizes."""
    groups = {1, *(base**power for base in (3, 5, 7) for power in range(1, 13))}
    for block in (1024, 2048, 4096):
        for group in sorted(groups):
            yield (group * 8 * block + (block == 1024)) * block


def known_file_system(volume: Volume, disk: Disk) -> FileSystem:
    """The file system that is there after all, which has to be the one that the volume is known to have."""
    found = file_system_of(volume, disk)
    if found is None:
        raise Refusal(
            f"serial is {volume.serial}: {disk} has no file system, though it had one ({volume.uuid}): it was wiped, "
            "or this is another disk. It is left as it is; restore it from a snapshot, or replace this resource"
        )
    if volume.uuid and found.uuid != volume.uuid:
        raise Refusal(
            f"serial is {volume.serial}: the file system on {disk} is {found.uuid} and was {volume.uuid}: if you "
            "changed that, run `pulumi refresh`, then `pulumi up`"
        )
    return found


def refuse_unfit(volume: Volume, disk: Disk, system: FileSystem) -> None:
    """What would go wrong now, or at the next start of the machine."""
    if system.kind == "ext4" and superblock(disk, 1024 + 0x3A, "<H") & 2:
        raise Refusal(
            f"serial is {volume.serial}: the ext4 on {disk} notes errors; run `e2fsck {disk}` on the machine, then "
            "run again"
        )
    # /etc/fstab names it by its id, which copies of one snapshot share.
    done = run("blkid", "-c", "/dev/null", "-t", f"UUID={system.uuid}", "-o", "device")
    found = done.text.split() if done.status == 0 else []
    others = sorted(one for one in found if os.path.realpath(one) != os.path.realpath(disk.node))
    if others:
        change = "tune2fs -U random" if system.kind == "ext4" else "xfs_admin -U generate"
        raise Refusal(
            f"serial is {volume.serial}: {others[0]} has the same file system id as {disk} ({system.uuid}), as copies "
            f"of one snapshot have; run `{change} {disk}` on the machine, then run again"
        )


def superblock(disk: Disk, offset: int, form: str) -> int:
    """One number of a file system's description."""
    descriptor = os.open(disk.node, os.O_RDONLY)
    try:
        (value,) = struct.unpack(form, os.pread(descriptor, struct.calcsize(form), offset))
    finally:
        os.close(descriptor)
    return value


def size_of(disk: Disk, system: FileSystem) -> tuple[int, int]:
    """Number of blocks and their size, as the file system itself says."""
    if system.kind == "xfs":
        return superblock(disk, 8, ">Q"), superblock(disk, 4, ">I")
    blocks = superblock(disk, 1024 + 0x4, "<I")
    if superblock(disk, 1024 + 0x60, "<I") & 0x80:
        blocks += superblock(disk, 1024 + 0x150, "<I") << 32
    return blocks, 1024 << superblock(disk, 1024 + 0x18, "<I")


# Mounts, as the kernel knows them.


def mounts_of(machine: Machine, process: str = "self") -> list[Mounted]:
    """All mounts that a process sees, in the order in which they were made."""
    found: list[Mounted] = []
    for line in (machine.proc / process / "mountinfo").read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        words, (kind, _, super_options) = before.split(" "), after.split(" ", 2)
        options = frozenset([*words[5].split(","), *super_options.split(",")])
        paths = plain(words[3]), plain(words[4])
        found.append(Mounted(words[0], words[1], words[2], *paths, kind, options, tuple(words[6:])))
    return found


def mount_at(machine: Machine, path: str) -> Mounted | None:
    """What is mounted at a path; of several on top of each other the one that is seen."""
    found = [one for one in mounts_of(machine) if one.point == path]
    return found[-1] if found else None


def plain(text: str) -> str:
    """A path without the escapes of mountinfo and fstab."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def users_of(machine: Machine, number: str, but: Mounted | None) -> list[str]:
    """Who has a device mounted, in any mount namespace: containers, by their mounts. Not counted are the mount `but`
    and the copies of it that the kernel takes along when it goes."""
    seen: set[str] = set()
    found: dict[str, None] = {}
    place = place_of(but, mounts_of(machine)) if but is not None else None
    for process in processes(machine):
        with suppress(OSError):
            namespace = str((machine.proc / process / "ns" / "mnt").readlink())
            if namespace in seen:
                continue
            mounts = mounts_of(machine, process)
            seen.add(namespace)
            there = [one for one in mounts if one.number == number and one != but]
            counted = [one.point for one in there if not goes_along(place_of(one, mounts), place)]
            found.update(dict.fromkeys(f"{who(machine, process)} has it mounted at {point}" for point in counted))
    return list(found)


def place_of(mount: Mounted, mounts: Sequence[Mounted]) -> tuple[Mounted, str] | None:
    """The mount that this one is on, and where on it."""
    for parent in mounts:
        if parent.identity == mount.parent:
            return parent, parent.root.rstrip("/") + mount.point[len(parent.point.rstrip("/")) :]
    return None


def goes_along(copy: tuple[Mounted, str] | None, original: tuple[Mounted, str] | None) -> bool:
    """Whether the kernel unmounts a copy with its original: it is at the same place, on a mount that follows the
    original's own (the same group, or one that takes after it)."""
    if copy is None or original is None or copy[1] != original[1]:
        return False
    groups = {tag.partition(":")[2] for tag in original[0].tags if tag.startswith("shared:")}
    return any(tag.partition(":")[2] in groups for tag in copy[0].tags if tag.startswith(("shared:", "master:")))


def openers_of(machine: Machine, path: str) -> list[str]:
    """Processes that have a file below a path open, or work there."""
    found: list[str] = []
    for process in processes(machine):
        folder = machine.proc / process
        with suppress(OSError):
            links = [folder / "cwd", folder / "root", *(folder / "fd").iterdir()]
            if any(is_below(link, path) for link in links):
                found.append(f"{who(machine, process)} has files open in it")
    return found


def is_below(link: Path, path: str) -> bool:
    """Whether a link of a process leads there; it is read, never followed."""
    try:
        target = str(link.readlink())
    except OSError:
        return False
    return target == path or target.startswith(path + "/")


def processes(machine: Machine) -> list[str]:
    """Ids of all processes; our own is the first, since the machine's own mounts are told by it."""
    own = str(os.getpid())
    found = sorted((entry.name for entry in machine.proc.iterdir() if entry.name.isdigit()), key=int)
    return sorted(found, key=lambda process: process != own)


def who(machine: Machine, process: str) -> str:
    """What a user knows a process by: its container where it has one."""
    container = re.search(r"\b[0-9a-f]{64}\b", text_of(machine.proc / process / "cgroup"))
    if process == str(os.getpid()):
        return "the machine"
    name = f"process {process} ({text_of(machine.proc / process / 'comm')})"
    return f"container {container[0][:12]}, {name}," if container else name


# The file that the next start of the machine reads.


def line_of(volume: Volume, system: FileSystem) -> str:
    """The line of /etc/fstab: by the file system's id, before Docker, and no reason for the machine not to start."""
    options = ",".join([*volume.options, *BY_US, MARK + volume.serial])
    return f"UUID={system.uuid} {volume.path} {system.kind} {options} 0 {2 if system.kind == 'ext4' else 0}"


def fields_of(line: str) -> list[str]:
    """The fields of a line of /etc/fstab, none of a comment."""
    return [] if line.lstrip().startswith("#") else line.split()


def is_line_of(line: str, volume: Volume) -> bool:
    """Whether we wrote this line for the volume, or for another one that was at its path."""
    fields = fields_of(line)
    marks = [one for one in fields[3].split(",") if one.startswith(MARK)] if len(fields) > 3 else []
    return bool(marks) and (marks == [MARK + volume.serial] or plain(fields[1]) == volume.path)


def old_options(text: str, volume: Volume) -> list[str]:
    """The options that the volume was mounted with until now."""
    for line in text.splitlines():
        if is_line_of(line, volume):
            return [one for one in fields_of(line)[3].split(",") if one not in BY_US and not one.startswith(MARK)]
    return list(volume.options)


def with_line(text: str, volume: Volume, line: str | None) -> str:
    """The content of /etc/fstab with this line in place of the volume's, or without any; all else stays."""
    lines = text.splitlines()
    places = [number for number, one in enumerate(lines) if is_line_of(one, volume)]
    kept = [one for number, one in enumerate(lines) if number not in places]
    if line is not None:
        kept.insert(places[0] if places else len(kept), line)
    return "".join(one + "\n" for one in kept) if kept != lines else text


def refuse_their_line(text: str, volume: Volume) -> None:
    for line in text.splitlines():
        fields = fields_of(line)
        if len(fields) > 1 and plain(fields[1]) == volume.path and not is_line_of(line, volume):
            raise Refusal(f"path is {volume.path}: /etc/fstab has it already ({line.strip()}); remove that line")


def text_of(path: Path) -> str:
    """The content of a small file, empty where there is none."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def write_fstab(machine: Machine, volume: Volume, line: str | None, notes: list[str]) -> None:
    """Replace the file as a whole, and let systemd read it."""
    path = Path(os.path.realpath(machine.fstab))
    text = path.read_text() if path.exists() else ""
    wanted = with_line(text, volume, line)
    if wanted == text:
        return
    fresh = path.with_name(f".{path.name}.flotilla")
    with fresh.open("w") as file:
        file.write(wanted)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        shutil.copymode(path, fresh)
    fresh.replace(path)
    if machine.has_systemd:
        done = run("systemctl", "daemon-reload")
        if done.status:
            notes.append(f"systemctl daemon-reload failed: {done.text}")


def read_fstab(machine: Machine) -> str:
    return machine.fstab.read_text() if machine.fstab.exists() else ""


# The three actions.


def mount(volume: Volume, machine: Machine) -> dict[str, Any]:
    """Make it so: the disk is there, has a file system as large as itself, and is mounted now and at every start."""
    disk = find(volume, machine)
    notes: list[str] = []
    formatted = False
    refuse_their_line(read_fstab(machine), volume)
    here = mount_at(machine, volume.path)
    if here is not None and here.number != disk.number:
        raise Refusal(
            f"path is {volume.path}: something other than volume {volume.serial} ({disk}) is mounted there "
            f"({here.kind}, device {here.number}); unmount that, or give another path"
        )
    require_size(volume, disk)
    if here is None:
        refuse_in_use(volume, disk, machine)
        refuse_directory(volume.path)
        if file_system_of(volume, disk) is None and not volume.uuid:
            make_file_system(volume, disk)
            formatted = True
    system = known_file_system(volume, disk)
    told = {"device": str(disk), "uuid": system.uuid, "formatted": formatted}
    if here is None:
        refuse_unfit(volume, disk, system)
        prepare_directory(volume.path, notes)
        attach(volume, disk, system)
    try:
        remount(volume, disk, machine, notes)
        show_to_systemd(disk, system, machine)
        write_fstab(machine, volume, line_of(volume, system), notes)
        if "ro" not in volume.options:
            grow(volume, disk, system)
            tidy(volume, system)
    except Stop as error:
        error.mounted = told
        raise
    return {**told, "notes": notes}


def refuse_directory(path: str) -> None:
    """A mount hides what it is put on."""
    folder = Path(path)
    if os.path.realpath(path) != path:
        raise Refusal(f"path is {path}: it leads to {os.path.realpath(path)} by a link; give that path")
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"path is {path}: it is not a directory; give another path, or remove it")
    if folder.exists() and any(folder.iterdir()):
        raise Refusal(f"path is {path}: the directory is not empty, and a mount would hide what is in it; move it away")


def prepare_directory(path: str, notes: list[str]) -> None:
    """An empty directory that nobody can write to as long as nothing is mounted on it: what a service writes while its
    volume is missing would be lost below the next mount."""
    if not Path(path).exists():
        Path(path).parent.mkdir(0o700, parents=True, exist_ok=True)
        Path(path).mkdir(0o755)
    if run("chattr", "+i", path).status:
        notes.append(f"{path} cannot be made immutable here: while it is not mounted, it can be written to")


def attach(volume: Volume, disk: Disk, system: FileSystem) -> None:
    """Mount, and look whether it really is what is seen at the path."""
    done = run("mount", "-t", system.kind, "-o", ",".join(volume.options) or "defaults", str(disk), volume.path)
    if done.status:
        raise Refusal(
            f"serial is {volume.serial}: mount {disk} {volume.path} failed: {done.text} (it was not formatted: correct "
            "options, or check the file system by hand)"
        )
    seen = volume.folder.stat().st_dev
    if f"{os.major(seen)}:{os.minor(seen)}" != disk.number:
        raise Refusal(f"path is {volume.path}: {disk} was mounted there, and something else is seen at it")


def remount(volume: Volume, disk: Disk, machine: Machine, notes: list[str]) -> None:
    """Give the mount the options that are wanted; those that the kernel keeps until the next mount are told."""
    before, here = old_options(read_fstab(machine), volume), mount_at(machine, volume.path)
    missing = [one for one in volume.options if one in FLAGS and here is not None and one not in here.options]
    if sorted(before) == sorted(volume.options) and not missing:
        return
    options = ",".join(["remount", *([] if "ro" in volume.options else ["rw"]), *volume.options])
    done = run("mount", "-o", options, str(disk), volume.path)
    if done.status:
        raise Refusal(f"options is {','.join(volume.options)}: the kernel refuses them: {done.text}")
    here = mount_at(machine, volume.path)
    left = [one for one in before if one not in volume.options and here is not None and one in here.options]
    if left:
        notes.append(f"{volume.path} keeps {','.join(left)} until it is mounted anew")


def show_to_systemd(disk: Disk, system: FileSystem, machine: Machine) -> None:
    """Wait until udev knows the file system by its id: systemd unmounts what hangs on a device unknown to it."""
    link = machine.dev / "disk" / "by-uuid" / system.uuid
    if not machine.has_systemd or os.path.realpath(link) == os.path.realpath(disk.node):
        return
    run("udevadm", "trigger", "--action=change", str(disk))
    run("udevadm", "settle", "--timeout=10")
    if os.path.realpath(link) != os.path.realpath(disk.node):
        raise NotYet(f"udev does not show {disk} as {link}")


def grow(volume: Volume, disk: Disk, system: FileSystem) -> None:
    """A volume that grew has room behind its file system."""
    blocks, block = size_of(disk, system)
    if disk.size // block <= blocks:
        return
    done = run("resize2fs", str(disk)) if system.kind == "ext4" else run("xfs_growfs", volume.path)
    if done.status:
        raise Refusal(f"sizeGib: the file system on {disk} could not be grown: {done.text}")


def tidy(volume: Volume, system: FileSystem) -> None:
    """A new file system is open to whatever user a service runs as, as Flocker's were, and empty: databases refuse to
    start in a directory with something in it. What leads to it is root's alone."""
    if system.uuid == volume.own_uuid and [one.name for one in volume.folder.iterdir()] == ["lost+found"]:
        volume.folder.chmod(0o777)
        with suppress(OSError):
            (volume.folder / "lost+found").rmdir()


def look(volume: Volume, machine: Machine) -> dict[str, Any]:
    """Whether the volume is mounted at its path, and how."""
    here = mount_at(machine, volume.path)
    if here is None:
        return {"mounted": False, "why": f"nothing is mounted at {volume.path}"}
    try:
        disk = find(volume, machine)
    except NotYet as error:
        return {"mounted": False, "why": str(error)}
    system = file_system_of(volume, disk) if here.number == disk.number else None
    if system is None:
        return {"mounted": False, "why": f"something else is mounted at {volume.path}"}
    missing = [one for one in volume.options if one in FLAGS and one not in here.options]
    options = [one for one in volume.options if one not in missing]
    return {"mounted": True, "device": str(disk), "uuid": system.uuid, "options": options}


def unmount(volume: Volume, machine: Machine) -> dict[str, Any]:
    """Take the mount, its line and its directory away, once nothing uses it. Never by force, and the data stays."""
    notes: list[str] = []
    here = mount_at(machine, volume.path)
    if here is not None:
        disk = present(volume, machine)
        if not is_its_mount(here, disk, machine):
            notes.append(f"{volume.path} is left as it is: something other than {volume.serial} is mounted there")
            write_fstab(machine, volume, None, notes)
            return {"notes": notes}
        detach(volume, here, disk, machine)
    write_fstab(machine, volume, None, notes)
    remove_directory(volume.path, notes)
    return {"notes": notes}


def present(volume: Volume, machine: Machine) -> Disk | None:
    """The volume's disk, None when it is gone already."""
    try:
        return find(volume, machine)
    except NotYet:
        return None


def is_its_mount(here: Mounted, disk: Disk | None, machine: Machine) -> bool:
    """Whether what is mounted is the volume, or what is left of a disk that was taken away below its mount."""
    if disk is not None and disk.number == here.number:
        return True
    return not here.number.startswith("0:") and not (machine.sys / "dev" / "block" / here.number).exists()


def detach(volume: Volume, here: Mounted, disk: Disk | None, machine: Machine) -> None:
    """Unmount when nobody else has it: the mounts of containers are their own, and outlive ours. Who is still there
    afterwards (a container that just starts, with all mounts of the machine) is waited for, and it is mounted back."""
    if users := users_of(machine, here.number, here):
        raise NotYet(in_use(volume, users))
    done = run("umount", volume.path)
    if done.status and "busy" in done.text:
        raise NotYet(in_use(volume, openers_of(machine, volume.path)))
    if done.status:
        raise Refusal(f"path is {volume.path}: umount failed: {done.text}")
    if mount_at(machine, volume.path) is not None:
        raise NotYet(f"{volume.path} was mounted more than once")
    descriptor = claim(disk) if disk is not None else None
    if descriptor is not None:
        os.close(descriptor)
    elif disk is not None:
        users = users_of(machine, here.number, None)
        attach(volume, disk, FileSystem(here.kind, ""))
        raise NotYet(in_use(volume, users))


def in_use(volume: Volume, users: Sequence[str]) -> str:
    more = f" and {len(users) - NAMED_USERS} more" if len(users) > NAMED_USERS else ""
    return f"{volume.path} is in use: {'; '.join(users[:NAMED_USERS]) or 'by the kernel'}{more}"


def remove_directory(path: str, notes: list[str]) -> None:
    """Only an empty one: what is in it was not put there by us."""
    if not Path(path).is_dir():
        return
    run("chattr", "-i", path)
    try:
        Path(path).rmdir()
    except OSError as error:
        notes.append(f"{path} stays: {error.strerror}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
