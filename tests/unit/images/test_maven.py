"""What an image takes from Maven: listed in one file, fetched without anything else, checked by its hash, trimmed."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import docker
import pytest

from images import maven
from images.context import build_context
from images.maven import Artefact, Artefacts, artefacts_of
from images.needs import needed
from images.progress import BuildError, Log
from images.recipe import IMAGES_FOLDER, NAME_LABEL, recipes

NATIVE = "org.example:native:1.2:jar:linux-x86_64"


def jar(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return buffer.getvalue()


CONTENT = {"some-1.0.jar": jar("a.class"), "native-1.2-linux-x86_64.jar": jar("x.so", "mac/y.dylib")}
WANTED = Artefacts(
    jars=tuple(
        Artefact(coordinates=coordinates, sha256=hashlib.sha256(data).hexdigest(), folder="lib")
        for coordinates, data in zip(("org.example:some:1.0", NATIVE), CONTENT.values(), strict=True)
    ),
    leave_in_jars={"lib/native-*": ("mac/*",)},
)


def log() -> Log:
    return Log("some", threading.Event(), None)


class Maven:
    """Stands in for mvn: copies what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], code: int = 0) -> None:
        self.asked: list[dict[str, str]] = []
        self._content, self._code = content, code
        monkeypatch.setattr(subprocess, "run", self.run)
        monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/mvn")  # pyright: ignore[reportUnknownLambdaType]

    def run(self, words: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        root = ElementTree.parse(words[words.index("--file") + 1]).getroot()
        space = {"m": "http://maven.apache.org/POM/4.0.0"}
        target = root.findtext(".//m:outputDirectory", namespaces=space)
        assert target is not None
        for item in root.findall(".//m:artifactItem", space):
            self.asked.append({part.tag.partition("}")[2]: part.text or "" for part in item})
        if not self._code:
            for name, data in self._content.items():
                (Path(target) / name).write_bytes(data)
        return subprocess.CompletedProcess(words, self._code, "[ERROR] no such artefact\n", "")


def test_mvn_is_asked_for_what_is_listed_and_a_second_run_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Maven(monkeypatch, CONTENT)
    stores = {maven.fetch(WANTED, tmp_path / "downloads", log()) for _ in range(2)}
    assert fake.asked == [
        {"groupId": "org.example", "artifactId": "some", "version": "1.0"},
        {
            "groupId": "org.example",
            "artifactId": "native",
            "version": "1.2",
            "type": "jar",
            "classifier": "linux-x86_64",
        },
    ]
    (store,) = stores
    assert sorted(path.name for path in store.iterdir()) == sorted(CONTENT)
    assert list((tmp_path / "downloads").iterdir()) == [store]


def test_another_content_than_the_pinned_one_ends_the_build_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Maven(monkeypatch, {**CONTENT, "native-1.2-linux-x86_64.jar": b"other"})
    with pytest.raises(BuildError, match=rf"{NATIVE} has SHA-256 \w{{64}}, and artefacts.json pins \w{{64}}"):
        maven.fetch(WANTED, tmp_path / "downloads", log())
    assert list((tmp_path / "downloads" / "maven").iterdir()) == []


def test_what_mvn_cannot_fetch_ends_the_build_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Maven(monkeypatch, CONTENT, code=1)
    with pytest.raises(BuildError, match=r"mvn could not fetch the jars; its last lines:(\n.*)*no such artefact"):
        maven.fetch(WANTED, tmp_path / "downloads", log())


def test_a_computer_without_mvn_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="mvn is not on PATH: install the package maven"):
        maven.fetch(WANTED, tmp_path / "downloads", log())


def test_jars_go_where_the_file_says_without_what_nobody_loads(tmp_path: Path) -> None:
    for name, data in CONTENT.items():
        (tmp_path / name).write_bytes(data)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        maven.add_to_context(WANTED, tmp_path, made)
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as made:
        assert {entry.name: (entry.mode, entry.mtime) for entry in made} == {
            "lib/some-1.0.jar": (0o644, 0),
            "lib/native-1.2-linux-x86_64.jar": (0o644, 0),
        }
        native = made.extractfile("lib/native-1.2-linux-x86_64.jar")
        assert native is not None
        with zipfile.ZipFile(io.BytesIO(native.read())) as archive:
            assert archive.namelist() == ["x.so"]


def test_a_build_context_has_the_folder_and_the_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Maven(monkeypatch, CONTENT)
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    pins = ", ".join(f'"{one.coordinates}": "{one.sha256}"' for one in WANTED.jars)
    (folder / maven.FILE).write_text(f'{{"take": {{"lib": {{{pins}}}}}, "leave_in_jars": {{}}}}')
    with build_context(folder, tmp_path, log()) as file, tarfile.open(fileobj=file) as made:
        assert made.getnames() == ["Dockerfile", maven.FILE, "lib/some-1.0.jar", "lib/native-1.2-linux-x86_64.jar"]


class Engine:
    """Stands in for an engine that has these images."""

    def __init__(self, *names: str) -> None:
        self._references = [recipes()[name].reference for name in names]

    def images(self, **_options: Any) -> list[dict[str, Any]]:
        return [{"RepoTags": [one], "Size": 1, "Labels": {NAME_LABEL: one}} for one in self._references]


def test_maven_is_needed_for_an_image_that_is_missing_and_whose_jars_are_too(tmp_path: Path) -> None:
    def needs(*services: str, have: tuple[str, ...] = ()) -> list[str]:
        return list(needed(cast("docker.APIClient", Engine(*have)), services, tmp_path, None))

    assert needs("hadoop") == ["maven"]
    assert needs("hadoop", have=("base", "jre", "spark")) == ["maven"]
    assert needs("hadoop", have=("base", "jre", "spark", "hadoop")) == []
    assert needs("nginx", "spark") == []
    hadoop = artefacts_of(IMAGES_FOLDER / "hadoop")
    assert hadoop is not None
    (tmp_path / "maven").mkdir()
    for jar_file in hadoop.jars:
        (tmp_path / "maven" / jar_file.file).touch()
    assert needs("hadoop") == []


def test_every_jar_of_hadoop_is_pinned_and_has_a_name_of_its_own() -> None:
    hadoop = artefacts_of(IMAGES_FOLDER / "hadoop")
    assert hadoop is not None
    assert all(len(one.sha256) == 64 for one in hadoop.jars)
    assert len({(one.folder, one.file) for one in hadoop.jars}) == len(hadoop.jars)
    versions = {
        one.coordinates.split(":")[2] for one in hadoop.jars if one.coordinates.startswith("org.apache.hadoop:")
    }
    # The examples were last published with another version (facts of the repository, E12).
    assert len(versions) == 2
    assert artefacts_of(IMAGES_FOLDER / "nginx") is None
