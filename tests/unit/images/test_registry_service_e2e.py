"""The image of the users' own registry: who gets in, what is written where, what a removed tag gives back."""

import json
import re
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import pytest

from tests.unit.images.certificate import self_signed
from tests.unit.images.containers import Started, Yard, built_image
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

PASSWORD = "Zq8vT2rWm5"
UPLOAD_SECRET = "Kd93hfPq02"
BLOB = b"x" * 3_000_000
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

Start = Callable[..., Started]


@pytest.fixture(scope="session")
def image() -> str:
    return built_image("registry-service")


@pytest.fixture
def certificate() -> tuple[str, str]:
    return self_signed("localhost")


@pytest.fixture
def volume(yard: Yard) -> Iterator[str]:
    made: str = yard.client.create_volume(labels={"flotilla.test": yard.prefix})["Name"]
    yield made
    for container in yard.client.containers(all=True, filters={"volume": made}):
        yard.client.remove_container(container["Id"], force=True)
    yard.client.remove_volume(made)


@pytest.fixture
def start(yard: Yard, image: str, certificate: tuple[str, str], volume: str) -> Start:
    """As the service runs it, without capabilities. Files are open to all: the swarm gives them to the registry's user,
    which an archive cannot."""

    def start(without: str = "", authority: str = certificate[0], **changes: Any) -> Started:
        files: dict[str, tuple[str, int]] = {
            "/run/secrets/registry-password": (PASSWORD, 0o644),
            "/run/secrets/registry-http": (UPLOAD_SECRET, 0o644),
            "/run/secrets/registry-key": (certificate[1], 0o644),
            "/etc/flotilla/registry.crt": (certificate[0], 0o644),
            "/etc/flotilla/authority.crt": (authority, 0o644),
        }
        files.pop(without, None)
        host: dict[str, Any] = {
            "CapDrop": ["ALL"],
            "Binds": [f"{volume}:/var/lib/registry"],
            "Tmpfs": {"/run/registry": "mode=1777,size=1m"},
            **changes.pop("host", {}),
        }
        return yard.start(image, files=files, host=host, ports=(5000,), **changes)

    return start


@pytest.fixture
def registry(start: Start) -> Started:
    started = start()
    wait_for("the registry is content", lambda: started.run("registry-service-health")[0] == 0)
    return started


def ask(
    started: Started,
    authority: str,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    password: str | None = PASSWORD,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes, Mapping[str, str]]:
    login = (
        {} if password is None else {"Authorization": f"Basic {b64encode(f'flotilla:{password}'.encode()).decode()}"}
    )
    url = path if path.startswith("https") else f"https://127.0.0.1:{started.port(5000)}{path}"
    request = urllib.request.Request(url, data=body, method=method, headers={**login, **(headers or {})})
    try:
        with urllib.request.urlopen(
            request, context=ssl.create_default_context(cadata=authority), timeout=30
        ) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def push(started: Started, authority: str) -> str:
    """An image of one layer by the registry's own protocol; the digest of its manifest."""
    layers: list[dict[str, Any]] = []
    for content in (b"{}", BLOB):
        _, _, headers = ask(started, authority, "/v2/app/blobs/uploads/", method="POST", body=b"")
        digest = f"sha256:{sha256(content).hexdigest()}"
        where = f"{headers['Location']}&digest={digest}"
        as_it_is = {"Content-Type": "application/octet-stream"}
        assert ask(started, authority, where, method="PUT", body=content, headers=as_it_is)[0] == 201
        layers.append({"mediaType": "application/octet-stream", "size": len(content), "digest": digest})
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": layers[0], "layers": layers[1:]}
    ).encode()
    status, _, headers = ask(
        started, authority, "/v2/app/manifests/1", method="PUT", body=manifest, headers={"Content-Type": MANIFEST}
    )
    assert status == 201
    return headers["Docker-Content-Digest"]


def test_only_the_password_opens_the_catalogue_and_a_check_needs_none(
    registry: Started, certificate: tuple[str, str]
) -> None:
    assert ask(registry, certificate[0], "/v2/_catalog", password=None)[0] == 401
    assert ask(registry, certificate[0], "/v2/_catalog", password="other")[0] == 401
    status, catalogue, _ = ask(registry, certificate[0], "/v2/_catalog")
    assert (status, json.loads(catalogue)) == (200, {"repositories": []})
    assert ask(registry, certificate[0], "/", password=None)[:2] == (200, b"")


