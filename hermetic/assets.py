"""Assets and archives in inputs: given a hash of what is in them, so that a changed file is a changed input."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from hermetic.values import ARCHIVE, ASSET, SIGNATURE, PropertyMap, PropertyValue

HASH = "hash"
_CHUNK = 1 << 20


class AssetError(Exception):
    """An asset or archive that cannot be read."""


def with_hashes(value: PropertyValue, folder: Path) -> PropertyValue:
    """The value with a `hash` in each asset and archive; paths count from the program's folder."""
    if isinstance(value, list):
        return [with_hashes(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: with_hashes(item, folder) for key, item in value.items()}
    kind = value.get(SIGNATURE)
    if kind == ASSET and not value.get(HASH):
        return inner | _hash_entry(_asset_hash(inner, folder))
    if kind == ARCHIVE and not value.get(HASH):
        return inner | _hash_entry(_archive_hash(inner, folder))
    return inner


def _hash_entry(digest: str | None) -> PropertyMap:
    return {HASH: digest} if digest is not None else {}


def _asset_hash(asset: PropertyMap, folder: Path) -> str | None:
    """SHA-256 of the content; what lies behind a URI is the provider's to fetch, its address stands for it."""
    if asset.get("path"):
        return _file_hash(folder / asset["path"])
    if isinstance(asset.get("text"), str):
        return hashlib.sha256(asset["text"].encode()).hexdigest()
    return None


def _archive_hash(archive: PropertyMap, folder: Path) -> str | None:
    if isinstance(archive.get("assets"), dict):
        return _combined((name, str(each.get(HASH, each))) for name, each in sorted(archive["assets"].items()))
    if not archive.get("path"):
        return None
    path = folder / archive["path"]
    return _combined(_entries(path)) if path.is_dir() else _file_hash(path)


def _entries(root: Path) -> Iterator[tuple[str, str]]:
    """Names and hashes of all files under a folder, in order of their names."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root).as_posix(), _file_hash(path)


def _combined(entries: Iterator[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, content in entries:
        digest.update(f"{len(name)}:{name}={content}\n".encode())
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise AssetError(f"asset {path} cannot be read: {error.strerror}; correct its path in the program") from error
    return digest.hexdigest()
