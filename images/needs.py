"""Which packages of the system the images of a stack need on this computer to be built, beside those that every stack
needs: none where the images are there, or what they are made of is."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import docker
from docker.errors import DockerException

from images import engine, maven
from images.build import BASE_IMAGE_VARIABLE, WORK_FOLDER, service_names
from images.recipe import IMAGES_FOLDER, recipes, with_parents

MAVEN: Final = "maven"


def needed(client: docker.APIClient, names: Iterable[str], downloads: Path, base_image: str | None) -> Iterator[str]:
    """The packages, in apt's words."""
    have = {image.reference for image in engine.ours(client)}
    wanted = recipes(base_image)
    missing = [name for name in with_parents(names) if wanted[name].reference not in have]
    if any(maven.is_to_be_fetched(IMAGES_FOLDER / name, downloads) for name in missing):
        yield MAVEN


def main(arguments: list[str] | None = None) -> int:
    """Print them on one line."""
    parser = argparse.ArgumentParser(prog="images.needs", description=__doc__)
    parser.add_argument("--services", type=service_names, default=(), metavar="NAME,...")
    services = parser.parse_args(arguments).services
    base_image = os.environ.get(BASE_IMAGE_VARIABLE) or None
    try:
        found = needed(engine.connect(), services, WORK_FOLDER / "downloads", base_image)
        print(" ".join(found))  # noqa: T201
    except DockerException as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
