"""What an image takes from a package of PyPI: fetched on this computer, where pip knows the way out, checked against
the hash that the image's folder pins, and trimmed on the way into the build context: no layer holds the rest."""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from images import trimming
from images.progress import Log

FILE: Final = "package.json"
"""The file of an image's folder that names its package; whoever changes it gets another tag."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A source distribution of PyPI.

    `take` maps folders or files of the archive (below its top folder) to where they go in the build context. `leave`
    are patterns of names, there, that are left out; `leave_in_jars` maps patterns of jars to patterns of what is left
    out inside them: native libraries of other systems, mostly.
    """

    name: str
    version: str
    sha256: str
    take: Mapping[str, str]
    leave: tuple[str, ...] = ()
    leave_in_jars: Mapping[str, tuple[str, ...]]

    @property
    def archive(self) -> str:
        """The name of the file that pip fetches."""
        return f"{self.name}-{self.version}.tar.gz"

    def target(self, member: str) -> str | None:
        """Where a member of the archive goes; None for what is left out."""
        inside = member.partition("/")[2]
        for source, target in self.take.items():
            if inside == source or inside.startswith(f"{source}/"):
                name = target + inside[len(source) :]
                return None if trimming.matches(name, self.leave) else name
        return None

    def left_in(self, jar: str) -> tuple[str, ...]:
        """Patterns of what is left out inside a jar."""
        return trimming.left_in(jar, self.leave_in_jars)


def package_of(folder: Path) -> Package | None:
    """The package that the image of this folder is made from; None for most."""
    path = folder / FILE
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_bytes())
    return Package(
        name=document["name"],
        version=document["version"],
        sha256=document["sha256"],
        take=document["take"],
        leave=tuple(document["leave"]),
        leave_in_jars={jars: tuple(left) for jars, left in document["leave_in_jars"].items()},
    )


def fetch(package: Package, downloads: Path, log: Log) -> Path:
    """The package's archive, from an earlier run or by pip with the user's own index, proxy and certificates."""
    path = downloads / package.archive
    if path.exists():
        return path
    downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.write(f"fetching {package.archive}")
    with tempfile.TemporaryDirectory(dir=downloads) as work:
        pinned = Path(work) / "requirements.txt"
        pinned.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        words = ["download", "--quiet", "--no-deps", "--no-binary", package.name, "--requirement", str(pinned)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words, "--dest", work],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            log.write(done.stderr)
            raise log.failure(f"pip could not fetch {package.name}=={package.version}")
        (Path(work) / package.archive).replace(path)
    return path


def add_to_context(package: Package, archive: Path, context: tarfile.TarFile) -> None:
    """Put what is taken of the archive into a build context: no times, no owners, two modes."""
    with tarfile.open(archive) as source:
        for member in source:
            name = package.target(member.name) if member.isfile() else None
            content = source.extractfile(member) if name is not None else None
            if name is None or content is None:
                continue
            data = trimming.trimmed(content.read(), package.left_in(name))
            trimming.add_file(context, name, data, executable=bool(member.mode & 0o100))
