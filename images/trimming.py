"""What of a fetched file goes into a build context: as it is, or a jar without what nobody here loads."""

import fnmatch
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO


def add_file(context: tarfile.TarFile, name: str, data: bytes, *, executable: bool = False) -> None:
    """Put a file into a build context: no times, no owners, two modes."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o755 if executable else 0o644
    context.addfile(entry, io.BytesIO(data))


def left_in(jar: str, patterns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Patterns of what is left out inside a jar, from those by pattern of jar."""
    return tuple(p for jars, left in patterns.items() if fnmatch.fnmatchcase(jar, jars) for p in left)


def trimmed(jar: bytes, left: Sequence[str]) -> bytes:
    """The jar without what matches; times of its members stay, so that it is the same on every computer."""
    if not left:
        return jar
    slim = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(jar)) as source, zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED) as target:
        for member, content in _kept(source, left):
            with content, target.open(member, "w") as written:
                written.write(content.read())
    return slim.getvalue()


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether any of the patterns is the name's."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _kept(jar: zipfile.ZipFile, left: Sequence[str]) -> Iterator[tuple[zipfile.ZipInfo, IO[bytes]]]:
    for member in jar.infolist():
        if not matches(member.filename, left):
            plain = zipfile.ZipInfo(member.filename, member.date_time)
            plain.compress_type = zipfile.ZIP_DEFLATED
            yield plain, jar.open(member)
