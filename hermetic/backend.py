"""The file backend: where the checkpoints, locks, backups and history of stacks lie, in the Pulumi CLI's own layout."""

import fcntl
import getpass
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote

from hermetic.durable import flush_folder, make_private_folder, temporary_beside, write_durably, write_temporary
from hermetic.secrets import Crypter
from hermetic.state import (
    NEVER,
    Deployment,
    MalformedStateError,
    Manifest,
    StateError,
    check_schema,
    deployment_from_json,
    encode_deployment,
    schema_of,
    timestamp,
)

BACKEND_URL = "PULUMI_BACKEND_URL"
PULUMI_HOME = "PULUMI_HOME"
ORGANIZATION = "organization"
LAYOUT_VERSION = 1

_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")

# Beside each file the CLI's storage layer keeps a small one with attributes. A checksum in it would be stale with every
# save, and nothing reads it: it is left empty, so that the file is written once.
_ATTRIBUTES = (
    b'{"user.cache_control":"","user.content_disposition":"","user.content_encoding":"","user.content_language":"",'
    b'"user.content_type":"text/plain; charset=utf-8","user.metadata":null,"md5":null}\n'
)


class BackendError(Exception):
    """The backend, or a stack in it, cannot be used; the message says what to do."""


class StackNotFoundError(BackendError):
    """No stack of this name."""


class StackExistsError(BackendError):
    """A stack of this name is there already."""


class StackLockedError(BackendError):
    """Another process works on the stack, or died without giving its lock back."""


class CorruptCheckpointError(BackendError):
    """The checkpoint cannot be read; it is left as it is."""


@dataclass(frozen=True, slots=True)
class StackName:
    """A stack in the file backend; `str` is its full name, as the checkpoint has it."""

    project: str
    name: str

    def __str__(self) -> str:
        return f"{ORGANIZATION}/{self.project}/{self.name}"

    @classmethod
    def parse(cls, text: str, project: str) -> "StackName":
        """Read `name`, `organization/name` or `organization/project/name`."""
        parts = text.split("/")
        if len(parts) > 3 or (len(parts) > 1 and parts[0] != ORGANIZATION):
            raise BackendError(
                f"stack {text!r}: in a file backend a stack is called NAME or {ORGANIZATION}/PROJECT/NAME"
            )
        wanted = parts[1] if len(parts) == 3 else project
        if any(not _STACK_NAME.fullmatch(part) or part in {".", ".."} for part in (wanted, parts[-1])):
            raise BackendError(
                f"invalid stack name {text!r}: a stack name can only contain alphanumeric, hyphens, underscores, "
                "or periods, and at most 100 of them"
            )
        return cls(project=wanted, name=parts[-1])


