"""What an image takes from a package: named in one file, checked by its hash, trimmed, and the same everywhere."""

import io
import json
import re
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from images import package
from images.context import build_context
from images.package import Package, package_of
from images.progress import BuildError, Log
from images.recipe import IMAGES_FOLDER

PACKAGE = Package(
    name="some",
    version="1.0",
    sha256="0" * 64,
    take={"deps/jars": "some/jars", "LICENSE": "some/LICENSE"},
    leave=("*.cmd", "some/jars/heavy-*"),
    leave_in_jars={"some/jars/native-*": ("*.dll", "mac/*")},
)


def log() -> Log:
    return Log("some", threading.Event(), None)


def jar(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / PACKAGE.archive
    native = jar("a.class", "x.dll", "mac/y.so", "linux/z.so")
    files = {"LICENSE": b"free", "setup.py": b"", "deps/jars/a.jar": b"a", "deps/jars/run.cmd": b"", "deps/jarsx": b""}
    files |= {"deps/jars/heavy-1.jar": b"h", "deps/jars/native-1.jar": native}
    with tarfile.open(path, "w:gz") as packed:
        for number, (name, data) in enumerate(files.items()):
            entry = tarfile.TarInfo(f"some-1.0/{name}")
            entry.size, entry.mtime, entry.mode = len(data), number, 0o700 if name.endswith("a.jar") else 0o600
            packed.addfile(entry, io.BytesIO(data))
    return path


def context(archive: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        package.add_to_context(PACKAGE, archive, made)
    return buffer.getvalue()


def test_what_is_named_is_taken_and_what_is_left_out_is_not(archive: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(context(archive))) as made:
        modes = {entry.name: entry.mode for entry in made}
        assert modes == {"some/LICENSE": 0o644, "some/jars/a.jar": 0o755, "some/jars/native-1.jar": 0o644}
        assert {entry.mtime for entry in made.getmembers()} == {0}
        native = made.extractfile("some/jars/native-1.jar")
        assert native is not None
        with zipfile.ZipFile(io.BytesIO(native.read())) as trimmed:
            assert trimmed.namelist() == ["a.class", "linux/z.so"]
            assert trimmed.read("linux/z.so") == b"linux/z.so"


def test_the_same_archive_gives_the_same_context(archive: Path) -> None:
    assert context(archive) == context(archive)


def test_an_image_without_a_package_has_its_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with build_context(tmp_path, tmp_path, log()) as file, tarfile.open(fileobj=file) as made:
        assert made.getnames() == ["Dockerfile"]
    assert package_of(tmp_path) is None


def test_pip_is_given_the_hash_and_a_second_run_fetches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(words: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        pinned = Path(words[words.index("--requirement") + 1])
        asked.append(pinned.read_text())
        (pinned.parent / PACKAGE.archive).write_bytes(b"archive")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    downloads = tmp_path / "downloads"
    found = [package.fetch(PACKAGE, downloads, log()) for _ in range(2)]
    assert found == [downloads / "some-1.0.tar.gz"] * 2
    assert asked == ["some==1.0 --hash=sha256:" + "0" * 64 + "\n"]
    assert list(downloads.iterdir()) == [found[0]]


def test_a_package_that_cannot_be_had_ends_the_build_with_pip_s_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 1, "", "ERROR: HASHES DO NOT MATCH\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(BuildError, match=r"pip could not fetch some==1.0; its last lines:(\n.*)*HASHES DO NOT MATCH"):
        package.fetch(PACKAGE, tmp_path / "downloads", log())
    assert list((tmp_path / "downloads").iterdir()) == []


def test_the_version_of_spark_is_said_in_one_place() -> None:
    """E12: a jar, an image and a command of three versions do not work together."""
    spark = package_of(IMAGES_FOLDER / "spark")
    assert spark is not None
    folders = [IMAGES_FOLDER, *(IMAGES_FOLDER.parent / name for name in ("components", "stacks"))]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in ("", ".py", ".conf", ".json")]
    texts = {path: path.read_text(errors="replace") for path in files if path.is_file()}
    said = [str(path) for path, text in texts.items() if re.search(rf"\b{re.escape(spark.version)}\b", text)]
    assert said == [str(IMAGES_FOLDER / "spark" / package.FILE)]
    assert json.loads((IMAGES_FOLDER / "spark" / package.FILE).read_text())["version"] == spark.version
