"""The committed registry as a stack runs it: one container with certificate and key put in."""

import hashlib
import json
import ssl
import urllib.error
import urllib.request

import pytest

from tests.unit.images.certificate import self_signed
from tests.unit.images.conftest import WEB_SERVICES
from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def authority() -> tuple[str, str]:
    return self_signed()


@pytest.fixture
def registry(yard: Yard, authority: tuple[str, str]) -> Started:
    certificate, key = authority
    files = {"/etc/flotilla/registry.crt": (certificate, 0o644), "/etc/flotilla/registry.key": (key, 0o600)}
    started = yard.start(yard.images["registry.json"], files=files, ports=(5000,))
    wait_for("the registry answers", lambda: started.run("registry-health")[0] == 0)
    return started


def _get(registry: Started, certificate: str, path: str, method: str = "GET") -> tuple[int, bytes]:
    context = ssl.create_default_context(cadata=certificate)
    request = urllib.request.Request(
        f"https://127.0.0.1:{registry.port(5000)}{path}", method=method, headers={"Accept": _MANIFEST}
    )
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_registry_serves_every_service_image_by_its_digest_over_verified_tls(
    registry: Started, authority: tuple[str, str], yard: Yard
) -> None:
    status, catalog = _get(registry, authority[0], "/v2/_catalog")
    assert status == 200
    assert sorted(json.loads(catalog)["repositories"]) == sorted(WEB_SERVICES)
    for name, image in yard.images["services.json"].items():
        status, manifest = _get(registry, authority[0], f"/v2/{name}/manifests/{image['digest']}")
        assert status == 200
        assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == image["digest"]


def test_nothing_can_be_pushed_into_or_deleted_from_the_registry_of_a_stack(
    registry: Started, authority: tuple[str, str], yard: Yard
) -> None:
    digest = yard.images["services.json"]["nginx"]["digest"]
    assert _get(registry, authority[0], "/v2/nginx/blobs/uploads/", "POST")[0] == 405
    assert _get(registry, authority[0], f"/v2/nginx/manifests/{digest}", "DELETE")[0] == 405


def test_a_certificate_that_is_not_the_registrys_is_refused(registry: Started) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        _get(registry, self_signed()[0], "/v2/")


def test_a_registry_without_a_certificate_says_what_is_missing(yard: Yard) -> None:
    started = yard.start(yard.images["registry.json"])
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says("/etc/flotilla/registry.crt is missing")
