"""The program that mounts volumes, without a machine: which disk is the volume's, what of it is read, what is written
into /etc/fstab. What it does to disks is in test_remote_mount_e2e.py."""

import ast
import json
import struct
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.swarm import remote_mount
from plugins.swarm.remote_mount import (
    BACKUP,
    EDGE,
    MIB,
    WHOLE,
    Disk,
    FileSystem,
    Machine,
    NotYet,
    Refusal,
    Volume,
    backup_superblocks,
    find,
    line_of,
    old_options,
    refuse_their_line,
    require_size,
    size_of,
    spots,
    with_line,
)

EBS = "vol-0123456789abcdef0"
OTHER_EBS = "vol-0fedcba9876543210"
CINDER = "6e6f7a2c-9d7e-4c1b-8a53-1f0e2d3c4b5a"
SOURCE = Path(remote_mount.__file__).read_text()


def page(serial: str) -> bytes:
    """A SCSI disk's vital product data with its serial."""
    return struct.pack(">BBH", 0, 0x80, len(serial)) + serial.encode()


def machine(folder: Path, disks: Mapping[str, Mapping[str, Any]]) -> Machine:
    """A machine with files in place of sysfs: what each disk shows, by path below its folder."""
    for name, shown in disks.items():
        for path, content in {"size": "0", **shown}.items():
            file = folder / "sys" / "class" / "block" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Machine(sys=folder / "sys", dev=folder / "dev", run=folder, fstab=folder / "fstab")


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """All disks of these tests are there; a node cannot be made without being root."""
    monkeypatch.setattr(Disk, "number", property(lambda disk: f"259:{len(disk.sysfs.name)}"))


NVME_ROOT = {"device/serial": "vol0aaaaaaaaaaaaaaaa\n"}
CASES = [
    (
        "NVMe tells the id without its dash, with blanks behind it",
        EBS,
        {"nvme0n1": NVME_ROOT, "nvme1n1": {"device/serial": "vol0123456789abcdef0  \n"}},
        "nvme1n1",
    ),
    (
        "a partition has its disk's serial",
        EBS,
        {
            "nvme1n1": {"device/serial": "vol0123456789abcdef0"},
            "nvme1n1p1": {"device/serial": "vol0123456789abcdef0", "partition": "1"},
        },
        "nvme1n1",
    ),
    (
        "the paths below a multipath disk are hidden",
        EBS,
        {
            "nvme1c1n1": {"device/serial": "vol0123456789abcdef0", "hidden": "1\n"},
            "nvme1n1": {"device/serial": "vol0123456789abcdef0", "hidden": "0\n"},
        },
        "nvme1n1",
    ),
    (
        "virtio tells the first 20 characters",
        CINDER,
        {"vda": {"serial": ""}, "vdb": {"serial": CINDER[:20]}, "vdc": {"serial": CINDER[:19] + "0"}},
        "vdb",
    ),
    (
        "a name is nothing where the disk tells its serial",
        EBS,
        {"nvme1n1": {"device/serial": "vol0123456789abcdef0"}, "xvda": {}, "xvdz": {}},
        "nvme1n1",
    ),
    ("SCSI tells it on a page", CINDER, {"sda": {"size": "1"}, "sdb": {"device/vpd_pg80": page(CINDER)}}, "sdb"),
    ("SCSI pads it", CINDER, {"sdb": {"device/vpd_pg80": page(CINDER + "  ") + b"\0\0"}}, "sdb"),
    (
        "two of the same size are told apart",
        OTHER_EBS,
        {
            "nvme1n1": {"device/serial": "vol0123456789abcdef0", "size": "157286400"},
            "nvme2n1": {"device/serial": "vol0fedcba9876543210", "size": "157286400"},
        },
        "nvme2n1",
    ),
]


