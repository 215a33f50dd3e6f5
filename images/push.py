"""Pushes the built service images to a registry that the nodes of a rented cloud reach, under the digests that the
program names: who pulls by digest gets exactly what was built here."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
from docker.errors import DockerException

from images import engine
from images.build import WORK_FOLDER
from images.progress import BuildError, Progress
from images.recipe import SERVICES, recipes


def push(client: docker.APIClient, registry: str, digests: Mapping[str, str], progress: Progress) -> None:
    """Push every service image to `registry` (`host:port`); BuildError when the registry names another digest.

    Who may push is Docker's own affair: `docker login` before.
    """
    current = recipes(None)
    for name in SERVICES:
        with progress.step("pushing", name) as log:
            recipe = current[name]
            pushed = engine.push(client, recipe.reference, f"{registry}/{name}", recipe.content, log)
            if pushed != digests[name]:
                raise log.failure(
                    f"the registry has {registry}/{name} as {pushed}, but it was built as {digests[name]}; "
                    "run `make images`, then push again"
                )


def built_digests(work: Path = WORK_FOLDER) -> dict[str, str]:
    """Digests by image name, as `make images` wrote them down."""
    try:
        document = json.loads((work / "images.json").read_bytes())
    except FileNotFoundError:
        raise BuildError(f"{work.name}/images.json is missing: no images were built yet; run `make images`") from None
    return {name: image["digest"] for name, image in document["services"].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every image is in the registry; 1 with a message."""
    parser = argparse.ArgumentParser(prog="images.push", description=__doc__)
    parser.add_argument("registry", help="host or host:port")
    registry: str = parser.parse_args(arguments).registry
    try:
        push(engine.connect(), registry, built_digests(), Progress(verbose=False))
    except (BuildError, DockerException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
