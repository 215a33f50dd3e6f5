"""What an image takes from the central repository of Maven: jars that mvn fetches on this computer, with the mirror,
proxy and certificates of the user, each checked against the SHA-256 that the folder of the image pins. Nothing is
resolved: what is not listed is not fetched."""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from images import trimming
from images.progress import Log

FILE: Final = "artefacts.json"
"""The file of an image's folder that names its artefacts; whoever changes it gets another tag."""
PLUGIN: Final = "3.6.1"
"""Version of maven-dependency-plugin, which copies the artefacts."""
_GROUP, _NAME, _VERSION, _KIND, _CLASSIFIER = range(5)


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One jar: `coordinates` are Maven's own (`group:name:version`, or with `:jar:classifier` behind them), `folder` is
    where it goes in the build context."""

    coordinates: str
    sha256: str
    folder: str

    @property
    def file(self) -> str:
        """The name that mvn gives to its copy."""
        parts = self.coordinates.split(":")
        return "-".join((parts[_NAME], parts[_VERSION], *parts[_CLASSIFIER:])) + ".jar"


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """All that an image takes; `leave_in_jars` maps patterns of jars to patterns of what is left out inside them."""

    jars: tuple[Artefact, ...]
    leave_in_jars: Mapping[str, tuple[str, ...]]


def artefacts_of(folder: Path) -> Artefacts | None:
    """The artefacts that the image of this folder is made from; None for most."""
    path = folder / FILE
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_bytes())
    return Artefacts(
        jars=tuple(
            Artefact(coordinates=coordinates, sha256=sha256, folder=target)
            for target, listed in document["take"].items()
            for coordinates, sha256 in listed.items()
        ),
        leave_in_jars={jars: tuple(left) for jars, left in document["leave_in_jars"].items()},
    )


def is_to_be_fetched(folder: Path, downloads: Path) -> bool:
    """Whether the image of this folder takes jars that no earlier run has fetched."""
    artefacts = artefacts_of(folder)
    return artefacts is not None and bool(_missing(artefacts, _store(downloads)))


def fetch(artefacts: Artefacts, downloads: Path, log: Log) -> Path:
    """The folder that has all jars: those of an earlier run, the others by one run of mvn."""
    store = _store(downloads)
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    if missing := _missing(artefacts, store):
        log.write(f"fetching {len(missing)} jars")
        with tempfile.TemporaryDirectory(dir=downloads) as work:
            _copy(missing, Path(work), log)
            for jar in missing:
                _check(Path(work) / jar.file, jar, log)
            for jar in missing:
                (Path(work) / jar.file).replace(store / jar.file)
    return store


def add_to_context(artefacts: Artefacts, store: Path, context: tarfile.TarFile) -> None:
    """Put the jars into a build context, trimmed."""
    for jar in artefacts.jars:
        name = f"{jar.folder}/{jar.file}"
        left = trimming.left_in(name, artefacts.leave_in_jars)
        trimming.add_file(context, name, trimming.trimmed((store / jar.file).read_bytes(), left))


def project(jars: Iterable[Artefact], target: Path) -> str:
    """The project file that lets mvn copy these jars, and nothing that they depend on, into a folder."""
    items = "\n".join(_item(jar) for jar in jars)
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>flotilla</groupId><artifactId>artefacts</artifactId><version>1</version><packaging>pom</packaging>
<build><plugins><plugin>
<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>{PLUGIN}</version>
<configuration><outputDirectory>{escape(str(target))}</outputDirectory><artifactItems>
{items}
</artifactItems></configuration>
</plugin></plugins></build>
</project>
"""


def _store(downloads: Path) -> Path:
    return downloads / "maven"


def _missing(artefacts: Artefacts, store: Path) -> list[Artefact]:
    return [jar for jar in artefacts.jars if not (store / jar.file).exists()]


def _item(jar: Artefact) -> str:
    names = ("groupId", "artifactId", "version", "type", "classifier")
    parts = zip(names, jar.coordinates.split(":"), strict=False)
    return "<artifactItem>" + "".join(f"<{name}>{escape(part)}</{name}>" for name, part in parts) + "</artifactItem>"


def _copy(jars: Iterable[Artefact], work: Path, log: Log) -> None:
    if shutil.which("mvn") is None:
        raise log.failure("mvn is not on PATH: install the package maven, or let `make` do it")
    described = work / "pom.xml"
    described.write_text(project(jars, work))
    words = ["mvn", "--batch-mode", "--no-transfer-progress", "--file", str(described), "dependency:copy"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        log.write(done.stdout)
        log.write(done.stderr)
        raise log.failure("mvn could not fetch the jars")


def _check(path: Path, jar: Artefact, log: Log) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise log.failure(f"{jar.coordinates} has SHA-256 {found}, and {FILE} pins {jar.sha256}")