@dataclass(frozen=True, slots=True)
class StackSummary:
    """A line of `stack ls`; `last_update` is None for a stack never updated, `resource_count` as well."""

    stack: StackName
    last_update: str | None
    resource_count: int | None


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock, as its file says; `alive` is None when the process is on another host."""

    file: Path
    user: str
    host: str
    pid: int
    since: str
    alive: bool | None

    def __str__(self) -> str:
        fate = {
            True: "that process is running",
            False: "that process is no longer running: remove its lock with `hermetic cancel` or `pulumi cancel`",
            None: "whether that process is still running cannot be seen from this host",
        }[self.alive]
        return f"file://{self.file}: created by {self.user}@{self.host} (pid {self.pid}) at {self.since}; {fate}"


@dataclass(frozen=True, slots=True)
class Update:
    """An entry of the history: one update, refresh or destroy that ended. Times are whole seconds since 1970."""

    kind: str
    start_time: int
    end_time: int
    result: str
    config: Mapping[str, Any]
    resource_changes: Mapping[str, int]
    message: str = ""
    environment: Mapping[str, str] | None = None


class FileBackend:
    """The stacks under one folder; made from a `file://` URL."""

    def __init__(self, url: str, *, base: Path | None = None) -> None:
        """Open the backend; a relative path counts from `base`, else from the working directory."""
        folder, query = _parse_url(url, base or Path.cwd())
        self.url = url
        self.root = folder / ".pulumi"
        self._with_attributes = query.get("metadata") != "skip"
        if not folder.is_dir():
            raise BackendError(f"{BACKEND_URL} is {url}: {folder} is no folder: make it (`mkdir -m 700 {folder}`)")

    @classmethod
    def from_environment(
        cls, *, project_url: str | None, project_folder: Path, environment: Mapping[str, str] | None = None
    ) -> "FileBackend":
        """The backend the CLI would take: PULUMI_BACKEND_URL, `backend.url` of the project, `pulumi login`'s choice."""
        values = os.environ if environment is None else environment
        for option in ("PULUMI_DIY_BACKEND_GZIP", "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS"):
            if _is_true(values, option):
                raise BackendError(f"{option} is {values[option]}: the hermetic engine does not do that; unset it")
        if values.get(BACKEND_URL):
            return cls(values[BACKEND_URL])
        if project_url:
            return cls(project_url, base=project_folder)
        chosen = _logged_in_url(pulumi_home(values))
        if chosen:
            return cls(chosen)
        raise BackendError(f"no backend: set {BACKEND_URL} to a folder for the state, such as file://~ or file://.")

    def checkpoint_file(self, stack: StackName) -> Path:
        """The current checkpoint; its previous copy has `.bak` after the name."""
        return self.root / "stacks" / stack.project / f"{stack.name}.json"

    def exists(self, stack: StackName) -> bool:
        """Whether the stack was made."""
        return self.checkpoint_file(stack).is_file()

    def require(self, stack: StackName) -> StackName:
        """The stack itself; raises StackNotFoundError when it was not made."""
        if not self.exists(stack):
            squeezed = [f for f in self.checkpoint_file(stack).parent.glob(f"{stack.name}.json.*") if _squeezed(f)]
            if squeezed:
                raise BackendError(
                    f"{squeezed[0]} is compressed: unset PULUMI_DIY_BACKEND_GZIP and save the stack once with the "
                    "Pulumi CLI, then this engine can read it"
                )
            raise StackNotFoundError(f"no stack named '{stack.name}' found; make it with `stack init {stack.name}`")
        self._check_layout()
        return stack

    def create(self, stack: StackName) -> StackName:
        """Make an empty stack, under its lock; raises StackExistsError when there is one of the name."""
        self._check_layout()
        with self.lock(stack):
            if self.exists(stack):
                raise StackExistsError(f"stack '{stack}' already exists")
            if not (self.root / "meta.yaml").exists():
                self.write(self.root / "meta.yaml", f"version: {LAYOUT_VERSION}\n".encode())
            self.write(self.checkpoint_file(stack), _encode({"version": 3, "checkpoint": {"stack": str(stack)}}))
        return stack

    def stacks(self, project: str | None = None) -> list[StackSummary]:
        """All stacks of a project, or of all projects, by name; no passphrase is needed."""
        self._check_layout()
        files = sorted((self.root / "stacks").glob(f"{project or '*'}/*.json"))
        return [self._summary(StackName(file.parent.name, file.stem)) for file in files]

    def remove(self, stack: StackName, *, force: bool = False) -> None:
        """Take the stack and its history away, under its lock; its last checkpoint stays as .bak, its backups stay."""
        self.require(stack)
        with self.lock(stack):
            if not force and self._summary(stack).resource_count:
                raise BackendError(f"'{stack.name}' still has resources; removal rejected; pass --force to override")
            file = self.checkpoint_file(stack)
            file.replace(_previous(file))
            self._attributes_file(file).unlink(missing_ok=True)
            flush_folder(file.parent)
            history = self._folder("history", stack)
            if history.exists():
                shutil.rmtree(history)

    def lock(self, stack: StackName) -> "StackLock":
        """The lock of the stack, not yet taken: use it in a `with`."""
        return StackLock(self, stack)

    def locks(self, stack: StackName) -> list[LockHolder]:
        """Who holds the stack now."""
        return [_read_lock(file) for file in sorted(self.lock_folder(stack).glob("*.json"))]

    def cancel(self, stack: StackName) -> list[LockHolder]:
        """Remove all locks of the stack, and say whose they were."""
        holders = self.locks(stack)
        for holder in holders:
            holder.file.unlink(missing_ok=True)
            self._attributes_file(holder.file).unlink(missing_ok=True)
        return holders

    def lock_folder(self, stack: StackName) -> Path:
        """Where each holder of the stack has one file."""
        return self.root / "locks" / ORGANIZATION / stack.project / stack.name

    def record(self, stack: StackName, update: Update) -> None:
        """Add an entry to the history, with a copy of the checkpoint, and a backup."""
        now = time.time_ns()
        checkpoint = self.checkpoint_file(stack).read_bytes()
        history = self._folder("history", stack) / f"{stack.name}-{now}"
        self.write(history.with_name(f"{history.name}.history.json"), _encode(_history_entry(update)))
        self.write(history.with_name(f"{history.name}.checkpoint.json"), checkpoint)
        if not _is_true(os.environ, "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS"):
            self.write(self._folder("backups", stack) / f"{stack.name}.{now}.json", checkpoint)

    def write(self, file: Path, content: bytes) -> None:
        """Put a file into the backend: whole, on the disk, for its owner alone."""
        with _told_as_backend_error(f"{file} cannot be written"):
            make_private_folder(file.parent)
            write_durably(file, content)
            self.write_attributes(file)

    def write_attributes(self, file: Path) -> None:
        """Give the file the attributes that the CLI's storage layer expects; most often they are there already."""
        beside = self._attributes_file(file)
        if self._with_attributes and (not beside.exists() or beside.read_bytes() != _ATTRIBUTES):
            write_durably(beside, _ATTRIBUTES)

    def _attributes_file(self, file: Path) -> Path:
        return file.with_name(f"{file.name}.attrs")

    def _folder(self, kind: str, stack: StackName) -> Path:
        return self.root / kind / stack.project / stack.name

    def _check_layout(self) -> None:
        """Refuse a folder whose layout is older (stacks without projects) or newer than the one written here."""
        meta = self.root / "meta.yaml"
        if meta.exists():
            found = re.fullmatch(r"version:\s*(\d+)\s*", meta.read_text(encoding="utf-8"))
            if not found or int(found[1]) != LAYOUT_VERSION:
                raise BackendError(f"{meta} is {meta.read_text(encoding='utf-8').strip()!r}: version {LAYOUT_VERSION} "
                                   "is known; use the Pulumi CLI that wrote it")  # fmt: skip
        elif any((self.root / "stacks").glob("*.json")):
            raise BackendError(f"{self.root} has stacks of the old layout: run `pulumi state upgrade` on it once")

    def _summary(self, stack: StackName) -> StackSummary:
        latest = read_checkpoint(self.checkpoint_file(stack)).get("latest")
        if not isinstance(latest, dict):
            return StackSummary(stack, None, None)
        when = (latest.get("manifest") or {}).get("time", NEVER)
        updated = when != NEVER
        return StackSummary(stack, _in_milliseconds(when) if updated else None, len(latest.get("resources") or ()))


