"""The base image: a root filesystem that mmdebstrap makes from Debian's packages, or a Debian image of the user's."""

import io
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Final

import docker

from images import engine
from images.progress import Log
from images.recipe import Recipe, build_context

_CHANGES: Final = [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["/bin/sh"]',
]


def make_base(
    client: docker.APIClient, recipe: Recipe, folder: Path, work: Path, base_image: str | None, log: Log
) -> None:
    """Make the image `base`; `work` is where the archive of the root filesystem is written and removed again."""
    if base_image is not None:
        engine.pull(client, base_image, log)
        engine.build(client, recipe, io.BytesIO(build_context(folder)), {"DEBIAN": base_image}, log)
        return
    with tempfile.TemporaryDirectory(prefix="base-", dir=work) as temporary:
        archive = Path(temporary) / "base.tar"
        _write_archive(folder / "make", archive, log)
        engine.import_archive(client, recipe, archive, _CHANGES, log)


def _write_archive(make: Path, archive: Path, log: Log) -> None:
    with archive.open("wb") as output:
        process = subprocess.Popen([make], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            _copy(process.stderr, log)
            code = process.wait()
        finally:
            process.terminate()
            process.wait()
    if code != 0:
        raise log.failure(f"images/base/make ended with exit code {code}")


def _copy(lines: IO[str], log: Log) -> None:
    for line in lines:
        log.write(line)
