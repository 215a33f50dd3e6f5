"""Images pushed to another registry are there under the digests that the program names."""

import hashlib

import pytest

from images import engine
from images.progress import BuildError, Progress
from images.push import built_digests, push
from tests.unit.images.conftest import WEB_SERVICES
from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def registry(yard: Yard) -> Started:
    """An empty registry without TLS, which Docker takes on 127.0.0.1."""
    started = yard.start(yard.images["registry"], command=["registry-start", "fill"], ports=(5000,))
    wait_for("the registry answers", lambda: started.run("curl", "-sf", "http://127.0.0.1:5000/v2/")[0] == 0)
    return started


def test_who_pulls_by_digest_gets_what_was_built(registry: Started) -> None:
    push(engine.connect(), f"127.0.0.1:{registry.port(5000)}", built_digests(WEB_SERVICES), Progress())
    accept = "Accept: application/vnd.docker.distribution.manifest.v2+json"
    for name in WEB_SERVICES:
        url = f"http://127.0.0.1:5000/v2/{name}/manifests/{built_digests(WEB_SERVICES)[name]}"
        code, manifest = registry.run("curl", "-sf", "-H", accept, url)
        assert code == 0, name
        assert f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}" == built_digests(WEB_SERVICES)[name]


def test_a_registry_that_has_another_digest_is_refused(registry: Started) -> None:
    other: dict[str, str] = dict.fromkeys(WEB_SERVICES, "sha256:" + "0" * 64)
    with pytest.raises(BuildError, match=r"but it was built as sha256:0000.*run `make images`, then push again"):
        push(engine.connect(), f"127.0.0.1:{registry.port(5000)}", other, Progress())