class CheckpointStore:
    """Reads and writes the checkpoint of one stack; what `save` has returned from outlives a crash."""

    def __init__(self, backend: FileBackend, stack: StackName, crypter: Crypter | None = None) -> None:
        """The crypter is for the secrets in the state; None does as long as there are none."""
        self.file = backend.checkpoint_file(stack)
        self._backend = backend
        self._stack = stack
        self._crypter = crypter

    def load(self) -> Deployment:
        """The deployment as last saved; raises CorruptCheckpointError, and changes nothing then."""
        self._backend.require(self._stack)
        checkpoint = read_checkpoint(self.file)
        latest = checkpoint.get("latest")
        if latest is None:
            return Deployment()
        try:
            return deployment_from_json(latest, self._crypter)
        except MalformedStateError as error:
            raise CorruptCheckpointError(_how_to_restore(self.file, str(error))) from error

    def save(self, deployment: Deployment) -> None:
        """Write the deployment; the file it replaces stays as .bak. On the disk when this returns."""
        deployment.manifest = Manifest.now()
        schema = json.dumps(schema_of(deployment), separators=(",", ":"))[:-1]
        latest = encode_deployment(deployment, self._crypter)
        text = f'{schema},"checkpoint":{{"stack":"{self._stack}","latest":{latest}}}}}'
        with _told_as_backend_error(f"the checkpoint {self.file} cannot be written (the one on the disk is whole)"):
            make_private_folder(self.file.parent)
            fresh = write_temporary(self.file, text.encode())
            if self.file.exists():
                self._keep_previous()
            fresh.replace(self.file)
            flush_folder(self.file.parent)
            self._backend.write_attributes(self.file)

    def _keep_previous(self) -> None:
        """Give the current file the name .bak as well: there is a whole checkpoint under its own name at any moment."""
        link = temporary_beside(self.file)
        try:
            os.link(self.file, link)
        except OSError:
            # A file system without hard links: a copy does the same, only slower.
            link = write_temporary(self.file, self.file.read_bytes())
        link.replace(_previous(self.file))
        self._backend.write_attributes(_previous(self.file))


