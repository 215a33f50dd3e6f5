"""The file backend: what was saved outlives kill -9, of two starts one wins, damage is named and left as it is."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermetic import durable
from hermetic.backend import (
    BackendError,
    CheckpointStore,
    CorruptCheckpointError,
    FileBackend,
    StackExistsError,
    StackLockedError,
    StackName,
    StackNotFoundError,
    Update,
)
from hermetic.secrets import PassphraseCrypter
from hermetic.state import Deployment, PendingOperation, ResourceState
from hermetic.values import secret

ROOT = Path(__file__).parents[3]
STACK = StackName("unit", "dev")
UPDATE = Update(kind="update", start_time=1, end_time=2, result="succeeded", config={}, resource_changes={"create": 1})

SAVE_FOREVER = """
import sys
from hermetic.backend import CheckpointStore, FileBackend, StackName
from hermetic.state import ResourceState
store = CheckpointStore(FileBackend(sys.argv[1]), StackName("unit", "dev"))
deployment = store.load()
deployment.resources = [ResourceState(urn=f"urn:{n}", type="t", outputs={"text": "x" * 2_000}) for n in range(100)]
serial = 0
while True:
    serial += 1
    deployment.resources[serial % 100].outputs["serial"] = serial
    store.save(deployment)
    print(serial, flush=True)
"""

# Saves in a child that kills itself at its n-th call to the system, for all n; tells what is on the disk after each.
CRASH_EVERYWHERE = """
import json, os, signal, sys
from hermetic.backend import CheckpointStore, FileBackend, StackName, read_checkpoint
from hermetic.state import Deployment, ResourceState
store = CheckpointStore(FileBackend(sys.argv[1]), StackName("unit", "dev"))
CALLS = {"open", "write", "flush", "fsync", "fchmod", "close", "link", "rename", "replace", "stat", "mkdir"}

def save(serial):
    store.save(Deployment(resources=[ResourceState(urn=f"urn:{serial}", type="t")]))

def serial_in(file):
    return int(read_checkpoint(file)["latest"]["resources"][0]["urn"].removeprefix("urn:"))

def crash_at(point, serial):
    seen = 0
    def count(frame, event, function):
        nonlocal seen
        if event in ("c_call", "c_return") and function.__name__ in CALLS:
            seen += 1
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    save(serial)
    os._exit(0)

save(0)
save(1)
serial, point, status = 1, 0, 1
while status:
    point += 1
    child = os.fork()
    if not child:
        crash_at(point, serial + 1)
    status = os.waitpid(child, 0)[1]
    try:
        found = serial_in(store.file)
        before = serial_in(store.file.with_name("dev.json.bak"))
        right = serial <= found <= serial + 1 and found - 1 <= before <= found
        print(json.dumps({"point": point, "wrong": not right}))
    except Exception as error:
        print(json.dumps({"point": point, "wrong": repr(error)}))
    save(found - 1)
    save(found)
    serial = found
"""

LOCK_ON_COMMAND = """
import sys
from hermetic.backend import FileBackend, StackLockedError, StackName
lock = FileBackend(sys.argv[1]).lock(StackName("unit", "dev"))
for command in sys.stdin:
    if command.strip() == "take":
        try:
            lock.acquire()
            print("won", flush=True)
        except StackLockedError:
            print("lost", flush=True)
    else:
        lock.release()
        print("given back", flush=True)
