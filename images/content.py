"""The registry of a stack as one image: the service images are pushed into a registry container, and that container is
committed with all their blobs. A stack's registry is one container, and digests are known before the program runs."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import docker

from images import engine
from images.engine import BuiltImage
from images.progress import Log, Progress
from images.recipe import CONTENT_LABEL, NAME_LABEL, Recipe, combined_hash

NAME: Final = "registry-content"
DIGESTS_LABEL: Final = "flotilla.digests"
_PORT: Final = "5000/tcp"
# Engines push the one kind or the other, alone or in a list of platforms.
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_READY_SECONDS: Final = 30
_STOP_SECONDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class RegistryContent:
    """The committed image and the digests of what is inside, by image name."""

    reference: str
    digests: Mapping[str, str]


def wanted_content(recipes: Mapping[str, Recipe], services: Sequence[str]) -> str:
    """The hash of what the content is made from: the registry's image and the pushed ones."""
    return combined_hash({name: recipes[name].reference for name in ("registry", *services)})


def is_current(image: BuiltImage, recipes: Mapping[str, Recipe]) -> bool:
    """Whether a committed registry, of whatever set, is what a build would make today."""
    if image.name != NAME:
        return False
    services: dict[str, str] = json.loads(image.labels[DIGESTS_LABEL])
    return all(name in recipes for name in services) and image.content == wanted_content(recipes, tuple(services))


def existing(images: list[BuiltImage], content: str) -> RegistryContent | None:
    """The content that an earlier run committed from the same images."""
    for image in images:
        if image.name == NAME and image.content == content:
            return RegistryContent(reference=image.reference, digests=json.loads(image.labels[DIGESTS_LABEL]))
    return None


def fill(
    client: docker.APIClient, recipes: Mapping[str, Recipe], services: Sequence[str], progress: Progress
) -> RegistryContent:
    """Push the service images to a temporary registry and commit it."""
    with progress.step("filling", "registry") as log, _temporary_registry(client, recipes["registry"], log) as registry:
        address = _address(client, registry)
        digests: dict[str, str] = {}
        for name in services:
            recipe = recipes[name]
            digests[name] = engine.push(client, recipe.reference, f"{address}/{name}", recipe.content, log)
            _check(client, registry, name, digests[name], log)
        # Stopped first, so that nothing is half written.
        client.stop(registry, timeout=_STOP_SECONDS)
        return _commit(client, registry, recipes, digests)


@contextlib.contextmanager
def _temporary_registry(client: docker.APIClient, recipe: Recipe, log: Log) -> Generator[str]:
    name = f"flotilla-registry-fill-{os.getpid()}"
    # Dockers take a registry on 127.0.0.1 without TLS.
    configuration = client.create_host_config(port_bindings={_PORT: ("127.0.0.1", None)})
    container: str = client.create_container(
        recipe.reference, ["registry-start", "fill"], name=name, ports=[_PORT], host_config=configuration
    )["Id"]
    try:
        client.start(container)
        _wait_until_ready(client, container, log)
        yield container
    finally:
        client.remove_container(container, force=True, v=True)


def _wait_until_ready(client: docker.APIClient, container: str, log: Log) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while _curl(client, container, "/v2/")[0] != 0:
        if time.monotonic() > deadline:
            log.write(client.logs(container, tail=20).decode())
            raise log.failure(f"the temporary registry did not answer within {_READY_SECONDS} s")
        time.sleep(0.1)


def _address(client: docker.APIClient, container: str) -> str:
    binding: dict[str, Any] = client.port(container, 5000)[0]
    return f"127.0.0.1:{binding['HostPort']}"


def _check(client: docker.APIClient, container: str, name: str, digest: str, log: Log) -> None:
    """The manifest that a node would pull must be the one that was pushed."""
    code, body = _curl(client, container, f"/v2/{name}/manifests/{digest}")
    received = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if code != 0 or received != digest:
        raise log.failure(f"the registry answers {received} for {name}@{digest}")


def _curl(client: docker.APIClient, container: str, path: str) -> tuple[int, bytes]:
    """Exit code and body of a request from inside the container: its port may be on another computer's 127.0.0.1."""
    words = ["curl", "-sf", "-H", f"Accept: {_MANIFESTS}", f"http://127.0.0.1:5000{path}"]
    command: str = client.exec_create(container, words, stderr=False)["Id"]
    body: bytes = client.exec_start(command)
    return client.exec_inspect(command)["ExitCode"], body


def _commit(
    client: docker.APIClient, container: str, recipes: Mapping[str, Recipe], digests: Mapping[str, str]
) -> RegistryContent:
    content = wanted_content(recipes, tuple(digests))
    tag = combined_hash({**digests, "registry": recipes["registry"].reference})
    labels = {NAME_LABEL: NAME, CONTENT_LABEL: content, DIGESTS_LABEL: json.dumps(digests, separators=(",", ":"))}
    changes = [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
    client.commit(
        container,
        repository=f"flotilla/{NAME}",
        tag=tag,
        pause=False,
        changes=[*changes, 'CMD ["registry-start","serve-read-only"]'],
    )
    return RegistryContent(reference=f"flotilla/{NAME}:{tag}", digests=dict(digests))
