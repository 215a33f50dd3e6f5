"""What is pushed for a stack is the set of images that its products run."""

import json
from pathlib import Path

import pytest

from images.progress import BuildError
from images.push import built_digests


@pytest.fixture
def work(tmp_path: Path) -> Path:
    sets = {"haproxy,spark": {"services": {"haproxy": {"digest": "sha256:1"}, "spark": {"digest": "sha256:2"}}}}
    (tmp_path / "images.json").write_text(json.dumps({"sets": sets}))
    return tmp_path


def test_the_digests_of_a_set_are_found_in_any_order_of_its_names(work: Path) -> None:
    assert built_digests(["spark", "haproxy"], work) == {"haproxy": "sha256:1", "spark": "sha256:2"}


def test_a_set_that_was_not_built_is_refused_with_the_command(work: Path) -> None:
    with pytest.raises(BuildError, match=r"has no set nginx: it was not built yet; run `make images STACK=`"):
        built_digests(["nginx"], work)
    (work / "images.json").unlink()
    with pytest.raises(BuildError, match=r"images.json is missing: no images were built yet; run `make images`"):
        built_digests(["nginx"], work)
