"""What the builder asks of the Docker Engine: build, import, push, commit, list, remove. Through the API, because the
command line client is not the same one everywhere."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import kwargs_from_env

from images.progress import BuildError, Log
from images.recipe import BASE, CONTENT_LABEL, NAME_LABEL, PARENTS, Recipe

_TIMEOUT_SECONDS: Final = 600
_PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """One of our images as the engine has it; `size` in bytes."""

    reference: str
    size: int
    labels: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of its recipe."""
        return self.labels[NAME_LABEL]

    @property
    def content(self) -> str:
        """The hash of what it was made from."""
        return self.labels.get(CONTENT_LABEL, "")


def connect() -> docker.APIClient:
    """A client for DOCKER_HOST, or the local socket; BuildError in one line when nobody answers."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        return docker.APIClient(version="auto", timeout=_TIMEOUT_SECONDS, **kwargs_from_env())
    except DockerException as error:
        raise BuildError(
            f"no Docker Engine answers on {address} ({_reason(error)}); start it with bin/docker-up"
        ) from None


def ours(client: docker.APIClient) -> list[BuiltImage]:
    """Every tag of every image that this program made."""
    found = client.images(filters={"label": NAME_LABEL})
    return [
        BuiltImage(reference=tag, size=image["Size"], labels=image["Labels"])
        for image in found
        for tag in sorted(image["RepoTags"] or [])
        if tag.startswith("flotilla/")
    ]


def build(client: docker.APIClient, recipe: Recipe, context: IO[bytes], arguments: Mapping[str, str], log: Log) -> None:
    """Build a Dockerfile; `context` is a tar archive. The host's network, because a build in a bridge reaches no mirror
    where names are only resolved for the host; the host's proxy, because it is the way out where there is one."""
    proxies = {name: os.environ[name] for name in _PROXY_VARIABLES if name in os.environ}
    events = client.build(
        fileobj=context,
        custom_context=True,
        tag=recipe.reference,
        labels=recipe.labels,
        buildargs={**proxies, **arguments},
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
    )
    _follow(events, log)


def import_archive(client: docker.APIClient, recipe: Recipe, archive: Path, changes: list[str], log: Log) -> None:
    """An image out of a tar archive of a root filesystem."""
    labels = [f"LABEL {name}={value}" for name, value in recipe.labels.items()]
    answer: str = client.import_image(
        src=str(archive), repository=recipe.repository, tag=recipe.content, changes=[*changes, *labels]
    )
    _follow((json.loads(line) for line in answer.splitlines()), log)


def pull(client: docker.APIClient, reference: str, log: Log) -> None:
    """Fetch an image from a registry, unless it is here: a site may have loaded it by hand."""
    try:
        client.inspect_image(reference)
    except ImageNotFound:
        _follow(client.pull(reference, stream=True, decode=True), log)


def push(client: docker.APIClient, source: str, repository: str, tag: str, log: Log) -> str:
    """Push an image under another name; the digest that the registry answered."""
    target = f"{repository}:{tag}"
    client.tag(source, repository, tag)
    try:
        digest = _follow(client.push(repository, tag=tag, stream=True, decode=True), log)
    finally:
        client.remove_image(target)
    if digest is None:
        raise log.failure(f"the registry gave no digest for {target}")
    return digest


def remove_ours(client: docker.APIClient) -> list[str]:
    """Remove all our images, children before parents; the references. BuildError when a container still uses one."""
    images = sorted(ours(client), key=lambda image: -_parents(image.name))
    for image in images:
        try:
            client.remove_image(image.reference)
        except APIError as error:
            raise BuildError(
                f"image {image.reference} cannot be removed: {_reason(error)}; run `make down` first"
            ) from None
    return [image.reference for image in images]


def _parents(name: str) -> int:
    """How many images this one stands on."""
    return 0 if name == BASE else 1 + _parents(PARENTS.get(name, BASE))


def _follow(events: Iterator[dict[str, Any]], log: Log) -> str | None:
    """Write the engine's messages to the log until they end; the digest, if they held one. BuildError on failure."""
    digest: str | None = None
    for event in events:
        if "error" in event:
            raise log.failure(str(event["error"]).strip())
        # Progress bars come with an id and a detail for every few kilobytes: nothing for a log.
        if "progressDetail" not in event:
            log.write(str(event.get("stream") or event.get("status") or ""))
        else:
            log.write("")
        digest = event.get("aux", {}).get("Digest", digest)
    return digest


def _reason(error: Exception) -> str:
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error).strip()
