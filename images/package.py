"""What an image takes from a package of PyPI: fetched on this computer, where pip knows the way out, checked against
the hash that the image's folder pins, and trimmed on the way into the build context: no layer holds the rest."""

import contextlib
import fnmatch
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from images import recipe
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
                return None if _any(name, self.leave) else name
        return None

    def left_in(self, jar: str) -> tuple[str, ...]:
        """Patterns of what is left out inside a jar."""
        return tuple(p for jars, left in self.leave_in_jars.items() if fnmatch.fnmatchcase(jar, jars) for p in left)


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


@contextlib.contextmanager
def build_context(folder: Path, work: Path, log: Log) -> Generator[IO[bytes]]:
    """The build context of an image: its folder, and what it takes of its package; `work` is where large things go."""
    package = package_of(folder)
    if package is None:
        yield io.BytesIO(recipe.build_context(folder))
        return
    archive = fetch(package, work / "downloads", log)
    with tempfile.TemporaryFile(dir=work) as file:
        with tarfile.open(fileobj=file, mode="w") as context:
            recipe.write_context(folder, context)
            add_to_context(package, archive, context)
        file.seek(0)
        yield file


def add_to_context(package: Package, archive: Path, context: tarfile.TarFile) -> None:
    """Put what is taken of the archive into a build context: no times, no owners, two modes."""
    with tarfile.open(archive) as source:
        for member in source:
            name = package.target(member.name) if member.isfile() else None
            content = source.extractfile(member) if name is not None else None
            if name is None or content is None:
                continue
            data = content.read()
            left = package.left_in(name)
            _add(context, name, _trimmed(data, left) if left else data, executable=bool(member.mode & 0o100))


def _add(context: tarfile.TarFile, name: str, data: bytes, *, executable: bool) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o755 if executable else 0o644
    context.addfile(entry, io.BytesIO(data))


def _trimmed(jar: bytes, left: tuple[str, ...]) -> bytes:
    """The jar without what matches; times of its members stay, so that it is the same on every computer."""
    slim = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(jar)) as source, zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED) as target:
        for member, content in _kept(source, left):
            with content, target.open(member, "w") as written:
                written.write(content.read())
    return slim.getvalue()


def _kept(jar: zipfile.ZipFile, left: tuple[str, ...]) -> Iterator[tuple[zipfile.ZipInfo, IO[bytes]]]:
    for member in jar.infolist():
        if not _any(member.filename, left):
            plain = zipfile.ZipInfo(member.filename, member.date_time)
            plain.compress_type = zipfile.ZIP_DEFLATED
            yield plain, jar.open(member)


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
