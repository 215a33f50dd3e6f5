"""Builds the project's images from packages, fills the registry of the local cloud with them, and writes down what came
out (`.flotilla/images.json`, `.flotilla/host.json`). Nothing that exists is built again."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import docker
from docker.errors import DockerException

from images import content, engine, host
from images.content import RegistryContent
from images.progress import BuildError, CancelledError, Progress
from images.recipe import BASE, CHILDREN, IMAGES_FOLDER, SERVICES, Recipe, recipes
from images.rootfs import make_base

WORK_FOLDER: Final = IMAGES_FOLDER.parent / ".flotilla"
BASE_IMAGE_VARIABLE: Final = "FLOTILLA_BASE_IMAGE"
_AT_ONCE: Final = 2
_MEGABYTE: Final = 10**6


@dataclass(frozen=True, kw_only=True)
class Builder:
    """One run: `work` is the folder for what comes out, `base_image` the user's own base or None."""

    client: docker.APIClient
    progress: Progress
    work: Path = WORK_FOLDER
    base_image: str | None = None

    def run(self, only: Sequence[str] = ()) -> None:
        """Build what is missing. With `only` these images and the base alone, and nothing is written down."""
        self.work.mkdir(mode=0o700, exist_ok=True)
        wanted = recipes(self.base_image)
        present = engine.ours(self.client)
        have = {image.reference for image in present}
        missing = [recipe for recipe in wanted.values() if recipe.reference not in have]
        self._build([recipe for recipe in missing if not only or recipe.name in (BASE, *only)])
        if only:
            return
        found = content.existing(present, content.wanted_content(wanted))
        self._write_images(wanted, found or content.fill(self.client, wanted, self.progress))
        self._write_host(wanted[BASE])

    def _build(self, missing: Sequence[Recipe]) -> None:
        """The base alone, since all others stand on it; then the others, two at a time."""
        for recipe in missing:
            if recipe.name == BASE:
                self._build_one(recipe)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = [pool.submit(self._build_one, recipe) for recipe in missing if recipe.name != BASE]
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
                    engine.build(client, recipe, folder, {"BASE": recipe.parent}, log)
            except DockerException as error:
                raise log.failure(str(error)) from error
            finally:
                client.close()

    def _write_images(self, wanted: Mapping[str, Recipe], registry: RegistryContent) -> None:
        services = {name: {"digest": registry.digests[name], "tag": wanted[name].content} for name in SERVICES}
        single = {name: wanted[name].reference for name in ("machine", "haproxy")}
        self._write("images.json", {**single, "registry": registry.reference, "services": services})

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
        draft = path.with_name(f"{name}.{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
        self.progress.say(f"wrote {path.parent.name}/{name}")


def show(client: docker.APIClient, base_image: str | None, progress: Progress) -> None:
    """One line for each of our images: current, or made from files that have changed since."""
    current = {recipe.reference for recipe in recipes(base_image).values()}
    content_hash = content.wanted_content(recipes(base_image))
    for image in sorted(engine.ours(client), key=lambda image: image.reference):
        is_current = image.reference in current or (image.name == content.NAME and image.content == content_hash)
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
            Builder(client=client, progress=progress, base_image=options.base).run(options.only)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images.build", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show our images and what is current")
    parser.add_argument("--remove", action="store_true", help="remove all our images")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the logs of the builds")
    parser.add_argument("--only", action="append", default=[], choices=CHILDREN, help="build just this image (repeat)")
    parser.add_argument(
        "--base",
        default=os.environ.get(BASE_IMAGE_VARIABLE) or None,
        metavar="IMAGE",
        help=f"a Debian 12 image to stand on in place of an own root filesystem (also {BASE_IMAGE_VARIABLE})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
