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
from images.recipe import recipes


def push(client: docker.APIClient, registry: str, digests: Mapping[str, str], progress: Progress) -> None:
    """Push the images of `digests` to `registry` (`host:port`); BuildError when the registry names another digest.

    Who may push is Docker's own affair: `docker login` before.
    """
    current = recipes(None)
    for name in digests:
        with progress.step("pushing", name) as log:
            recipe = current[name]
            pushed = engine.push(client, recipe.reference, f"{registry}/{name}", recipe.content, log)
            if pushed != digests[name]:
                raise log.failure(
                    f"the registry has {registry}/{name} as {pushed}, but it was built as {digests[name]}; "
                    "run `make images`, then push again"
                )


def built_digests(services: Sequence[str], work: Path = WORK_FOLDER) -> dict[str, str]:
    """Digests by image name, as `make images` wrote them down for a stack with these service images."""
    try:
        sets = json.loads((work / "images.json").read_bytes())["sets"]
        built = sets[",".join(sorted(services))]["services"]
    except FileNotFoundError:
        raise BuildError(f"{work.name}/images.json is missing: no images were built yet; run `make images`") from None
    except KeyError:
        raise BuildError(
            f"{work.name}/images.json has no set {', '.join(sorted(services))}: it was not built yet; "
            "run `make images STACK=` with the stack's name"
        ) from None
    return {name: image["digest"] for name, image in built.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every image is in the registry; 1 with a message."""
    parser = argparse.ArgumentParser(prog="images.push", description=__doc__)
    parser.add_argument("registry", help="host or host:port")
    parser.add_argument("services", nargs="*", help="the service images that the stack runs")
    options = parser.parse_args(arguments)
    try:
        push(engine.connect(), options.registry, built_digests(options.services), Progress(verbose=False))
    except (BuildError, DockerException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
