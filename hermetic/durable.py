"""Whole files on disk: a reader finds the old content or the new one, never a part, also after a power cut."""

import os
import secrets
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_private_folder(folder: Path) -> None:
    """Make the folder and its missing parents, each for its owner alone; folders that exist are left as they are."""
    missing: list[Path] = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        flush_folder(each.parent)


def flush_folder(folder: Path) -> None:
    """Make renames and links in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_temporary(target: Path, content: bytes, *, mode: int = PRIVATE_FILE) -> Path:
    """Write the content, flushed, beside the target under a name of its own, and return that name."""
    temporary = temporary_beside(target)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def write_durably(target: Path, content: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Replace the target by the content in one step; when this returns, the content is on the disk."""
    temporary = write_temporary(target, content, mode=mode)
    temporary.replace(target)
    flush_folder(target.parent)


def temporary_beside(target: Path) -> Path:
    """A fresh name in the target's folder that no listing of checkpoints takes for one (it ends in .tmp)."""
    return target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
