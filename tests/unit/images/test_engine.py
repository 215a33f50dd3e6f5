"""How the builder speaks with the engine, and what it makes of the engine's refusals."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import docker
import pytest
from docker.errors import APIError, ImageNotFound

from images import engine
from images.progress import BuildError, Log
from images.recipe import NAME_LABEL


class FakeClient:
    """The calls of docker.APIClient that the builder makes; images are tags with the name of their recipe."""

    def __init__(self, images: dict[str, str] | None = None) -> None:
        self._images = images or {}
        self.removed: list[str] = []
        self.pulled: list[str] = []
        self.in_use: set[str] = set()
        self.answers: list[dict[str, Any]] = []

    def images(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        assert filters == {"label": NAME_LABEL}
        return [{"RepoTags": [tag], "Size": 1, "Labels": {NAME_LABEL: name}} for tag, name in self._images.items()]

    def remove_image(self, reference: str) -> None:
        if reference in self.in_use:
            raise APIError("409", explanation=f"container abc is using {reference}")
        self.removed.append(reference)

    def inspect_image(self, reference: str) -> dict[str, Any]:
        if reference not in self._images:
            raise ImageNotFound("no such image")
        return {}

    def pull(self, reference: str, **_: object) -> Iterator[dict[str, Any]]:
        self.pulled.append(reference)
        return iter(self.answers)

    def tag(self, _source: str, _repository: str, _tag: str) -> None:
        """As the engine: nothing to say."""

    def push(self, _repository: str, **_: object) -> Iterator[dict[str, Any]]:
        return iter(self.answers)


def _as_client(fake: FakeClient) -> docker.APIClient:
    return cast("docker.APIClient", fake)


def _log() -> Log:
    return Log("nginx", threading.Event(), None)


def test_images_go_away_children_first_and_no_image_of_others() -> None:
    names = ("base", "hadoop", "jre", "nginx", "spark")
    fake = FakeClient({"mine/nginx:1": "nginx", **{f"flotilla/{name}:1": name for name in names}})
    expected = [f"flotilla/{name}:1" for name in ("hadoop", "spark", "jre", "nginx", "base")]
    assert engine.remove_ours(_as_client(fake)) == expected
    assert fake.removed == expected


def test_an_image_that_a_container_uses_is_named_with_the_fix() -> None:
    fake = FakeClient({"flotilla/machine:1": "machine"})
    fake.in_use = {"flotilla/machine:1"}
    with pytest.raises(BuildError) as caught:
        engine.remove_ours(_as_client(fake))
    assert str(caught.value) == (
        "image flotilla/machine:1 cannot be removed: container abc is using flotilla/machine:1; run `make down` first"
    )


def test_a_base_image_that_is_here_is_not_fetched() -> None:
    fake = FakeClient({"debian:bookworm-slim": "other"})
    engine.pull(_as_client(fake), "debian:bookworm-slim", _log())
    engine.pull(_as_client(fake), "debian:bookworm", _log())
    assert fake.pulled == ["debian:bookworm"]


def test_the_digest_of_a_push_is_the_one_that_the_registry_answered() -> None:
    fake = FakeClient()
    fake.answers = [
        {"status": "Pushing", "progressDetail": {"current": 1}, "id": "a"},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": "sha256:abc", "Size": 5}},
    ]
    assert engine.push(_as_client(fake), "flotilla/nginx:1", "127.0.0.1:1/nginx", "1", _log()) == "sha256:abc"
    assert fake.removed == ["127.0.0.1:1/nginx:1"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"error": "connection refused\n"}], "image nginx could not be built: connection refused"),
        ([], "image nginx could not be built: the registry gave no digest for 127.0.0.1:1/nginx:1"),
    ],
)
def test_a_push_that_fails_says_why_and_leaves_no_tag(answers: list[dict[str, Any]], message: str) -> None:
    fake = FakeClient()
    fake.answers = answers
    with pytest.raises(BuildError) as caught:
        engine.push(_as_client(fake), "flotilla/nginx:1", "127.0.0.1:1/nginx", "1", _log())
    assert str(caught.value) == message
    assert fake.removed == ["127.0.0.1:1/nginx:1"]