class StackLock:
    """The right to change a stack, for one process at a time; a context manager."""

    def __init__(self, backend: FileBackend, stack: StackName) -> None:
        """Use `FileBackend.lock`."""
        self._backend = backend
        self._stack = stack
        self._file: Path | None = None

    def __enter__(self) -> "StackLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock; raises StackLockedError with who has it. Of two that start at once exactly one gets it."""
        with _told_as_backend_error(f"the stack '{self._stack}' cannot be locked"):
            self._take()
        # Only who holds the lock writes here: what lies about is from a save that was killed.
        checkpoint = self._backend.checkpoint_file(self._stack)
        for left_over in checkpoint.parent.glob(f".{checkpoint.name}.*.tmp"):
            left_over.unlink(missing_ok=True)

    def _take(self) -> None:
        folder = self._backend.lock_folder(self._stack)
        make_private_folder(folder)
        content = _encode(
            {
                "pid": os.getpid(),
                "username": getpass.getuser(),
                "hostname": socket.gethostname(),
                "timestamp": timestamp(),
            }
        )
        with _only_one_at_a_time(folder):
            self._refuse_others()
            file = folder / f"{uuid.uuid4()}.json"
            # Made outside the folder: the CLI takes every file in it for a lock.
            write_temporary(folder.with_name(file.name), content).replace(file)
            flush_folder(folder)
            self._file = file
            try:
                self._refuse_others()  # the Pulumi CLI does not wait at our gate: it may have come in between
            except StackLockedError:
                self.release()
                raise

    def release(self) -> None:
        """Give the lock back; without effect when it was not taken or was cancelled."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None

    def _refuse_others(self) -> None:
        holders = [holder for holder in self._backend.locks(self._stack) if holder.file != self._file]
        if holders:
            lines = [
                f"the stack '{self._stack.project}/{self._stack.name}' is currently locked by {len(holders)} lock(s). "
                "Either wait for the other process(es) to end or delete the lock file with `pulumi cancel` or "
                "`hermetic cancel`.",
                *(f"  {holder}" for holder in holders),
            ]
            raise StackLockedError("\n".join(lines))


def read_checkpoint(file: Path) -> dict[str, Any]:
    """The `checkpoint` object of a file; raises CorruptCheckpointError naming the place and the copy to restore."""
    with _told_as_backend_error(f"the checkpoint {file} cannot be read"):
        content = file.read_bytes()
    try:
        document = json.loads(content)
    except UnicodeDecodeError as error:
        raise CorruptCheckpointError(_how_to_restore(file, f"it is not UTF-8 at byte {error.start}")) from None
    except json.JSONDecodeError as error:
        place = f"it is not JSON at line {error.lineno}, column {error.colno} (character {error.pos}): {error.msg}"
        raise CorruptCheckpointError(_how_to_restore(file, place)) from None
    if not isinstance(document, dict) or not isinstance(document.get("checkpoint"), dict):
        raise CorruptCheckpointError(_how_to_restore(file, 'it has no object "checkpoint"'))
    checkpoint = document["checkpoint"]
    if checkpoint.get("latest") is not None:  # the version is that of the deployment, which a new stack has not
        try:
            check_schema(document)
        except StateError as error:
            raise BackendError(f"{file}: {error}") from error
    return checkpoint


def pulumi_home(environment: Mapping[str, str] | None = None) -> Path:
    """The folder of the CLI's own settings: PULUMI_HOME, else ~/.pulumi."""
    values = os.environ if environment is None else environment
    return Path(values.get(PULUMI_HOME) or "~/.pulumi").expanduser()