"""


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    backend = FileBackend(f"file://{tmp_path}")
    backend.create(STACK)
    return backend


@contextmanager
def child(script: str, backend: FileBackend) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", script, backend.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], command: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{command}\n")
    process.stdin.flush()


def write_lock(
    backend: FileBackend, *, pid: int, host: str, since: str = "2026-11-21T10:00:00.123456789+01:00"
) -> Path:
    """A lock as the Pulumi CLI writes it."""
    file = backend.lock_folder(STACK) / "0c7d6a8e-5b1c-4d55-9a51-1a3c1e6f7a10.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"pid": pid, "username": "ada", "hostname": host, "timestamp": since}), encoding="utf-8")
    return file


def a_dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_what_was_saved_is_loaded(backend: FileBackend) -> None:
    crypter = PassphraseCrypter.new("unit tests")
    store = CheckpointStore(backend, STACK, crypter)
    entry = ResourceState(urn="urn:a", type="t", inputs={"password": secret("hush")})
    deployment = Deployment(resources=[entry], pending_operations=[PendingOperation(entry, "creating")])
    store.save(deployment)
    loaded = CheckpointStore(backend, STACK, crypter).load()
    assert loaded.resources == deployment.resources
    assert loaded.pending_operations == deployment.pending_operations
    assert b"hush" not in store.file.read_bytes()


def test_a_new_stack_is_empty(backend: FileBackend) -> None:
    assert CheckpointStore(backend, STACK).load() == Deployment()
    assert [(each.stack, each.last_update, each.resource_count) for each in backend.stacks()] == [(STACK, None, None)]


def test_the_copy_before_is_kept(backend: FileBackend) -> None:
    store = CheckpointStore(backend, STACK)
    for number in range(3):
        store.save(Deployment(resources=[ResourceState(urn=f"urn:{number}", type="t")]))
    previous = json.loads(store.file.with_name("dev.json.bak").read_bytes())
    assert previous["checkpoint"]["latest"]["resources"][0]["urn"] == "urn:1"


def test_where_there_are_no_hard_links_the_copy_before_is_kept_too(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(_source: Path, _target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    test_the_copy_before_is_kept(backend)


def test_the_checkpoint_is_on_the_disk_before_it_takes_the_name_and_the_name_before_save_returns(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(backend, STACK)
    store.save(Deployment())
    events: list[str] = []
    flush, rename = os.fsync, Path.replace

    def watched_flush(descriptor: int) -> None:
        events.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")
        flush(descriptor)

    def watched_rename(source: Path, target: Path) -> Path:
        events.append(f"rename to {target.name}")
        return rename(source, target)

    monkeypatch.setattr(durable.os, "fsync", watched_flush)
    monkeypatch.setattr(Path, "replace", watched_rename)
    store.save(Deployment())
    assert events == ["flush file", "rename to dev.json.bak", "rename to dev.json", "flush folder"]


def test_a_full_disk_leaves_the_state_and_no_rubbish(backend: FileBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CheckpointStore(backend, STACK)
    store.save(Deployment(resources=[ResourceState(urn="urn:a", type="t")]))
    before = {file: file.read_bytes() for file in store.file.parent.iterdir()}

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    message = r"the checkpoint .*/dev.json cannot be written \(the one on the disk is whole\): No space left on device$"
    with pytest.raises(BackendError, match=message):
        store.save(Deployment())
    assert {file: file.read_bytes() for file in store.file.parent.iterdir()} == before


def test_a_crash_at_any_call_of_a_save_leaves_the_checkpoint_before_or_after_it(backend: FileBackend) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH_EVERYWHERE, backend.url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    reports = [json.loads(report) for report in done.stdout.splitlines()]
    assert [report for report in reports if report["wrong"]] == []
    assert len(reports) > 20


@pytest.mark.parametrize("saves", [1, 2, 3, 5, 8])
def test_a_killed_process_leaves_a_whole_checkpoint_not_older_than_its_last_word(
    backend: FileBackend, saves: int
) -> None:
    with child(SAVE_FOREVER, backend) as process:
        said = [int(line(process)) for _ in range(saves)][-1]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    loaded = CheckpointStore(backend, STACK).load()
    assert max(each.outputs.get("serial", 0) for each in loaded.resources) >= said
    previous = json.loads((backend.checkpoint_file(STACK).parent / "dev.json.bak").read_bytes())
    assert previous["checkpoint"]["stack"] == str(STACK)


def test_what_a_killed_save_left_is_removed_by_who_next_has_the_lock(backend: FileBackend) -> None:
    left_over = backend.checkpoint_file(STACK).with_name(".dev.json.4711-0123abcd.tmp")
    of_another_stack = left_over.with_name(".prod.json.4711-0123abcd.tmp")
    left_over.touch()
    of_another_stack.touch()
    with backend.lock(STACK):
        assert not left_over.exists()
    assert of_another_stack.exists()


def test_files_and_folders_are_for_their_owner_alone(backend: FileBackend) -> None:
    store = CheckpointStore(backend, STACK)
    with backend.lock(STACK):
        store.save(Deployment())
        backend.record(STACK, UPDATE)
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in [backend.root, *backend.root.rglob("*")]}
    assert {path: mode for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
    assert any("locks" in path.parts for path in found)


def damage_truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def damage_empty(file: Path) -> None:
    file.write_bytes(b"")


def damage_bytes(file: Path) -> None:
    file.write_bytes(b'{"version":3,"\xff')


def damage_shape(file: Path) -> None:
    file.write_text('{"version":3,"checkpoint":[]}', encoding="utf-8")


def damage_entry(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"urn":"urn:1"', b'"urn":""'))


DAMAGES = [
    (damage_truncate, r"it is not JSON at line 1, column \d+ \(character \d+\): "),
    (damage_empty, r"it is not JSON at line 1, column 1 \(character 0\): Expecting value"),
    (damage_bytes, "it is not UTF-8 at byte 14"),
    (damage_shape, 'it has no object "checkpoint"'),
    (damage_entry, r"resources\[0\].urn is missing"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_checkpoint_is_one_clear_error_and_stays_as_it_is(
    backend: FileBackend, damage: Callable[[Path], None], message: str
) -> None:
    store = CheckpointStore(backend, STACK)
    for number in range(2):
        store.save(Deployment(resources=[ResourceState(urn=f"urn:{number}", type="t")]))
    damage(store.file)
    before = {file: file.read_bytes() for file in store.file.parent.iterdir()}
    with pytest.raises(CorruptCheckpointError, match=message) as error:
        store.load()
    assert str(error.value).startswith(f"the checkpoint {store.file} cannot be used: ")
    assert str(error.value).endswith(f"with 1 resources, is whole: `cp {store.file}.bak {store.file}`")
    assert {file: file.read_bytes() for file in store.file.parent.iterdir()} == before


def test_the_command_in_the_error_restores_the_stack(backend: FileBackend) -> None:
    store = CheckpointStore(backend, STACK)
    for number in range(2):
        store.save(Deployment(resources=[ResourceState(urn=f"urn:{number}", type="t")]))
    damage_truncate(store.file)
    with pytest.raises(CorruptCheckpointError) as error:
        store.load()
    command = re.search(r"`cp (\S+) (\S+)`", str(error.value))
    assert command
    subprocess.run(["cp", command[1], command[2]], check=True)
    assert store.load().resources[0].urn == "urn:0"


def test_without_a_whole_copy_the_error_names_the_backups(backend: FileBackend) -> None:
    store = CheckpointStore(backend, STACK)
    damage_empty(store.file)
    with pytest.raises(CorruptCheckpointError, match=r"There is no copy dev.json.bak: restore it from the backups"):
        store.load()
    store.file.with_name("dev.json.bak").write_bytes(b"{")
    with pytest.raises(CorruptCheckpointError, match=r"is damaged too: restore it from the backups folder"):
        store.load()


def test_a_checkpoint_of_a_newer_format_is_refused_as_such(backend: FileBackend) -> None:
    backend.checkpoint_file(STACK).write_text('{"version":5,"checkpoint":{"latest":{}}}', encoding="utf-8")
    with pytest.raises(BackendError, match="version 5: versions 3 and 4 are known"):
        CheckpointStore(backend, STACK).load()


def test_a_compressed_checkpoint_is_refused_with_what_to_do(backend: FileBackend) -> None:
    backend.checkpoint_file(STACK).rename(backend.checkpoint_file(STACK).with_name("dev.json.gz"))
    with pytest.raises(BackendError, match=r"dev.json.gz is compressed: unset PULUMI_DIY_BACKEND_GZIP"):
        CheckpointStore(backend, STACK).load()


def test_a_held_stack_names_who_holds_it_since_when_and_what_to_do(backend: FileBackend) -> None:
    with backend.lock(STACK), pytest.raises(StackLockedError) as error, backend.lock(STACK):
        pytest.fail("two hold the stack")
    first, second = str(error.value).splitlines()
    assert first == (
        "the stack 'unit/dev' is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete "
        "the lock file with `pulumi cancel` or `hermetic cancel`."
    )
    assert re.fullmatch(
        rf"  file://{backend.lock_folder(STACK)}/[0-9a-f-]{{36}}\.json: created by \w+@{socket.gethostname()} "
        rf"\(pid {os.getpid()}\) at \d{{4}}-\d\d-\d\dT\S+Z; that process is running",
        second,
    )


def test_a_lock_of_a_dead_process_is_said_to_be_one_and_cancel_removes_it(backend: FileBackend) -> None:
    write_lock(backend, pid=a_dead_process(), host=socket.gethostname())
    gone = "that process is no longer running: remove its lock with `hermetic cancel` or `pulumi cancel`"
    with pytest.raises(StackLockedError, match=gone):
        backend.lock(STACK).acquire()
    assert [holder.user for holder in backend.cancel(STACK)] == ["ada"]
    with backend.lock(STACK):
        assert len(backend.locks(STACK)) == 1
    assert backend.locks(STACK) == []


def test_a_process_that_began_after_the_lock_is_not_its_holder(backend: FileBackend) -> None:
    write_lock(backend, pid=os.getpid(), host=socket.gethostname(), since="2020-01-01T00:00:00.000000001Z")
    with pytest.raises(StackLockedError, match="that process is no longer running"):
        backend.lock(STACK).acquire()


def test_of_a_lock_from_another_host_it_is_said_that_this_host_cannot_see(backend: FileBackend) -> None:
    write_lock(backend, pid=1, host="elsewhere.example")
    with pytest.raises(StackLockedError, match=r"ada@elsewhere.example \(pid 1\) at .*; whether .* cannot be seen"):
        backend.lock(STACK).acquire()


def test_a_lock_that_cannot_be_read_is_a_lock(backend: FileBackend) -> None:
    write_lock(backend, pid=1, host="h").write_bytes(b"{")
    with pytest.raises(StackLockedError, match="created by unknown@unknown"):
        backend.lock(STACK).acquire()


def test_a_lock_of_the_cli_that_came_in_between_is_respected_and_ours_taken_back(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_folder: Path) -> None:
        write_lock(backend, pid=1, host="elsewhere.example")

    monkeypatch.setattr("hermetic.backend.flush_folder", meanwhile)
    with pytest.raises(StackLockedError, match=r"ada@elsewhere.example"):
        backend.lock(STACK).acquire()
    assert [holder.host for holder in backend.locks(STACK)] == ["elsewhere.example"]


def test_a_lock_is_given_back_after_an_error(backend: FileBackend) -> None:
    with pytest.raises(ZeroDivisionError), backend.lock(STACK):
        raise ZeroDivisionError
    assert backend.locks(STACK) == []


def test_stacks_of_the_same_name_in_two_projects_do_not_lock_each_other(backend: FileBackend) -> None:
    with backend.lock(STACK), backend.lock(StackName("other", "dev")):
        assert len(backend.locks(STACK)) == 1


def test_of_two_processes_that_want_the_lock_at_once_exactly_one_wins(backend: FileBackend) -> None:
    with child(LOCK_ON_COMMAND, backend) as one, child(LOCK_ON_COMMAND, backend) as other:
        for _ in range(60):
            tell(one, "take")
            tell(other, "take")
            assert sorted([line(one), line(other)]) == ["lost", "won"]
            tell(one, "give back")
            tell(other, "give back")
            assert [line(one), line(other)] == ["given back"] * 2


def test_the_lock_of_a_killed_process_stays_and_tells_so(backend: FileBackend) -> None:
    with child(LOCK_ON_COMMAND, backend) as process:
        tell(process, "take")
        assert line(process) == "won"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    with pytest.raises(StackLockedError, match=rf"\(pid {process.pid}\) .* no longer running"):
        backend.lock(STACK).acquire()


def test_a_stack_is_not_made_twice_and_not_found_before_it_is_made(backend: FileBackend) -> None:
    with pytest.raises(StackExistsError, match=r"^stack 'organization/unit/dev' already exists$"):
        backend.create(STACK)
    with pytest.raises(StackNotFoundError, match=r"no stack named 'prod' found; make it with `stack init prod`"):
        CheckpointStore(backend, StackName("unit", "prod")).load()


def test_a_stack_with_resources_is_removed_only_by_force(backend: FileBackend) -> None:
    store = CheckpointStore(backend, STACK)
    store.save(Deployment(resources=[ResourceState(urn="urn:a", type="t")]))
    backend.record(STACK, UPDATE)
    with pytest.raises(BackendError, match=r"^'dev' still has resources; removal rejected; pass --force to override$"):
        backend.remove(STACK)
    backend.remove(STACK, force=True)
    assert backend.stacks() == []
    assert {file.name for file in store.file.parent.glob("*.bak")} == {"dev.json.bak"}
    assert not (backend.root / "history" / "unit" / "dev").exists()
    assert list((backend.root / "backups" / "unit" / "dev").glob("*.json"))


def test_a_stack_that_another_process_works_on_is_neither_made_nor_removed(backend: FileBackend) -> None:
    fresh = StackName("unit", "fresh")
    with backend.lock(STACK), backend.lock(fresh):
        with pytest.raises(StackLockedError):
            backend.remove(STACK)
        with pytest.raises(StackLockedError):
            backend.create(fresh)
    assert [each.stack for each in backend.stacks()] == [STACK]


def test_stacks_are_listed_by_project(backend: FileBackend) -> None:
    backend.create(StackName("unit", "a"))
    backend.create(StackName("zoo", "b"))
    assert [str(each.stack) for each in backend.stacks("unit")] == ["organization/unit/a", "organization/unit/dev"]
    assert len(backend.stacks()) == 3


@pytest.mark.parametrize(
    ("text", "project", "name"),
    [("dev", "unit", "dev"), ("organization/dev", "unit", "dev"), ("organization/zoo/dev", "zoo", "dev")],
)
def test_a_stack_is_called_by_its_short_or_its_full_name(text: str, project: str, name: str) -> None:
    assert StackName.parse(text, "unit") == StackName(project, name)


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a/b", "organization/a/b/c", "../dev", "organization/unit/..%2f", "é", "..", ".", "organization/../a"],
)
def test_what_is_no_name_of_a_stack_is_refused(text: str) -> None:
    with pytest.raises(BackendError, match="stack"):
        StackName.parse(text, "unit")


def test_the_forms_of_the_url_lead_to_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    (tmp_path / "state").mkdir()
    assert FileBackend("file://~").root == FileBackend("file://.").root == tmp_path / ".pulumi"
    folder = tmp_path / "state" / ".pulumi"
    urls = [f"file://{tmp_path}/state", "file://~/state", "file://./state", "file://state", "file://state?no_tmp_dir=1"]
    assert {FileBackend(url).root for url in urls} == {folder}
    assert FileBackend("file://state", base=tmp_path).root == folder
    assert FileBackend("file://./a%20b").root == tmp_path / "a b" / ".pulumi"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket", "PULUMI_BACKEND_URL is 's3://bucket': the hermetic engine keeps state in files only"),
        ("https://api.pulumi.com", "keeps state in files only: use file://PATH"),
        ("file://", "it names no folder"),
        ("file://./gone", r"gone is no folder: make it \(`mkdir -m 700 "),
        ("file://.?region=eu", "only metadata=skip and no_tmp_dir are known"),
    ],
)
def test_a_backend_that_is_not_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError, match=message):
        FileBackend(url)


def test_with_metadata_skip_there_are_no_files_of_attributes(tmp_path: Path) -> None:
    backend = FileBackend(f"file://{tmp_path}?metadata=skip")
    CheckpointStore(backend, backend.create(STACK)).save(Deployment())
    assert list(tmp_path.rglob("*.attrs")) == []


def test_the_backend_comes_from_variable_project_or_login_in_this_order(tmp_path: Path) -> None:
    for name in ("variable", "project", "login"):
        (tmp_path / name).mkdir()
    (tmp_path / "credentials.json").write_text(json.dumps({"current": f"file://{tmp_path}/login"}), encoding="utf-8")
    environment = {"PULUMI_HOME": str(tmp_path), "PULUMI_BACKEND_URL": f"file://{tmp_path}/variable"}

    def root(project_url: str | None) -> str:
        found = FileBackend.from_environment(project_url=project_url, project_folder=tmp_path, environment=environment)
        return found.root.parent.name

    assert root("file://project") == "variable"
    del environment["PULUMI_BACKEND_URL"]
    assert root("file://project") == "project"
    assert root(None) == "login"
    (tmp_path / "credentials.json").unlink()
    with pytest.raises(BackendError, match="no backend: set PULUMI_BACKEND_URL to a folder for the state"):
        root(None)


@pytest.mark.parametrize("option", ["PULUMI_DIY_BACKEND_GZIP", "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS"])
def test_an_option_of_the_backend_that_is_not_supported_is_refused(tmp_path: Path, option: str) -> None:
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}", option: "true"}
    with pytest.raises(BackendError, match=f"{option} is true: the hermetic engine does not do that; unset it"):
        FileBackend.from_environment(project_url=None, project_folder=tmp_path, environment=environment)


def test_backups_can_be_switched_off(backend: FileBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS", "true")
    backend.record(STACK, UPDATE)
    assert not (backend.root / "backups").exists()


def test_stacks_of_the_old_layout_are_not_taken_for_projects(backend: FileBackend) -> None:
    (backend.root / "meta.yaml").unlink()
    backend.checkpoint_file(STACK).rename(backend.root / "stacks" / "dev.json")
    with pytest.raises(BackendError, match="has stacks of the old layout: run `pulumi state upgrade`"):
        backend.stacks()


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".pulumi").touch()
    with pytest.raises(
        BackendError, match=r"^the stack 'organization/unit/dev' cannot be locked: Not a directory \(/.*\)$"
    ):
        FileBackend(f"file://{tmp_path}").create(STACK)


def test_a_newer_layout_is_refused(backend: FileBackend) -> None:
    (backend.root / "meta.yaml").write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(BackendError, match="is 'version: 2': version 1 is known"):
        CheckpointStore(backend, STACK).load()