@pytest.mark.parametrize(("serial", "disks", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_disk_is_found_by_what_it_tells(
    tmp_path: Path, serial: str, disks: dict[str, dict[str, Any]], expected: str
) -> None:
    found = find(Volume(serial, "/srv/data", device_name="/dev/sdz"), machine(tmp_path, disks))
    assert found.sysfs.name == expected
    assert found.node == tmp_path / "dev" / expected


@pytest.mark.parametrize(
    ("serial", "disks"),
    [
        (EBS, {"nvme0n1": NVME_ROOT}),
        (EBS, {"nvme1n1": {"device/serial": "vol0123456789abcdef"}}),
        # A new disk without a serial is nobody's, the only one or not.
        (EBS, {"nvme0n1": NVME_ROOT, "nvme1n1": {}}),
        (CINDER, {"vdb": {"serial": ""}}),
        (CINDER, {"vdb": {"serial": CINDER[:19]}}),
        (CINDER, {"sdb": {"device/vpd_pg80": b""}}),
    ],
)
def test_a_disk_that_does_not_tell_the_serial_is_waited_for(
    tmp_path: Path, serial: str, disks: dict[str, dict[str, Any]]
) -> None:
    with pytest.raises(NotYet, match=f"no disk tells the serial {serial}; of the disks there, "):
        find(Volume(serial, "/srv/data", device_name="/dev/sdb"), machine(tmp_path, disks))


def test_what_the_other_disks_tell_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match=r"/dev/nvme0n1 is vol0aaaaaaaaaaaaaaaa$"):
        find(Volume(EBS, "/srv/data"), machine(tmp_path, {"nvme0n1": NVME_ROOT, "nvme1n1": {}}))


def test_two_disks_with_one_serial_are_refused(tmp_path: Path) -> None:
    twins = {name: {"serial": CINDER[:20]} for name in ("vdb", "vdc")}
    with pytest.raises(Refusal, match=r"vdb, .*vdc all tell it; detach all but the right one"):
        find(Volume(CINDER, "/srv/data"), machine(tmp_path, twins))


XEN: dict[str, dict[str, Any]] = {"xvda": {}, "xvda1": {"partition": "1"}, "xvdf": {}, "xvdba": {}}


@pytest.mark.parametrize(
    ("name", "expected"), [("/dev/sdf", "xvdf"), ("/dev/xvdf", "xvdf"), ("/dev/xvdba", "xvdba"), ("/dev/sdba", "xvdba")]
)
def test_on_xen_the_attachments_name_is_what_identifies_a_disk(tmp_path: Path, name: str, expected: str) -> None:
    assert find(Volume(EBS, "/srv/data", device_name=name), machine(tmp_path, XEN)).sysfs.name == expected


def test_on_xen_another_name_is_waited_for_and_a_missing_one_refused(tmp_path: Path) -> None:
    there = machine(tmp_path, XEN)
    with pytest.raises(NotYet, match="deviceName is /dev/sdg: there is no disk xvdg"):
        find(Volume(EBS, "/srv/data", device_name="/dev/sdg"), there)
    with pytest.raises(Refusal, match=r"which tell no serials; give deviceName, what the volume is attached as"):
        find(Volume(EBS, "/srv/data"), there)


def test_a_disk_that_grew_is_asked_for_its_size_again(tmp_path: Path) -> None:
    there = machine(tmp_path, {"sdb": {"device/vpd_pg80": page(CINDER), "device/rescan": ""}})
    volume = Volume(CINDER, "/srv/data", size_gib=2)
    disk = find(volume, there)
    disk.node.parent.mkdir()
    disk.node.touch()
    with disk.node.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(NotYet, match=r"sizeGib is 2: .*sdb still has 1 GiB"):
        require_size(volume, disk)
    assert (disk.sysfs / "device" / "rescan").read_text() == "1\n"
    with disk.node.open("wb") as file:
        file.truncate(2 * 2**30)
    require_size(volume, disk)


def test_the_size_of_an_xfs_is_read(tmp_path: Path) -> None:
    node = tmp_path / "disk"
    node.write_bytes(b"XFSB" + struct.pack(">IQ", 4096, 262144))
    assert size_of(Disk(tmp_path, node), FileSystem("xfs", "u")) == (262144, 4096)


@given(size=st.integers(min_value=512, max_value=64 * 2**40))
def test_what_is_read_lies_on_the_disk_and_covers_its_ends(size: int) -> None:
    found = spots(size)
    assert all(offset >= 0 and offset + length <= size for offset, length in found)
    covered = EDGE if size > WHOLE else size
    assert any(offset == 0 and length >= covered for offset, length in found)
    assert any(offset + length == size and length >= covered for offset, length in found)
    assert size <= WHOLE or sum(length for _, length in found) <= 2 * WHOLE


@given(size=st.integers(min_value=WHOLE + 1, max_value=64 * 2**40))
def test_nothing_as_large_as_a_hundredth_of_the_disk_is_overlooked(size: int) -> None:
    read = sorted(spots(size))
    gaps = [after[0] - (before[0] + before[1]) for before, after in pairwise(read)]
    assert max(gaps) <= size // 100


def test_the_places_of_backup_superblocks_are_those_of_ext4() -> None:
    found = set(backup_superblocks())
    # As `mke2fs -n` tells them, for blocks of 1, 2 and 4 KiB.
    assert {8193 * 1024, 24577 * 1024, 40961 * 1024, 57345 * 1024, 73729 * 1024, 204801 * 1024} <= found
    assert {16384 * 2048, 49152 * 2048} <= found
    assert {block * 4096 for block in (32768, 98304, 163840, 229376, 294912, 819200, 884736, 1605632)} <= found
    assert set(spots(75 * 2**30)) >= {(32768 * 4096, BACKUP), (1605632 * 4096, BACKUP), (8193 * 1024, BACKUP)}


def test_the_first_byte_that_is_not_zero_is_found_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    with file.open("wb") as disk:
        disk.truncate(3 * MIB)
        disk.seek(2 * MIB + 7)
        disk.write(b"x")
    with file.open("rb") as disk:
        assert remote_mount.first_byte(disk.fileno(), 3 * MIB) == 2 * MIB + 7
        assert remote_mount.first_byte(disk.fileno(), 2 * MIB) is None


VOLUME = Volume(EBS, "/srv/data", options=["nodev", "noatime"])
LINE = (
    "UUID=u /srv/data ext4 nodev,noatime,nofail,x-systemd.before=docker.service,x-systemd.device-timeout=90s,"
    f"x-flotilla.volume={EBS} 0 2"
)
FSTAB = "# the machine's own\nUUID=root / ext4 defaults 0 1\n"


def test_the_line_waits_for_nothing_and_lets_docker_wait() -> None:
    assert line_of(VOLUME, FileSystem("ext4", "u")) == LINE
    assert line_of(VOLUME, FileSystem("xfs", "u")).endswith(f"x-flotilla.volume={EBS} 0 0")


def test_a_line_is_added_kept_replaced_and_removed_and_others_stay() -> None:
    with_ours = with_line(FSTAB, VOLUME, LINE)
    assert with_ours == f"{FSTAB}{LINE}\n"
    assert with_line(with_ours, VOLUME, LINE) == with_ours
    other = LINE.replace("noatime", "noexec")
    between = f"{LINE}\nUUID=x /x ext4 defaults 0 2"
    assert with_line(between, VOLUME, other) == f"{other}\nUUID=x /x ext4 defaults 0 2\n"
    assert with_line(with_ours, VOLUME, None) == FSTAB
    assert with_line("no newline", VOLUME, None) == "no newline"


def test_the_line_of_a_former_volume_at_the_same_path_is_replaced() -> None:
    former = LINE.replace(EBS, OTHER_EBS)
    assert with_line(f"{former}\n", VOLUME, LINE) == f"{LINE}\n"
    elsewhere = former.replace("/srv/data", "/srv/other")
    assert with_line(f"{elsewhere}\n", VOLUME, None) == f"{elsewhere}\n"


def test_a_line_of_somebody_else_for_the_path_is_refused() -> None:
    refuse_their_line(f"{FSTAB}{LINE}\n# UUID=x /srv/data ext4 defaults 0 2\n", VOLUME)
    with pytest.raises(Refusal, match=r"/etc/fstab has it already \(UUID=x /srv/data ext4 defaults 0 2\); remove"):
        refuse_their_line("UUID=x /srv/data ext4 defaults 0 2\n", VOLUME)


def test_the_options_until_now_are_those_of_the_line() -> None:
    assert old_options(f"{FSTAB}{LINE}", Volume(EBS, "/srv/data", options=["ro"])) == ["nodev", "noatime"]
    assert old_options(FSTAB, VOLUME) == ["nodev", "noatime"]


def test_mounts_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    lines = (
        "36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "37 36 259:1 / /srv/data rw,nodev shared:9 - ext4 /dev/nvme1n1 rw,commit=20\n"
    )
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(lines)
    first, second = remote_mount.mounts_of(Machine(proc=tmp_path))
    assert first.point == "/mnt two"
    assert (second.number, second.kind, second.point) == ("259:1", "ext4", "/srv/data")
    assert {"nodev", "commit=20"} <= second.options


def test_the_program_is_of_the_oldest_python_and_the_standard_library_alone() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= set(sys.stdlib_module_names)


def test_nothing_calls_mkfs_but_the_function_that_looks_first() -> None:
    """The gate and the formatting are one function, so that no way leads around it."""
    functions = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef)]
    constants = {
        function.name: [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
        for function in functions
    }
    assert [name for name, values in constants.items() if "mkfs.ext4" in values] == ["make_file_system"]


def test_the_program_answers_with_one_line_when_it_comes_by_standard_input() -> None:
    request = {"action": "look", "serial": CINDER, "path": "/srv/nothing-is-mounted-here"}
    done = subprocess.run(
        [sys.executable, "-I", "-", json.dumps(request)], input=SOURCE, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "result": {"mounted": False, "why": "nothing is mounted at /srv/nothing-is-mounted-here"}
    }
    assert done.stdout.count("\n") == 1