def _parse_url(url: str, base: Path) -> tuple[Path, dict[str, str]]:
    if not url.startswith("file://"):
        raise BackendError(f"{BACKEND_URL} is {url!r}: the hermetic engine keeps state in files only: use file://PATH")
    path, _, query = url.removeprefix("file://").partition("?")
    if not path:
        raise BackendError(
            f"{BACKEND_URL} is {url!r}: it names no folder; file://~ is the home folder, file://. this one"
        )
    options = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    unknown = sorted(options.keys() - {"metadata", "no_tmp_dir"})
    if unknown or options.get("metadata", "skip") != "skip":
        raise BackendError(f"{BACKEND_URL} is {url!r}: of its options only metadata=skip and no_tmp_dir are known")
    return (base / Path(unquote(path)).expanduser()).resolve(), options


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in {"1", "true"}


def _logged_in_url(home: Path) -> str | None:
    try:
        return json.loads((home / "credentials.json").read_bytes()).get("current")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise BackendError(f"{home / 'credentials.json'} is not a JSON object: set {BACKEND_URL} instead") from error


def _previous(file: Path) -> Path:
    return file.with_name(f"{file.name}.bak")


def _squeezed(file: Path) -> bool:
    return file.suffix in {".gz", ".zst"}


def _how_to_restore(file: Path, what: str) -> str:
    """One clear error: the file, what is wrong with it, and the copy that can take its place."""
    previous = _previous(file)
    message = f"the checkpoint {file} cannot be used: {what}; nothing was changed."
    if file == previous or not previous.is_file():
        return f"{message} There is no copy {previous.name}: restore it from the backups folder beside `stacks`"
    try:
        latest = json.loads(previous.read_bytes())["checkpoint"].get("latest") or {}
        when, count = latest.get("manifest", {}).get("time", "an unknown time"), len(latest.get("resources") or ())
    except (ValueError, LookupError, AttributeError, TypeError):
        return f"{message} Its copy {previous} is damaged too: restore it from the backups folder beside `stacks`"
    return f"{message} The copy before it, of {when} with {count} resources, is whole: `cp {previous} {file}`"


def _read_lock(file: Path) -> LockHolder:
    try:
        content = json.loads(file.read_bytes())
        user, host, pid, since = (content[key] for key in ("username", "hostname", "pid", "timestamp"))
    except (ValueError, LookupError, TypeError, FileNotFoundError):
        # Being written this moment by the CLI, removed this moment, or damaged: someone's lock all the same.
        return LockHolder(file, user="unknown", host="unknown", pid=0, since="an unknown time", alive=None)
    alive = _is_running(pid, since) if host == socket.gethostname() else None
    return LockHolder(file, user=user, host=host, pid=pid, since=since, alive=alive)


def _is_running(pid: int, since: str) -> bool:
    """Whether the process that took a lock then is still there; a later process with its number is another one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    started = _started_at(pid)
    locked = _seconds(since)
    return started is None or locked is None or started <= locked + 2


def _started_at(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None where the kernel does not tell."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def _seconds(moment: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time, whose fraction may have more digits than Python reads."""
    with suppress(ValueError):
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", moment)).timestamp()
    return None


def _in_milliseconds(moment: str) -> str:
    found = re.fullmatch(r"(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?Z", moment)
    return f"{found[1]}.{(found[2] or '').ljust(3, '0')[:3]}Z" if found else moment


def _history_entry(update: Update) -> dict[str, Any]:
    return {
        "kind": update.kind,
        "startTime": update.start_time,
        "message": update.message,
        "environment": dict(sorted((update.environment or {}).items())),
        "config": dict(sorted(update.config.items())),
        "version": 0,
        "result": update.result,
        "endTime": update.end_time,
        "resourceChanges": dict(sorted(update.resource_changes.items())),
    }


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@contextmanager
def _told_as_backend_error(what: str) -> Generator[None]:
    """Say in one line what the system refused, and where."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BackendError(f"{what}: {error.strerror or error}{where}") from error


@contextmanager
def _only_one_at_a_time(folder: Path) -> Generator[None]:
    """Let one process of this engine after the other look and write; the kernel frees the place of one that dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
