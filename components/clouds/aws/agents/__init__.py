"""The programs that run on machines, as texts: user data carries them there.

On a machine they are the package `agents` in a folder of their own, without this file; they need Python's library and,
for AWS, Debian's boto3."""

from pathlib import Path
from typing import Final

FOLDER: Final = "/usr/local/lib/flotilla"
"""Where a machine has them; `python3 -m agents.<name>` starts one from here."""

_HERE = Path(__file__).parent
_SOURCES = {path.stem: path.read_text() for path in sorted(_HERE.glob("*.py")) if path.stem != "__init__"}


def program_files(name: str) -> dict[str, str]:
    """The files of a program on a machine, content by path: itself and the way to the engine."""
    return {f"{FOLDER}/agents/{part}.py": _SOURCES[part] for part in ("engine", name)}
