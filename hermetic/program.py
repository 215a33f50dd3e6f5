"""The user's program in a child process: started with its own interpreter, watched, and ended."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermetic.plugins import child_environment

STOP_TIMEOUT = 5.0
_BOOTSTRAP = (
    "import sys; program, name = sys.argv[1:3]; del sys.argv[1:3]; sys.path[0] = program; "
    "exec(compile(open(name, encoding='utf-8').read(), name, 'exec'))"
)


class ProgramError(Exception):
    """A program that cannot be started."""


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What a run of the program needs to know; `refusals` has packages that it must not use, with the reason."""

    project: str
    stack: str
    organization: str
    root: Path
    folder: Path
    virtualenv: Path | None
    config: Mapping[str, str]
    secret_keys: list[str]
    preview: bool
    parallel: int
    refusals: Mapping[str, str]


class Program:
    """A running program."""

    def __init__(self, settings: ProgramSettings, monitor: str, engine: str, on_line: Callable[[str], None]) -> None:
        """Start it; `on_line` gets what it prints, line by line."""
        entry = settings.folder if settings.folder.is_file() else settings.folder / "__main__.py"
        if not entry.is_file():
            raise ProgramError(f"{entry} does not exist: a Pulumi program in Python is __main__.py beside Pulumi.yaml")
        arguments = {
            "monitor": monitor, "engine": engine, "project": settings.project, "stack": settings.stack,
            "organization": settings.organization, "root": str(settings.root), "program": str(entry),
            "preview": settings.preview, "parallel": settings.parallel, "threads": max(settings.parallel * 4, 8),
            "refusals": dict(settings.refusals),
        }  # fmt: skip
        script = Path(__file__).with_name("program_main.py")
        python = interpreter(settings.virtualenv)
        command = [python, "-u", "-c", _BOOTSTRAP, str(entry.parent), str(script), json.dumps(arguments)]
        try:
            self._process = subprocess.Popen(
                command, cwd=entry.parent, env=_environment(settings, monitor, engine), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise ProgramError(f"the program does not start: {command[0]}: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()

    def _read(self, on_line: Callable[[str], None]) -> None:
        for line in self._process.stdout or ():
            on_line(line.rstrip("\n"))

    def wait(self) -> int:
        """The exit code, after all output was read."""
        code = self._process.wait()
        self._reader.join(STOP_TIMEOUT)
        return code

    def stop(self) -> None:
        """End it, politely first."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()


def interpreter(virtualenv: Path | None) -> str:
    """The Python that runs the program: the project's virtual environment, else the one on PATH."""
    if virtualenv is not None:
        candidate = virtualenv / "bin" / "python"
        if not candidate.exists():
            raise ProgramError(
                f"runtime.options.virtualenv: {virtualenv} has no bin/python: make it with `python3 -m venv` and "
                "install requirements.txt, or correct Pulumi.yaml"
            )
        return str(candidate)
    found = shutil.which("python3") or shutil.which("python")
    if found is None:
        raise ProgramError("no python3 on PATH: install Python, or name runtime.options.virtualenv in Pulumi.yaml")
    return found


def _environment(settings: ProgramSettings, monitor: str, engine: str) -> dict[str, str]:
    environment = child_environment()
    if settings.virtualenv is not None:
        environment["VIRTUAL_ENV"] = str(settings.virtualenv)
        environment["PATH"] = os.pathsep.join([str(settings.virtualenv / "bin"), environment.get("PATH", "")])
        environment.pop("PYTHONHOME", None)
    return environment | {
        "PULUMI_PROJECT": settings.project,
        "PULUMI_STACK": settings.stack,
        "PULUMI_ORGANIZATION": settings.organization,
        "PULUMI_CONFIG": json.dumps(dict(settings.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(settings.secret_keys),
        "PULUMI_DRY_RUN": str(settings.preview).lower(),
        "PULUMI_PARALLEL": str(settings.parallel),
        "PULUMI_MONITOR": monitor,
        "PULUMI_ENGINE": engine,
    }
