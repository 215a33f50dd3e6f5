"""A copy of the project in a folder of its own, with a backend of its own: for tests that run the engine or `make`."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PARTS = (
    "Pulumi.yaml",
    "Pulumi.dev.yaml",
    "Makefile",
    "__main__.py",
    "stacks",
    "components",
    "plugins",
    "hermetic",
    "images",
    "bin",
    "examples",
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
HERMETIC = "bin/hermetic"


@dataclass
class Place:
    """A project folder of its own, with a backend and a stack `dev` in it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def checkpoint(self) -> Path:
        return self.state / ".pulumi" / "stacks" / "flotilla" / "dev.json"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            words,
            cwd=self.folder,
            env=kept | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def copy_project(folder: Path, stack: str = "dev", stack_file: Path | None = None) -> Place:
    """The project with the stack made; `stack_file` becomes its file where the project has none."""
    folder.mkdir(exist_ok=True)
    for name in PARTS:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    if stack_file is not None:
        shutil.copy2(stack_file, folder / f"Pulumi.{stack}.yaml")
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    made = Place(folder)
    made.state.mkdir(mode=0o700)
    made.environment = {"PULUMI_BACKEND_URL": f"file://{made.state}", "PULUMI_CONFIG_PASSPHRASE": "right"}
    done = made.run(HERMETIC, "stack", "init", stack)
    assert done.returncode == 0, done.stderr
    return made
