"""Images on the daemon: found there, pulled, or built from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import docker.errors

from hermetic.providers.check import Values
from hermetic.providers.docker.connection import Connection
from hermetic.providers.docker.wire import follow
from hermetic.providers.driver import Driver, Operation, ProviderError

_ID_LENGTH = len("sha256:") + 64


class RemoteImageDriver(Driver):
    """`docker.RemoteImage`; its id is the image's id followed by its name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        name = planned["name"]
        with self._connection.client() as client:
            if planned["build"]:
                _build(operation, client, name, planned["build"])
            else:
                auth = self._connection.registry_auth(name)
                ensure_image(operation, client, name, planned["platform"], auth)
        state = self.read(operation, "", planned)
        if state is None:
            raise ProviderError(f"image {name} was got, but the daemon does not have it")
        return f"{state['imageId']}{name}", state

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation
        name = state.get("name") or identity[_ID_LENGTH:]
        with self._connection.client() as client:
            found = find_image(client, name)
        if found is None:
            return None
        repository = name.partition("@")[0].rpartition(":")[0] or name
        digests = [digest for digest in found.get("RepoDigests") or [] if digest.startswith(f"{repository}@")]
        return state | {"name": name, "imageId": found["Id"], "repoDigest": digests[0] if digests else ""}

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        del operation, identity
        if state.get("keepLocally"):
            return
        with self._connection.client() as client:
            try:
                client.remove_image(state["name"], force=bool(state.get("forceRemove")))
            except docker.errors.NotFound:
                return


def ensure_image(
    operation: Operation, client: docker.APIClient, name: str, platform: str | None, registry_auth: str
) -> None:
    """Pull an image that the daemon does not have; one named by its id can only be there."""
    if find_image(client, name) is not None or name.startswith("sha256:"):
        return
    operation.progress(f"pulling {name}")
    parameters = {"fromImage": name, **({"platform": platform} if platform else {})}
    if "@" not in name and ":" not in name.rpartition("/")[2]:
        parameters["tag"] = "latest"
    steps = follow(client, "/images/create", parameters, {"X-Registry-Auth": registry_auth}, operation.left)
    _raise_failure(operation, steps, f"pulling {name}")


def find_image(client: docker.APIClient, name: str) -> dict[str, Any] | None:
    """The daemon's image of that name or id, None when it has none."""
    try:
        return client.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None


def _build(operation: Operation, client: docker.APIClient, name: str, build: Values) -> None:
    context = Path(build["context"])
    if not context.is_dir():
        raise ProviderError(f"build.context of image {name} is {str(context)!r}: no such folder")
    operation.progress(f"building {name}")
    steps = client.build(
        path=str(context),
        dockerfile=build.get("dockerfile") or "Dockerfile",
        tag=name,
        rm=bool(build.get("remove", True)),
        forcerm=bool(build.get("forceRemove")),
        nocache=bool(build.get("noCache")),
        pull=bool(build.get("pullParent")),
        buildargs=build.get("buildArgs") or None,
        labels=build.get("labels") or None,
        target=build.get("target") or None,
        platform=build.get("platform") or None,
        network_mode=build.get("networkMode") or None,
        cache_from=build.get("cacheFroms") or None,
        timeout=int(operation.left),  # a step may be silent for long
        decode=True,
    )
    _raise_failure(operation, steps, f"building {name}")
    for tag in build.get("tags") or []:
        repository, _, version = tag.rpartition(":")
        client.tag(name, repository or tag, version if repository else None)


def _raise_failure(operation: Operation, steps: Any, what: str) -> None:
    """The daemon answers 200 and tells of a failure in the stream."""
    said: list[str] = []
    for step in steps:
        if operation.cancelled.is_set():
            raise ProviderError(f"cancelled while {what}")
        if "error" in step:
            tail = "".join(said[-10:])
            raise ProviderError(f"{what} failed: {step['error']}" + (f"\n{tail}" if tail else ""))
        if text := step.get("stream"):
            said.append(text)
        if status := step.get("status"):
            operation.progress(f"{what}: {status}")
