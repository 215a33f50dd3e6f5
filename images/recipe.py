"""What an image is made from, and the tag that follows from it: whoever changes a file gets a new tag, and whoever
changes nothing gets nothing built."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IMAGES_FOLDER: Final = Path(__file__).resolve().parent
NAME_LABEL: Final = "flotilla.image"
CONTENT_LABEL: Final = "flotilla.content"
BASE: Final = "base"
MONITORING: Final = ("prometheus", "alertmanager", "node-exporter", "exporter")
SERVICES: Final = (
    "nginx",
    "mariadb",
    "wordpress",
    "haproxy",
    "spark",
    "hadoop",
    "influxdb",
    "registry-service",
    "ui",
    "mvc",
    "mvc-1.1",
    *MONITORING,
)
"""The images that services run; the registry of a stack holds those of its own products."""
PARENTS: Final[Mapping[str, str]] = {
    "spark": "jre",
    "hadoop": "spark",
    "registry-service": "registry",
    "mvc-1.1": "mvc",
}
"""Images that stand on another one than the base."""
CHILDREN: Final = ("machine", "registry", "jre", *SERVICES)
"""Every image with a Dockerfile, parents before children."""
_TAG_LENGTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One image to build: `parent` is the reference that its Dockerfile gets as BASE, empty for the base itself."""

    name: str
    content: str
    parent: str = ""

    @property
    def repository(self) -> str:
        """The name without a tag."""
        return f"flotilla/{self.name}"

    @property
    def reference(self) -> str:
        """Name and tag."""
        return f"{self.repository}:{self.content}"

    @property
    def labels(self) -> dict[str, str]:
        """What `--list` and `--remove` know our images by."""
        return {NAME_LABEL: self.name, CONTENT_LABEL: self.content}


def recipes(base_image: str | None = None, folder: Path = IMAGES_FOLDER) -> dict[str, Recipe]:
    """All images by name, the base first. `base_image` takes the place of the root filesystem that we would make."""
    base = Recipe(name=BASE, content=content_hash(folder / BASE, base_image or ""))
    found = {BASE: base}
    for name in CHILDREN:
        parent = found[PARENTS.get(name, BASE)].reference
        found[name] = Recipe(name=name, content=content_hash(folder / name, parent), parent=parent)
    return found


def with_parents(names: Iterable[str]) -> tuple[str, ...]:
    """The images and all that they stand on, parents before children."""
    wanted = {BASE}
    for name in names:
        child = name
        while child not in wanted:
            wanted.add(child)
            child = PARENTS.get(child, BASE)
    return tuple(name for name in (BASE, *CHILDREN) if name in wanted)


def content_hash(folder: Path, parent: str) -> str:
    """12 hex digits over names, modes and bytes of the folder's files and over the parent's reference."""
    digest = hashlib.sha256(parent.encode())
    for name, executable, data in _files(folder):
        digest.update(f"\0{name}\0{executable:d}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:_TAG_LENGTH]


def combined_hash(parts: Mapping[str, str]) -> str:
    """12 hex digits over names and values, whatever their order."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:_TAG_LENGTH]


def build_context(folder: Path) -> bytes:
    """The folder as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        write_context(folder, archive)
    return buffer.getvalue()


def write_context(folder: Path, context: tarfile.TarFile) -> None:
    """The folder into a build context that is the same on every computer: no times, no owners, two modes."""
    for name, executable, data in _files(folder):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        entry.mode = 0o755 if executable else 0o644
        context.addfile(entry, io.BytesIO(data))


def _files(folder: Path) -> list[tuple[str, bool, bytes]]:
    """Relative name, whether it is executable, and content of every file; in the order of the names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [
        (path.relative_to(folder).as_posix(), bool(path.stat().st_mode & 0o100), path.read_bytes()) for path in files
    ]
