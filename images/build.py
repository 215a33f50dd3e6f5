"""Builds the project's images from packages, fills the registry of the local cloud with them, and writes down what came
out (`.flotilla/images.json`, `.flotilla/host.json`). Nothing that exists is built again."""

import argparse
import fcntl
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import docker
from docker.errors import DockerException

from images import content, context, engine, host
from images.content import RegistryContent
from images.progress import BuildError, CancelledError, Progress
from images.recipe import BASE, CHILDREN, IMAGES_FOLDER, PARENTS, SERVICES, Recipe, recipes, with_parents
from images.rootfs import make_base

WORK_FOLDER: Final = IMAGES_FOLDER.parent / ".flotilla"
BASE_IMAGE_VARIABLE: Final = "FLOTILLA_BASE_IMAGE"
ALWAYS: Final = ("machine", "registry", "haproxy")
"""What every stack of the local cloud runs, whatever its products."""
_AT_ONCE: Final = 2
_MEGABYTE: Final = 10**6


@dataclass(frozen=True, kw_only=True)
class Builder:
    """One run: `work` is the folder for what comes out, `base_image` the user's own base or None."""

    client: docker.APIClient
    progress: Progress
    work: Path = WORK_FOLDER
    base_image: str | None = None

    def run(self, services: Sequence[str] = SERVICES) -> None:
        """All that a stack with these service images needs: what is missing is built, pushed into a registry of just
        this set, and written down beside what other stacks need."""
        wanted = self._build_missing((*ALWAYS, *services))
        found = content.existing(engine.ours(self.client), content.wanted_content(wanted, services))
        self._write_images(wanted, services, found or content.fill(self.client, wanted, services, self.progress))
        self._write_host(wanted[BASE])

    def build(self, names: Sequence[str]) -> None:
        """These images and what they stand on; nothing is written down."""
        self._build_missing(names)

    def _build_missing(self, names: Sequence[str]) -> dict[str, Recipe]:
        self.work.mkdir(mode=0o700, exist_ok=True)
        wanted = recipes(self.base_image)
        have = {image.reference for image in engine.ours(self.client)}
        needed = [wanted[name] for name in with_parents(names)]
        self._build([recipe for recipe in needed if recipe.reference not in have])
        return wanted

    def _build(self, missing: Sequence[Recipe]) -> None:
        """What others stand on alone, in its order; then the others, two at a time."""
        parents = (BASE, *PARENTS.values())
        for recipe in missing:
            if recipe.name in parents:
                self._build_one(recipe)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = [pool.submit(self._build_one, recipe) for recipe in missing if recipe.name not in parents]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
                failed = [error for done in running if done.done() and (error := done.exception()) is not None]
            except BaseException:
                self.progress.cancel()
                raise
            if failed:
                self.progress.cancel()
                raise failed[0]

    def _build_one(self, recipe: Recipe) -> None:
        folder = IMAGES_FOLDER / recipe.name
        client = engine.connect()  # its own: a session of requests is not made for two threads
        with self.progress.step("building", recipe.name) as log:
            try:
                if recipe.name == BASE:
                    make_base(client, recipe, folder, self.work, self.base_image, log)
                else:
                    with context.build_context(folder, self.work, log) as files:
                        engine.build(client, recipe, files, {"BASE": recipe.parent}, log)
            except DockerException as error:
                raise log.failure(str(error)) from error
            finally:
                client.close()

    def _write_images(self, wanted: Mapping[str, Recipe], services: Sequence[str], registry: RegistryContent) -> None:
        """The set's entry of `images.json`: two stacks may be up, and another `make` may write at the same time."""
        digests = {name: {"digest": registry.digests[name], "tag": wanted[name].content} for name in services}
        single = {name: wanted[name].reference for name in ("machine", "haproxy")}
        entry = {**single, "registry": registry.reference, "services": digests}
        with (self.work / "images.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write("images.json", {"sets": {**self._sets(), ",".join(sorted(services)): entry}})

    def _sets(self) -> dict[str, Any]:
        """What earlier runs wrote; a file that cannot be read is written anew."""
        try:
            return json.loads((self.work / "images.json").read_bytes())["sets"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    def _write_host(self, base: Recipe) -> None:
        path = self.work / "host.json"
        if not path.exists() or json.loads(path.read_bytes()).get("engine") != host.identity(self.client):
            self._write("host.json", host.describe(self.client, base.reference))

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        """Whole or not at all, and untouched when nothing changed."""
        path = self.work / name
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        if path.exists() and path.read_text() == text:
            return
        # Of a name that no other writer has, in this process or in another.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{name}.", delete=False) as draft:
            draft.write(text)
        Path(draft.name).replace(path)
        self.progress.say(f"wrote {path.parent.name}/{name}")


def show(client: docker.APIClient, base_image: str | None, progress: Progress) -> None:
    """One line for each of our images: current, or made from files that have changed since."""
    wanted = recipes(base_image)
    current = {recipe.reference for recipe in wanted.values()}
    for image in sorted(engine.ours(client), key=lambda image: image.reference):
        is_current = image.reference in current or content.is_current(image, wanted)
        progress.say(f"{image.reference:45} {image.size // _MEGABYTE:5} MB  {'current' if is_current else 'old'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything is there; 1 with a message; 130 when the user stopped it."""
    options = _parser().parse_args(arguments)
    progress = Progress(verbose=options.verbose)
    signal.signal(signal.SIGTERM, _stop)
    try:
        client = engine.connect()
        if options.remove:
            for reference in engine.remove_ours(client):
                progress.say(f"removed {reference}")
        elif options.list:
            show(client, options.base, progress)
        else:
            builder = Builder(client=client, progress=progress, base_image=options.base)
            if options.only:
                builder.build(options.only)
            else:
                builder.run(options.services)
    except (BuildError, DockerException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except (KeyboardInterrupt, CancelledError):
        sys.stderr.write("error: stopped; nothing half-made is left, run it again to go on\n")
        return 130
    return 0


def _stop(_signal: int, _frame: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does, so that what is temporary is removed."""
    raise KeyboardInterrupt


def service_names(text: str) -> tuple[str, ...]:
    """Names of service images with commas between them, in the order of the recipes."""
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in SERVICES:
            raise argparse.ArgumentTypeError(f"no image of a service is called '{name}': use {', '.join(SERVICES)}")
    return tuple(name for name in SERVICES if name in names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images.build", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show our images and what is current")
    parser.add_argument("--remove", action="store_true", help="remove all our images")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the logs of the builds")
    parser.add_argument("--only", action="append", default=[], choices=CHILDREN, help="build just this image (repeat)")
    parser.add_argument(
        "--services",
        type=service_names,
        default=SERVICES,
        metavar="NAME,...",
        help=f"the service images that the stack runs, none when empty (default: {','.join(SERVICES)})",
    )
    parser.add_argument(
        "--base",
        default=os.environ.get(BASE_IMAGE_VARIABLE) or None,
        metavar="IMAGE",
        help=f"a Debian 12 image to stand on in place of an own root filesystem (also {BASE_IMAGE_VARIABLE})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