def test_it_runs_as_a_user_of_its_own_and_what_is_secret_stays_in_memory(
    registry: Started, certificate: tuple[str, str]
) -> None:
    assert registry.run("id", "-un")[1].strip() == "registry"
    kept = registry.run("stat", "-c", "%a %U", "/run/registry/htpasswd", "/run/registry/config.yml")[1]
    assert kept.splitlines() == ["600 registry", "600 registry"]
    hashed = registry.run("cat", "/run/registry/htpasswd")[1]
    assert re.fullmatch(r"flotilla:\$2y\$05\$.{53}\s*", hashed), "bcrypt"
    processes = registry.processes()
    assert "docker-registry serve /run/registry/config.yml" in processes
    assert "PATH=" in processes
    written = {change["Path"] for change in registry.client.diff(registry.identity)}
    assert ask(registry, certificate[0], "/v2/", password="other")[0] == 401
    registry.says("basic authentication challenge")
    for secret in (PASSWORD, UPLOAD_SECRET):
        assert secret not in processes + registry.logs()
    # What the test put in, and the places of mounts.
    assert [path for path in written if not path.startswith(("/run", "/etc/flotilla"))] == ["/etc"]


def test_the_check_of_health_fails_where_the_certificate_is_another_authoritys(start: Start) -> None:
    started = start(authority=self_signed("localhost")[0])
    wait_for("it answers, and is not believed", lambda: "certificate" in started.run("registry-service-health")[1])
    assert started.run("registry-service-health")[0] == 60, "curl's word for a certificate that is not trusted"


def test_a_tag_that_is_removed_gives_its_space_back_when_the_registry_does_not_run(
    registry: Started, start: Start, certificate: tuple[str, str], yard: Yard
) -> None:
    digest = push(registry, certificate[0])
    assert json.loads(ask(registry, certificate[0], "/v2/_catalog")[1]) == {"repositories": ["app"]}
    assert ask(registry, certificate[0], f"/v2/app/manifests/{digest}", method="DELETE")[0] == 202
    code, said = registry.run("registry-service-collect")
    assert code == 75, said
    registry.stop()

    collecting = start(command=["registry-service-collect"])
    assert yard.client.wait(collecting.identity)["StatusCode"] == 0, collecting.logs()
    again = start()
    wait_for("it is content again", lambda: again.run("registry-service-health")[0] == 0)
    left = int(again.run("du", "-s", "--block-size=1", "/var/lib/registry")[1].split()[0])
    assert left < len(BLOB)


def test_what_was_pushed_is_there_after_a_stop_and_the_stop_is_in_time(
    registry: Started, start: Start, certificate: tuple[str, str], yard: Yard
) -> None:
    digest = push(registry, certificate[0])
    assert registry.stop() == 0
    again = start()
    wait_for("it is content again", lambda: again.run("registry-service-health")[0] == 0)
    layer = f"/v2/app/blobs/sha256:{sha256(BLOB).hexdigest()}"
    assert ask(again, certificate[0], f"/v2/app/manifests/{digest}", headers={"Accept": MANIFEST})[0] == 200
    assert ask(again, certificate[0], layer)[1] == BLOB


@pytest.mark.parametrize(
    "missing",
    [
        "/run/secrets/registry-password",
        "/run/secrets/registry-http",
        "/run/secrets/registry-key",
        "/etc/flotilla/registry.crt",
        "/etc/flotilla/authority.crt",
    ],
)
def test_a_registry_without_one_of_its_files_says_which(start: Start, yard: Yard, missing: str) -> None:
    started = start(without=missing)
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says(f"{missing} is missing")


def test_what_is_secret_is_not_written_where_there_is_a_disk(start: Start, yard: Yard) -> None:
    started = start(host={"Tmpfs": {}})
    assert yard.client.wait(started.identity)["StatusCode"] == 78
    started.says("/run/registry is no memory")
