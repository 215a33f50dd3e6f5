"""What the program that mounts volumes does to real disks: loop devices, real file systems, real mounts."""

import fcntl
import json
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from plugins.swarm.remote_mount import MIB, Disk, Refusal, make_file_system
from tests.unit.swarm_plugin.loop_disks import LoopDisk, LoopMachine, loop_machine, new_serial, shell
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
MIDDLE = 32 * MIB + 17
# The program with the machine's places from a JSON text, as a process that can be killed.
PROGRAM = """
import json, sys
from pathlib import Path
from plugins.swarm import remote_mount
places = {name: Path(path) for name, path in json.loads(sys.argv[2]).items()}
print(json.dumps(remote_mount.answer(json.loads(sys.argv[1]), remote_mount.Machine(**places))))
"""

# The kernel lets CAP_SYS_RESOURCE alone grow what is mounted, and a container of ours may not have it. Any container
# that starts on this computer has a copy of all mounts for a moment: e2fsck ends with 8 while the disk is in use there.
GROWING = """#!/bin/sh
{tool} "$1" && exit 0
umount {path}
for attempt in $(seq 300); do e2fsck -fp "$1"; [ $? -lt 8 ] && break; sleep 0.1; done
{tool} "$1" && mount "$1" {path}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[LoopMachine]:
    with loop_machine(tmp_path.resolve()) as machine:
        monkeypatch.setenv("PATH", f"{machine.folder / 'tools'}:{os.environ['PATH']}")
        monkeypatch.setenv("LC_ALL", "C")
        yield machine


def own_uuid(here: LoopMachine, disk: LoopDisk) -> str:
    return here.volume(disk).own_uuid


def mounted(here: LoopMachine) -> str:
    """What is mounted at the path, and how; empty when nothing is."""
    target = str(here.root / "data")
    done = subprocess.run(["findmnt", "-no", "SOURCE,OPTIONS", target], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def foreign(disk: LoopDisk) -> None:
    """An ext4 that somebody else made, with a file in it."""
    shell("mke2fs", "-q", "-t", "ext4", "-d", str(Path(__file__).parent), disk.node)


def test_a_blank_disk_is_formatted_once_and_a_second_run_changes_nothing(here: LoopMachine) -> None:
    disk = here.disk()
    told = here.mount(disk)
    assert told == {"device": disk.node, "uuid": own_uuid(here, disk), "formatted": True, "notes": []}
    assert mounted(here).startswith(disk.node)
    assert {"nodev", "nosuid"} <= set(mounted(here).split()[1].split(","))
    assert list((here.root / "data").iterdir()) == []
    # Whoever a service runs as may write to it, and nobody else gets there.
    assert stat.S_IMODE((here.root / "data").stat().st_mode) == 0o777
    (here.root / "data" / "kept").write_text("x")
    before = (here.lines(), (here.folder / "fstab").stat().st_mtime_ns)
    assert here.mount(disk) == {**told, "formatted": False}
    assert (here.lines(), (here.folder / "fstab").stat().st_mtime_ns) == before
    assert len(here.formatted) == 1
    assert (here.root / "data" / "kept").read_text() == "x"


def test_the_line_for_the_next_start_is_valid_and_mounts_the_volume(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    (line,) = here.lines()
    assert line.startswith(f"UUID={own_uuid(here, disk)} {here.root}/data ext4 nodev,nosuid,nofail,x-systemd.before=")
    shell("umount", str(here.root / "data"))
    # As the start of a machine does it, but for udev.
    shell("mount", "--fstab", str(here.folder / "fstab"), "--all")
    assert mounted(here).startswith(disk.node)
    assert {"nodev", "nosuid"} <= set(mounted(here).split()[1].split(","))


def test_data_outlives_unmounting_and_mounting_anew(here: LoopMachine) -> None:
    disk = here.disk()
    uuid = here.mount(disk)["uuid"]
    (here.root / "data" / "rows").write_bytes(b"r" * MIB)
    assert here.unmount(disk) == []
    assert (mounted(here), here.lines(), (here.root / "data").exists()) == ("", [], False)
    assert here.unmount(disk) == []
    assert here.mount(disk) == {"device": disk.node, "uuid": uuid, "formatted": False, "notes": []}
    assert (here.root / "data" / "rows").read_bytes() == b"r" * MIB
    assert len(here.formatted) == 1


def swap(disk: LoopDisk) -> None:
    shell("mkswap", disk.node)


def damaged_ext4(disk: LoopDisk) -> None:
    foreign(disk)
    disk.write(1024, bytes(1024))


def ext4_below_a_partition_table(disk: LoopDisk) -> None:
    foreign(disk)
    disk.write(446, PARTITION)
    disk.write(510, b"\x55\xaa")


def ext3(disk: LoopDisk) -> None:
    shell("mke2fs", "-q", "-t", "ext3", disk.node)


def bytes_at(*pieces: tuple[int, bytes]) -> Callable[[LoopDisk], None]:
    def write(disk: LoopDisk) -> None:
        for offset, data in pieces:
            disk.write(offset, data)

    return write


PARTITION = bytes([0x80, 1, 1, 0, 0x83, 0, 0, 0]) + struct.pack("<II", 2048, 1000)
PROTECTIVE = bytes([0, 0, 2, 0, 0xEE, 0, 0, 0]) + struct.pack("<II", 1, 131071)
RAID = struct.pack("<IIII", 0xA92B4EFC, 0, 90, 0)
CONTENTS: list[tuple[str, Callable[[LoopDisk], None], str]] = [
    ("LUKS 1", bytes_at((0, b"LUKS\xba\xbe\x00\x01")), "holds crypto_LUKS: only ext4 and xfs are mounted"),
    ("LUKS 2", bytes_at((0, b"LUKS\xba\xbe\x00\x02")), "holds crypto_LUKS"),
    ("LVM", bytes_at((512, b"LABELONE" + struct.pack("<QII", 1, 0, 32) + b"LVM2 001")), "the byte at 512 is not 0"),
    ("swap", swap, "holds swap"),
    ("MBR", bytes_at((446, PARTITION), (510, b"\x55\xaa")), r"holds a partition table \(dos\)"),
    ("GPT", bytes_at((446, PROTECTIVE), (510, b"\x55\xaa"), (512, b"EFI PART")), r"holds a partition table \(PMBR\)"),
    ("GPT of which the end is left", bytes_at((-512, b"EFI PART")), "is not 0"),
    ("RAID at the end", bytes_at((-65536, RAID)), "holds linux_raid_member"),
    ("RAID at the start", bytes_at((4096, struct.pack("<II", 0xA92B4EFC, 1))), "the byte at 4096 is not 0"),
    ("btrfs", bytes_at((0x10040, b"_BHRfS_M")), "holds btrfs"),
    ("ZFS", bytes_at(*((n << 10, struct.pack("<Q", 0x00BAB10C)) for n in range(128, 132))), "holds zfs_member"),
    ("Ceph", bytes_at((0, b"bluestore block device\n")), "holds ceph_bluestore"),
    ("ext3", ext3, "holds ext3"),
    ("an ext4 whose superblock is gone", damaged_ext4, r"A damaged ext4 looks so \(`e2fsck -b 32768` finds it\)"),
    ("an ext4 below a partition table", ext4_below_a_partition_table, "holds ext4|several things at once|dos"),
    ("one byte at the start", bytes_at((0, b"\x01")), "the byte at 0 is not 0"),
    ("one byte within", bytes_at((MIDDLE, b"\x01")), f"the byte at {MIDDLE} is not 0"),
    ("one byte at the end", bytes_at((-1, b"\x01")), f"the byte at {64 * MIB - 1} is not 0"),
]


@pytest.mark.parametrize(("fill", "message"), [one[1:] for one in CONTENTS], ids=[one[0] for one in CONTENTS])
def test_a_volume_that_is_not_blank_is_never_formatted(
    here: LoopMachine, fill: Callable[[LoopDisk], None], message: str
) -> None:
    disk = here.disk()
    fill(disk)
    before = disk.digest
    told = here.ask("mount", disk)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(told["refused"])
    assert f"serial is {disk.serial}: {disk.node}" in told["refused"]
    assert (disk.digest, here.formatted, mounted(here), here.lines()) == (before, [], "", [])


def test_the_gate_itself_refuses_a_file_system_whoever_calls_it(here: LoopMachine) -> None:
    disk = here.disk()
    foreign(disk)
    before = disk.digest
    with pytest.raises(Refusal, match="is not blank; it is left as it is"):
        make_file_system(here.volume(disk), Disk(here.folder, Path(disk.node)))
    assert (disk.digest, here.formatted) == (before, [])


def test_a_large_disk_is_looked_at_at_its_ends_and_at_places_within(here: LoopMachine) -> None:
    disk = here.disk(mib=4096)
    disk.write(32768 * 4096, b"\x01")
    assert f"the byte at {32768 * 4096} is not 0" in here.ask("mount", disk)["refused"]
    disk.write(32768 * 4096, b"\x00")
    assert here.mount(disk)["formatted"]


@pytest.mark.parametrize("size", [1, 3])
def test_a_disk_is_chosen_by_its_serial_among_others_of_the_same_size(here: LoopMachine, size: int) -> None:
    others = [here.disk(mib=64) for _ in range(size)]
    disk = here.disk(mib=64)
    last = here.disk(mib=64)
    before = [one.digest for one in (*others, last)]
    assert here.mount(disk)["device"] == disk.node
    assert [one.digest for one in (*others, last)] == before


def test_a_serial_that_no_disk_tells_is_waited_for_and_touches_none(here: LoopMachine) -> None:
    disk = here.disk()
    before = disk.digest
    told = here.ask("mount", disk, serial=new_serial())
    assert told["notYet"].endswith(f"of the disks there, {disk.node} is {disk.serial[:20]}")
    assert (disk.digest, here.formatted, (here.root / "data").exists()) == (before, [], False)


def test_a_file_system_of_somebody_else_is_mounted_as_it_is(here: LoopMachine) -> None:
    disk = here.disk()
    foreign(disk)
    told = here.mount(disk)
    assert (told["formatted"], here.formatted) == (False, [])
    assert told["uuid"] != own_uuid(here, disk)
    assert (here.root / "data" / Path(__file__).name).read_bytes() == Path(__file__).read_bytes()
    assert (here.root / "data" / "lost+found").is_dir()


def test_a_volume_that_had_a_file_system_is_never_formatted_again(here: LoopMachine) -> None:
    disk = here.disk()
    told = here.ask("mount", disk, uuid=own_uuid(here, disk))
    assert "has no file system, though it had one" in told["refused"]
    assert here.formatted == []
    uuid = here.mount(disk)["uuid"]
    assert "and was 1234" in here.ask("mount", disk, uuid="1234")["refused"]
    assert here.mount(disk, uuid=uuid)["uuid"] == uuid


def test_a_file_system_that_notes_errors_is_refused(here: LoopMachine) -> None:
    disk = here.disk()
    foreign(disk)
    shell("debugfs", "-w", "-R", "set_super_value state 2", disk.node)
    told = here.ask("mount", disk)
    assert f"notes errors; run `e2fsck {disk.node}` on the machine" in told["refused"]
    subprocess.run(["e2fsck", "-fy", disk.node], check=False, capture_output=True)
    assert not here.mount(disk)["formatted"]


def test_two_copies_of_one_file_system_on_a_machine_are_refused(here: LoopMachine) -> None:
    disk, copy = here.disk(), here.disk()
    foreign(disk)
    copy.write(0, Path(disk.node).read_bytes())
    told = here.ask("mount", disk)
    assert f"{copy.node} has the same file system id as {disk.node}" in told["refused"]
    shell("tune2fs", "-f", "-U", "random", disk.node)
    assert here.mount(disk)["device"] == disk.node


def test_a_disk_that_grew_takes_its_file_system_along(here: LoopMachine) -> None:
    disk = here.disk(mib=1024)
    here.mount(disk)
    (here.root / "data" / "kept").write_text("x")
    before = os.statvfs(here.root / "data").f_blocks
    assert here.ask("mount", disk, size_gib=2)["notYet"] == f"sizeGib is 2: {disk.node} still has 1 GiB"
    disk.grow(2048)
    here.tool("resize2fs", GROWING.format(tool=shell("which", "resize2fs"), path=here.root / "data"))
    here.mount(disk, size_gib=2)
    here.mount(disk, size_gib=2)
    assert os.statvfs(here.root / "data").f_blocks > 1.9 * before
    assert (here.root / "data" / "kept").read_text() == "x"


def test_a_file_system_that_cannot_grow_is_told_with_what_is_mounted(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    disk.grow(128)
    here.tool("resize2fs", "#!/bin/sh\necho no room\nexit 1\n")
    told = here.ask("mount", disk)
    assert "could not be grown: no room" in told["refused"]
    assert told["mounted"] == {"device": disk.node, "uuid": own_uuid(here, disk), "formatted": False}


def test_nobody_writes_to_the_directory_while_the_volume_is_missing(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    shell("umount", str(here.root / "data"))
    with pytest.raises(PermissionError):
        (here.root / "data" / "lost").write_text("x")
    # Any container that starts on this computer has a copy of all mounts for a moment, and the disk is in use there.
    wait_for("the mount", lambda: here.mount(disk))
    (here.root / "data" / "kept").write_text("x")


def test_a_directory_that_cannot_be_made_immutable_is_told(here: LoopMachine) -> None:
    here.tool("chattr", "#!/bin/sh\nexit 1\n")
    assert here.mount(here.disk())["notes"] == [
        f"{here.root}/data cannot be made immutable here: while it is not mounted, it can be written to"
    ]


def test_options_change_in_place(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk, options=["nodev", "commit=20"])
    with (here.root / "data" / "open").open("w"):
        told = here.mount(disk, options=["noexec"])
    options = mounted(here).split()[1].split(",")
    assert "noexec" in options
    assert "nodev" not in options
    assert told["notes"] == [f"{here.root}/data keeps commit=20 until it is mounted anew"]
    assert " ext4 noexec,nofail," in here.lines()[0]


def test_an_option_that_was_taken_off_by_hand_is_seen_and_put_back(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    shell("mount", "-o", "remount,rw,dev,nosuid", disk.node, str(here.root / "data"))
    assert here.ask("look", disk)["result"]["options"] == ["nosuid"]
    here.mount(disk)
    assert here.ask("look", disk)["result"]["options"] == ["nodev", "nosuid"]


def test_an_option_that_the_kernel_refuses_is_told(here: LoopMachine) -> None:
    disk = here.disk()
    refused = here.ask("mount", disk, options=["nonsense=1"])["refused"]
    assert f"mount {disk.node} {here.root}/data failed" in refused
    assert "(it was not formatted: correct options" in refused
    here.mount(disk)
    assert "options is nonsense=1: the kernel refuses" in here.ask("mount", disk, options=["nonsense=1"])["refused"]


def test_a_read_only_mount_is_left_as_it_is(here: LoopMachine) -> None:
    disk = here.disk()
    foreign(disk)
    disk.grow(128)
    before = disk.digest
    assert here.mount(disk, options=["ro"])["notes"] == []
    assert "ro" in mounted(here).split()[1].split(",")
    here.unmount(disk)
    assert disk.digest == before


def test_a_look_tells_what_is_there_and_what_is_not(here: LoopMachine) -> None:
    disk, other = here.disk(), here.disk()
    assert here.ask("look", disk)["result"] == {
        "mounted": False,
        "why": f"nothing is mounted at {here.root}/data",
    }
    uuid = here.mount(disk)["uuid"]
    expected = {"mounted": True, "device": disk.node, "uuid": uuid, "options": ["nodev", "nosuid"]}
    assert here.ask("look", disk)["result"] == expected
    assert here.ask("look", other)["result"]["why"] == f"something else is mounted at {here.root}/data"
    assert "no disk tells the serial" in here.ask("look", disk, serial=new_serial())["result"]["why"]


def not_empty(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def a_link(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to("elsewhere")


def a_mount(path: Path) -> None:
    path.mkdir()
    shell("mount", "-t", "tmpfs", "none", str(path))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_empty, "the directory is not empty, and a mount would hide what is in it"),
        (Path.touch, "it is not a directory"),
        (a_link, "it leads to .*/elsewhere by a link; give that path"),
        (a_mount, r"something other than volume .* is mounted there \(tmpfs, device 0:"),
    ],
)
def test_a_path_that_is_taken_is_refused_before_anything_is_formatted(
    here: LoopMachine, make: Callable[[Path], None], message: str
) -> None:
    disk = here.disk()
    make(here.root / "data")
    told = here.ask("mount", disk)
    with pytest.raises(AssertionError, match=f"path is {here.root}/data: {message}"):
        raise AssertionError(told["refused"])
    assert here.formatted == []


def test_a_path_that_somebody_else_has_in_fstab_is_refused_before_anything_is_formatted(here: LoopMachine) -> None:
    disk = here.disk()
    line = f"LABEL=theirs {here.root}/data ext4 defaults 0 2"
    (here.folder / "fstab").write_text(f"{line}\n")
    assert f"path is {here.root}/data: /etc/fstab has it already ({line})" in here.ask("mount", disk)["refused"]
    assert (here.formatted, here.lines()) == ([], [line])


def test_a_disk_that_is_in_use_is_refused_and_it_is_said_by_what(here: LoopMachine) -> None:
    disk = here.disk()
    shown = here.folder / "sys" / "class" / "block" / Path(disk.node).name
    (shown / "part").mkdir()
    (shown / "part" / "partition").touch()
    assert "has partitions (part); give a volume without" in here.ask("mount", disk)["refused"]
    (shown / "part" / "partition").unlink()
    (shown / "holders" / "dm-3").mkdir()
    assert "is in use by dm-3; stop that first" in here.ask("mount", disk)["refused"]
    (shown / "holders" / "dm-3").rmdir()
    foreign(disk)
    (here.root / "elsewhere").mkdir()
    shell("mount", disk.node, str(here.root / "elsewhere"))
    assert f"is mounted at {here.root}/elsewhere; unmount it there first" in here.ask("mount", disk)["refused"]


def finish(process: "subprocess.Popen[str]") -> None:
    process.communicate("")


def test_a_disk_that_only_a_container_has_mounted_is_in_use(here: LoopMachine) -> None:
    disk = here.disk()
    foreign(disk)
    (here.root / "elsewhere").mkdir()
    process = here.container(f"mount {disk.node} {here.root}/elsewhere")
    assert "is in use, though not mounted here" in here.ask("mount", disk)["refused"]
    finish(process)
    assert here.mount(disk)["device"] == disk.node


def test_a_volume_that_a_container_uses_stays_mounted_until_it_ends(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    (here.root / "inside").mkdir()
    process = here.container(f"mount --bind {here.root}/data {here.root}/inside\numount {here.root}/data")
    # It is not even tried: for a moment, what the container writes would be all that holds the disk.
    here.tool("umount", "#!/bin/sh\necho umount was called\nexit 1\n")
    told = here.ask("unmount", disk)["notYet"]
    (here.folder / "tools" / "umount").unlink()
    assert f"{here.root}/data is in use: process {process.pid} (cat) has it mounted at {here.root}/inside" in told
    assert mounted(here).startswith(disk.node)
    assert len(here.lines()) == 1
    finish(process)
    assert here.unmount(disk) == []


def test_a_copy_of_the_mount_that_would_stay_behind_keeps_the_volume(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    process = here.container("true")
    told = here.ask("unmount", disk)["notYet"]
    assert f"process {process.pid} (cat) has it mounted at {here.root}/data" in told
    assert mounted(here).startswith(disk.node)
    finish(process)
    assert here.unmount(disk) == []


def test_who_comes_while_it_is_unmounted_is_noticed_and_it_is_mounted_back(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    (here.root / "elsewhere").mkdir()
    real = shell("which", "umount")
    here.tool("umount", f'#!/bin/sh\nmount {disk.node} {here.root}/elsewhere && exec {real} "$@"\n')
    told = here.ask("unmount", disk)["notYet"]
    assert f"the machine has it mounted at {here.root}/elsewhere" in told
    (here.folder / "tools" / "umount").unlink()
    assert mounted(here).startswith(disk.node)
    assert {"nodev", "nosuid"} <= set(mounted(here).split()[1].split(","))
    assert len(here.lines()) == 1
    shell("umount", f"{here.root}/elsewhere")
    assert here.unmount(disk) == []


def test_a_container_that_sees_the_whole_machine_does_not_keep_the_volume(here: LoopMachine) -> None:
    disk = here.disk()
    shell("mount", "--make-shared", str(here.root))
    here.mount(disk)
    (here.root / "host").mkdir()
    # As a monitoring agent has it: all of the machine at /host, following what is mounted and unmounted there.
    process = here.container(f"mount --rbind {here.root} {here.root}/host\numount {here.root}/data", "slave")
    seen = Path(f"/proc/{process.pid}/mountinfo")
    assert f"{here.root}/host/data" in seen.read_text()
    assert here.unmount(disk) == []
    assert f"{here.root}/host/data" not in seen.read_text()


def test_a_bind_mount_of_docker_on_the_machine_itself_keeps_the_volume(here: LoopMachine) -> None:
    disk = here.disk()
    # As systemd has all mounts: what is mounted elsewhere on the same one does not go along for that.
    shell("mount", "--make-shared", str(here.root))
    here.mount(disk)
    (here.root / "_data").mkdir()
    shell("mount", "--bind", str(here.root / "data"), str(here.root / "_data"))
    here.tool("umount", "#!/bin/sh\necho umount was called\nexit 1\n")
    assert f"the machine has it mounted at {here.root}/_data" in here.ask("unmount", disk)["notYet"]
    assert mounted(here).startswith(disk.node)


def test_an_open_file_keeps_the_volume_and_its_process_is_named(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    process = subprocess.Popen(["cat"], cwd=here.root / "data", stdin=subprocess.PIPE, text=True)
    here.processes.append(process)
    told = here.ask("unmount", disk)
    assert f"process {process.pid} (cat) has files open in it" in told["notYet"]
    assert mounted(here).startswith(disk.node)
    finish(process)
    assert here.unmount(disk) == []


def test_what_is_not_the_volumes_is_left_when_it_is_unmounted(here: LoopMachine) -> None:
    disk = here.disk()
    a_mount(here.root / "data")
    (note,) = here.unmount(disk)
    assert "is left as it is: something other than" in note
    assert mounted(here)
    shell("umount", str(here.root / "data"))
    (here.root / "data" / "file").touch()
    assert here.unmount(disk) == [f"{here.root}/data stays: Directory not empty"]


def test_the_mount_of_a_disk_that_was_taken_away_is_unmounted_too(here: LoopMachine) -> None:
    disk = here.disk()
    here.mount(disk)
    shown = here.folder / "sys"
    (shown / "class" / "block" / Path(disk.node).name / "serial").unlink()
    (shown / "dev").unlink()
    assert here.unmount(disk) == []
    assert (mounted(here), here.lines()) == ("", [])


def test_a_missing_tool_says_its_package(here: LoopMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = here.disk()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(here.folder))
        told = here.ask("mount", disk)
    assert told["refused"] == "blkid is not on the machine: install the package util-linux there"


def test_an_mkfs_that_died_leaves_a_disk_that_is_refused_until_somebody_empties_it(here: LoopMachine) -> None:
    disk = here.disk()
    writes = f"head -c 65536 /dev/urandom | dd of={disk.node} bs=4096 seek=300 conv=notrunc,fsync status=none"
    here.tool("mkfs.ext4", f"#!/bin/sh\n{writes}\nkill -9 $$\n")
    assert f"mkfs.ext4 {disk.node} failed" in here.ask("mount", disk)["refused"]
    before = disk.digest
    told = here.ask("mount", disk)["refused"]
    assert "a mkfs that was interrupted. If nothing on it is worth keeping: `mkfs.ext4 " in told
    assert disk.digest == before
    shell("mke2fs", "-q", "-t", "ext4", disk.node)
    assert not here.mount(disk)["formatted"]
    assert [one.name for one in (here.root / "data").iterdir()] == ["lost+found"]


def test_an_mkfs_outlives_the_program_and_the_next_run_waits_for_it(here: LoopMachine) -> None:
    disk = here.disk()
    gate = here.folder / "gate"
    os.mkfifo(gate)
    real = shell("which", "mke2fs")
    waits = f"[ -e {gate}.passed ] || {{ touch {gate}.passed; echo begun >{gate}; read go <{gate}; }}"
    here.tool("mkfs.ext4", f'#!/bin/sh\n{waits}\nexec {real} -t ext4 "$@"\n')
    request = json.dumps({"action": "mount", **vars(here.volume(disk))})
    places = json.dumps({name: str(path) for name, path in vars(here.machine).items()})
    words = [sys.executable, "-c", PROGRAM, request, places]
    program = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    assert gate.read_text() == "begun\n"
    # All that belongs to the connection, as when it breaks.
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    assert here.ask("mount", disk)["notYet"] == "another run is at work on this machine"
    gate.write_text("go\n")
    with (here.folder / "flotilla-mount.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    told = here.mount(disk)
    assert (told["uuid"], told["formatted"]) == (own_uuid(here, disk), False)


def test_systemd_reads_the_line_once_udev_knows_the_file_system(here: LoopMachine) -> None:
    disk = here.disk()
    (here.folder / "systemd" / "system").mkdir(parents=True)
    link = f"/dev/disk/by-uuid/{own_uuid(here, disk)}"
    here.tool("systemctl", f"#!/bin/sh\necho $* >>{here.folder}/systemctl\n")
    here.tool("udevadm", "#!/bin/sh\n")
    told = here.ask("mount", disk)
    assert told["notYet"] == f"udev does not show {disk.node} as {link}"
    assert told["mounted"]["formatted"] is True
    assert not (here.folder / "systemctl").exists()
    here.tool("udevadm", f"#!/bin/sh\nmkdir -p /dev/disk/by-uuid && ln -sfn {disk.node} {link}\n")
    try:
        here.mount(disk)
    finally:
        Path(link).unlink()
    assert (here.folder / "systemctl").read_text() == "daemon-reload\n"
