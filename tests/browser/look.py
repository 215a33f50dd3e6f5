"""A page as a person sees it: Chromium in a container, its scripts run, what it then holds and a picture of it."""

import fcntl
import io
import re
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
from docker.errors import NotFound
from requests.exceptions import RequestException

from images import build, engine
from images.progress import Progress
from images.recipe import BASE, Recipe, build_context, content_hash, recipes
from tests.browser.picture import colours

_IMAGE_FOLDER: Final = Path(__file__).resolve().parent / "image"
_PICTURE: Final = "/out/page.png"
_MEMORY: Final = 1 << 30
_ONE_LOOK_SECONDS: Final = 60
_SHOWN_LETTERS: Final = 2000
_FLAGS: Final = (
    "--headless",
    # The container is the sandbox.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--user-data-dir=/tmp/profile",
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page after its scripts ran: `dom` is its HTML as it then is, `screenshot` a PNG of it."""

    dom: str
    screenshot: bytes

    @property
    def is_blank(self) -> bool:
        """Whether the picture is of one colour only."""
        return colours(self.screenshot, at_most=2) < 2

    @property
    def text(self) -> str:
        """What is between the tags, with single spaces; scripts and styles left out."""
        bare = re.sub(r"<(script|style)\b.*?</\1>", " ", self.dom, flags=re.DOTALL | re.IGNORECASE)
        return " ".join(re.sub(r"<[^>]*>", " ", bare).split())


class NotSeenError(AssertionError):
    """The page did not show what was waited for."""


def look(
    url: str, *, wait_for: str = "", size: tuple[int, int] = (1280, 900), seconds: float = 90, budget: float = 5
) -> Page:
    """The page at `url`, as soon as its text holds `wait_for`; NotSeenError when it does not within `seconds`.

    A page of this computer is reached by 127.0.0.1; user and password may be in the URL. Its scripts get `budget`
    seconds by their own clock, which runs faster than ours while nothing is loaded. `size` is in pixels.
    """
    client = engine.connect()
    image = built(client)
    deadline = time.monotonic() + seconds
    while True:
        seen = _look(client, image, (*_FLAGS, *_wanted(size, budget), url))
        if isinstance(seen, Page) and wait_for in seen.text:
            return seen
        if time.monotonic() > deadline:
            instead = seen.text[:_SHOWN_LETTERS] if isinstance(seen, Page) else seen
            raise NotSeenError(f"no {wait_for!r} within {seconds} s on {_shown(url)}: {instead}")


def built(client: docker.APIClient) -> str:
    """The image's reference; built first where it is missing, by one process at a time."""
    parent = recipes()[BASE].reference
    recipe = Recipe(name="browser", content=content_hash(_IMAGE_FOLDER, parent), parent=parent)
    build.WORK_FOLDER.mkdir(mode=0o700, exist_ok=True)
    with (build.WORK_FOLDER / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if recipe.reference not in {image.reference for image in engine.ours(client)}:
            build.Builder(client=client, progress=Progress()).build([])
            with Progress().step("building", recipe.name) as log:
                context = io.BytesIO(build_context(_IMAGE_FOLDER))
                engine.build(client, recipe, context, {"BASE": recipe.parent}, log)
    return recipe.reference


def _wanted(size: tuple[int, int], budget: float) -> tuple[str, ...]:
    return (
        f"--window-size={size[0]},{size[1]}",
        f"--virtual-time-budget={round(budget * 1000)}",
        f"--screenshot={_PICTURE}",
        "--dump-dom",
    )


def _look(client: docker.APIClient, image: str, words: tuple[str, ...]) -> Page | str:
    """One run of the browser, with a profile that nobody had before; what it said last where it saw no page."""
    container: str = client.create_container(
        image,
        ["chromium-headless-shell", *words],
        labels={"flotilla.test": "browser"},
        host_config=client.create_host_config(network_mode="host", cap_drop=["ALL"], mem_limit=_MEMORY, init=True),
    )["Id"]
    try:
        client.start(container)
        client.wait(container, timeout=_ONE_LOOK_SECONDS)
        return Page(
            dom=client.logs(container, stdout=True, stderr=False).decode(errors="replace"),
            screenshot=_file(client, container, _PICTURE),
        )
    except NotFound:
        # It leaves no picture of a page that it could not load.
        said: bytes = client.logs(container, tail=1)
        return said.decode(errors="replace").strip()
    except RequestException as error:
        return f"the browser was not done within {_ONE_LOOK_SECONDS} s: {error}"
    finally:
        client.remove_container(container, force=True, v=True)


def _file(client: docker.APIClient, container: str, path: str) -> bytes:
    chunks, _ = client.get_archive(container, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        assert member is not None
        return member.read()


def _shown(url: str) -> str:
    """A URL without the password in it."""
    return re.sub(r"//[^/@]*@", "//", url)
