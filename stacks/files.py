"""What `make` keeps beside the program: the identity, the passphrase and the stack in the project's own backend. Every
file is made once, for this user alone, and goes away with `make down`."""

import argparse
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from stacks.errors import SettingsError
from stacks.load import PROJECT_FOLDER, WORK_FOLDER, stack_file

_WORK = PROJECT_FOLDER / WORK_FOLDER
_IDENTITY = _WORK / "id_ed25519"
_PASSPHRASE = _WORK / "passphrase"
_ENCRYPTED = "secure:"
_SALT_LINE = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)


class FilesError(Exception):
    """Something that `make` needs cannot be had; the message is for the user."""


def ensure_work_folder() -> None:
    """The folder `.flotilla`, which only this user can enter."""
    _WORK.mkdir(mode=0o700, exist_ok=True)
    _WORK.chmod(0o700)


def ensure_identity() -> None:
    """The SSH key pair of the local cloud (M12). The private key never leaves its file."""
    ensure_work_folder()
    if _IDENTITY.exists() and _IDENTITY.with_suffix(".pub").exists():
        return
    if shutil.which("ssh-keygen") is None:
        raise FilesError("ssh-keygen is not on PATH; install the package openssh-client")
    _IDENTITY.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "flotilla", "-f", str(_IDENTITY)], check=True)


def ensure_stack(stack: str, engine: str) -> None:
    """The stack in the backend, and for the generated passphrase its file."""
    path = stack_file(stack)
    ensure_work_folder()
    _ensure_backend()
    _ensure_passphrase(path)
    listed = _run(engine, "stack", "ls", "--json")
    if f'"{stack}"' not in listed:
        _run(engine, "stack", "init", stack)


def take_down(stack: str, engine: str) -> None:
    """Destroy the stack, forget it, and remove what `make` made for it."""
    if not _WORK.exists() or f'"{stack}"' not in _run(engine, "stack", "ls", "--json"):
        print(f"stack {stack} is not up: nothing to take down")  # noqa: T201
        return
    subprocess.run([engine, "destroy", "--stack", stack, "--yes", "--skip-preview"], check=True)
    _run(engine, "stack", "rm", stack, "--yes", "--preserve-config")
    _forget_salt(stack)
    if not _stacks(engine):
        _forget_generated()


def clean() -> None:
    """Remove the built images and everything in `.flotilla`; refused while a stack is up."""
    state = _WORK / "state" / ".pulumi" / "stacks"
    up = sorted(path.stem for path in state.rglob("*.json")) if state.exists() else []
    if up:
        raise FilesError(f"stack {', '.join(up)} is still up; run `make down STACK={up[0]}` first")
    subprocess.run([sys.executable, "-m", "images.build", "--remove"], check=True, cwd=PROJECT_FOLDER)
    shutil.rmtree(_WORK, ignore_errors=True)


def _ensure_backend() -> None:
    """The folder of the project's own file backend; another backend is the user's affair."""
    state = _WORK / "state"
    if os.environ.get("PULUMI_BACKEND_URL", "") == f"file://{state}":
        state.mkdir(mode=0o700, exist_ok=True)


def _ensure_passphrase(path: Path) -> None:
    """A passphrase of its own, where the environment names the file that `make` looks after and nothing else."""
    if os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE") != str(_PASSPHRASE) or _PASSPHRASE.exists():
        return
    if _SALT_LINE.search(path.read_text()):
        raise FilesError(
            f"{path.name} was encrypted with a passphrase that is not here: "
            f"set PULUMI_CONFIG_PASSPHRASE, or remove its line encryptionsalt to begin anew"
        )
    descriptor = os.open(_PASSPHRASE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))


def _forget_salt(stack: str) -> None:
    """The salt in the stack file that belongs to the generated passphrase; with secrets in the file, both stay."""
    path = stack_file(stack)
    text = path.read_text()
    if _PASSPHRASE.exists() and _ENCRYPTED not in text:
        path.write_text(_SALT_LINE.sub("", text))


def _forget_generated() -> None:
    """Identity and state, and the passphrase unless a stack file holds secrets that only it opens."""
    for path in (_IDENTITY, _IDENTITY.with_suffix(".pub")):
        path.unlink(missing_ok=True)
    shutil.rmtree(_WORK / "state", ignore_errors=True)
    if not any(_SALT_LINE.search(path.read_text()) for path in PROJECT_FOLDER.glob("Pulumi.*.yaml")):
        _PASSPHRASE.unlink(missing_ok=True)


def _stacks(engine: str) -> bool:
    return '"name"' in _run(engine, "stack", "ls", "--json")


def _run(engine: str, *words: str) -> str:
    """The engine's standard output; its own words are the error."""
    done = subprocess.run([engine, *words], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FilesError((done.stderr or done.stdout).strip().removeprefix("error: ") or f"{words} failed")
    return done.stdout


def main() -> int:
    """One of the steps that the Makefile is made of."""
    parser = argparse.ArgumentParser(prog="stacks.files", description=__doc__)
    parser.add_argument("step", choices=["identity", "stack", "down", "clean"])
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--engine", default="bin/hermetic")
    arguments = parser.parse_args()
    steps = {
        "identity": ensure_identity,
        "stack": lambda: ensure_stack(arguments.stack, arguments.engine),
        "down": lambda: take_down(arguments.stack, arguments.engine),
        "clean": clean,
    }
    try:
        steps[arguments.step]()
    except (FilesError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
