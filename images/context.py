"""The build context of an image: the files of its folder, and what it takes of packages (`package.json`, from PyPI) or
of Maven artefacts (`artefacts.json`), trimmed on the way in, so that no layer holds the rest."""

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

from images import maven, package, recipe
from images.progress import Log


@contextlib.contextmanager
def build_context(folder: Path, work: Path, log: Log) -> Generator[IO[bytes]]:
    """The context as a tar archive; `work` is where downloads and other large things go."""
    taken, artefacts = package.package_of(folder), maven.artefacts_of(folder)
    if taken is None and artefacts is None:
        yield io.BytesIO(recipe.build_context(folder))
        return
    downloads = work / "downloads"
    with tempfile.TemporaryFile(dir=work) as file:
        with tarfile.open(fileobj=file, mode="w") as context:
            recipe.write_context(folder, context)
            if taken is not None:
                package.add_to_context(taken, package.fetch(taken, downloads, log), context)
            if artefacts is not None:
                maven.add_to_context(artefacts, maven.fetch(artefacts, downloads, log), context)
        file.seek(0)
        yield file
