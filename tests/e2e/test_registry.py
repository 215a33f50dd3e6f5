"""The users' own registry on real Docker: empty and locked at first, pushed to from this computer, pulled from on every
node, the same after a restart and after a move to another node, down without a trace."""

import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.platform import STACK, Platform, leftovers, settings_of, standing
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(900)]

PORT = 15000
ADDRESS = f"127.0.0.1:{PORT}"
IMAGE = f"{ADDRESS}/team/app:1.0"
NAME = "registry.test"
NODES = ("manager-1", "worker-1", "worker-2")
BALANCER = "10.76.0.4"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TRUST = f"/etc/docker/certs.d/{NAME}:{PORT}"


def settings() -> dict[str, Any]:
    """The stack file of the project, on ports and addresses of its own, with one more name for the registry."""
    found = settings_of("Pulumi.registry.yaml")
    found["network"] = {"machines": "10.76.0.0/24"}
    found["ssh"] = {"first_port": 27600}
    found["load_balancer"] = {"statistics_port": 18408}
    found["services"]["registry"] |= {"port": PORT, "names": [NAME]}
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack; taken down at the end whatever happened."""
    with standing(tmp_path_factory.mktemp("registry"), settings()) as made:
        yield made
        subprocess.run(["docker", "rmi", IMAGE], capture_output=True, check=False)


def ask(known: dict[str, Any], path: str, *, password: str | None = None, method: str = "GET") -> tuple[int, Any]:
    """Status and document of a request that trusts the stack's authority alone; status 0 when nobody answers."""
    request = urllib.request.Request(f"https://{ADDRESS}{path}", method=method, headers={"Accept": MANIFEST})
    if password is not None:
        login = b64encode(f"{known['registry_user']}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    context = ssl.create_default_context(cadata=known["registry_authority"])
    try:
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, None


def catalogue(known: dict[str, Any]) -> Any:
    """What M136 looks at."""
    return ask(known, "/v2/_catalog", password=known["registry_password"])[1]


def on_host(config: Path, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """This computer's docker, with logins of its own."""
    return subprocess.run(
        ["docker", *words],
        env=os.environ | {"DOCKER_CONFIG": str(config)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def log_in(platform: Platform, node: str, known: dict[str, Any], address: str = ADDRESS) -> None:
    words = f"docker login --username {known['registry_user']} --password-stdin {address}"
    assert "Login Succeeded" in platform.on(node, words, given=known["registry_password"])


def pull_anew(platform: Platform, node: str) -> None:
    """Every layer from the registry, or none."""
    platform.on(node, f"docker rmi {IMAGE} 2>/dev/null || true")
    assert f"Downloaded newer image for {IMAGE}" in platform.on(node, f"docker pull {IMAGE}")


def tasks(platform: Platform, service: str, state: str) -> list[str]:
    listed = platform.on(
        "manager-1",
        f"docker service ps {service} --filter desired-state=running --format '{{{{.ID}}}} {{{{.CurrentState}}}}'",
    )
    return [line.split()[0] for line in listed.splitlines() if line.split()[1] == state]


def test_the_catalogue_is_empty_at_first_and_asks_for_a_password(platform: Platform) -> None:
    """M136; over TLS that is checked with the authority of the stack's outputs (E15)."""
    output = platform.make("up").stdout
    assert re.search(r"registry\s.*1/1", output), output[-3000:]
    assert f"registry  https://{ADDRESS}/" in output
    known = platform.outputs("--show-secrets")
    assert (known["registry_address"], known["registry_user"]) == (ADDRESS, "flotilla")
    wait_for("the way to the registry", lambda: ask(known, "/v2/")[0] != 0)
    assert ask(known, "/v2/_catalog")[0] == 401
    assert ask(known, "/v2/_catalog", password="guessed")[0] == 401
    assert ask(known, "/v2/_catalog", password=known["registry_password"]) == (200, {"repositories": []})


def test_whoever_trusts_another_authority_gets_nothing(platform: Platform) -> None:
    assert platform.outputs("--show-secrets")["registry_authority"].startswith("-----BEGIN CERTIFICATE-----")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://{ADDRESS}/v2/", context=ssl.create_default_context(), timeout=60)


def test_an_image_pushed_from_this_computer_is_in_the_catalogue(platform: Platform, tmp_path: Path) -> None:
    """M62, M136."""
    known = platform.outputs("--show-secrets")
    built = json.loads((platform.folder / ".flotilla" / "images.json").read_text())["sets"]["haproxy,registry-service"]
    assert on_host(tmp_path, "tag", built["haproxy"], IMAGE).returncode == 0
    refused = on_host(tmp_path, "push", IMAGE)
    assert refused.returncode != 0
    assert "no basic auth credentials" in refused.stdout + refused.stderr
    # Not by `Platform.make`, which keeps what was said: the password is in it.
    words = ["make", "output", "NAME=registry_password", f"STACK={STACK}", "ENGINE=hermetic"]
    told = subprocess.run(
        words, cwd=platform.folder, env=platform.environment, capture_output=True, text=True, check=True
    ).stdout
    login = on_host(tmp_path, "login", "--username", known["registry_user"], "--password-stdin", ADDRESS, given=told)
    assert login.returncode == 0, login.stderr
    pushed = on_host(tmp_path, "push", IMAGE)
    assert pushed.returncode == 0, pushed.stderr
    assert catalogue(known) == {"repositories": ["team/app"]}
    _, tags = ask(known, "/v2/team/app/tags/list", password=known["registry_password"])
    assert tags == {"name": "team/app", "tags": ["1.0"]}


@pytest.mark.parametrize("node", NODES)
def test_every_node_pulls_it_by_one_name_and_none_without_the_password(platform: Platform, node: str) -> None:
    """M135: no setting of any engine, because each node is the registry's own 127.0.0.1."""
    # Docker tries plain HTTP as well where it checks no certificate, and tells of that alone.
    assert "HTTP request to an HTTPS server" in platform.on(node, f"docker pull {IMAGE} 2>&1 || true")
    assert platform.on(node, f"docker image ls --quiet {IMAGE}") == ""
    log_in(platform, node, platform.outputs("--show-secrets"))
    pull_anew(platform, node)
    platform.on(node, f"docker rmi {IMAGE}")


def test_a_service_of_that_image_runs_on_every_node(platform: Platform) -> None:
    """The manager's login goes along: `--with-registry-auth` (M62)."""
    options = "--detach --name app --mode global --no-healthcheck --with-registry-auth"
    for node in NODES[1:]:
        platform.on(node, f"docker logout {ADDRESS}")
    platform.on("manager-1", f"docker service create {options} {IMAGE} sleep infinity")
    try:
        wait_for("a task on every node", lambda: len(tasks(platform, "app", "Running")) == len(NODES))
    finally:
        platform.on("manager-1", "docker service rm app")
    for node in NODES:
        wait_for(f"its end on {node}", lambda node=node: not platform.on(node, "docker ps -q -f name=app"))
        log_in(platform, node, platform.outputs("--show-secrets"))


def test_another_name_is_taken_only_with_the_authority_in_the_engines_folder(platform: Platform) -> None:
    """Names that are not 127.0.0.1 are checked by Docker itself."""
    known = platform.outputs("--show-secrets")
    image = f"{NAME}:{PORT}/team/app:1.0"
    platform.on("worker-2", f"echo '{BALANCER} {NAME}' >> /etc/hosts")
    assert "certificate signed by unknown authority" in platform.on("worker-2", f"docker pull {image} 2>&1 || true")
    platform.on("worker-2", f"mkdir -p {TRUST} && cat > {TRUST}/ca.crt", given=known["registry_authority"])
    log_in(platform, "worker-2", known, f"{NAME}:{PORT}")
    assert f"{image}\n" in platform.on("worker-2", f"docker pull {image}")
    platform.on("worker-2", f"docker rmi {image}")


def test_a_second_up_and_a_refresh_change_nothing(platform: Platform) -> None:
    platform.make("refresh", "ARGS=--expect-no-changes")
    platform.make("up", "ARGS=--expect-no-changes")


def test_images_are_there_after_a_restart(platform: Platform) -> None:
    known = platform.outputs("--show-secrets")
    (before,) = tasks(platform, "registry", "Running")
    platform.on("manager-1", "docker service update --force --detach registry")
    wait_for("another task", lambda: tasks(platform, "registry", "Running") not in ([], [before]))
    wait_for("the catalogue", lambda: catalogue(known) == {"repositories": ["team/app"]})
    pull_anew(platform, "worker-2")


def test_images_are_there_after_a_move_to_another_node(platform: Platform) -> None:
    """M59: the volume does not follow its task by itself, and `make move` takes it along."""
    known = platform.outputs("--show-secrets")
    said = platform.make("move", "VOLUME=registry", "TO=worker-2").stdout
    assert "stopped registry" in said
    assert re.search(r"copied registry to worker-2: \d+M, the same on both", said)
    assert tasks(platform, "registry", "Running") == []
    platform.write(registry={"node": "worker-2"})
    assert re.search(r"~ 1 updated", platform.make("up").stdout)
    wait_for("the catalogue", lambda: catalogue(known) == {"repositories": ["team/app"]})
    assert platform.on("worker-2", "docker ps -q -f name=registry")
    for node in NODES:
        pull_anew(platform, node)


def test_the_old_copy_is_kept_and_never_written_over(platform: Platform) -> None:
    kept = platform.on("worker-1", "ls /var/lib/docker/volumes/registry/_data/docker/registry/v2/repositories/team")
    assert kept.split() == ["app"]
    refused = platform.make("move", "VOLUME=registry", "TO=worker-1", check=False)
    assert refused.returncode != 0
    assert "it has a volume registry already, perhaps from an earlier move" in refused.stderr
    assert len(tasks(platform, "registry", "Running")) == 1, "and nothing was stopped for it"


def test_the_password_is_nowhere_but_in_secrets_and_the_log_tells_of_no_check(platform: Platform) -> None:
    password = platform.outputs("--show-secrets")["registry_password"]
    told = [
        platform.on("manager-1", "docker service inspect registry && docker config inspect $(docker config ls -q)"),
        platform.on("manager-1", "docker service logs registry 2>&1"),
        platform.on("worker-2", "docker inspect $(docker ps -q -f name=registry)"),
        platform.on(
            "worker-2", "for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' '\\n' < $file || true; done"
        ),
        json.dumps(platform.export()),
        *platform.said,
    ]
    assert [text[:200] for text in told if password in text] == []
    assert "basic authentication challenge" in told[1], "those who came without a password"
    # Connections that end at once: those of checks that only connect. Who trusts another authority leaves a line too.
    assert re.findall(r"TLS handshake error from .*: EOF", told[1]) == []


def test_another_word_in_the_settings_is_another_password(platform: Platform) -> None:
    old = platform.outputs("--show-secrets")
    platform.write(registry={"rotation": "summer"})
    platform.make("up")
    new = platform.outputs("--show-secrets")
    assert new["registry_password"] != old["registry_password"]
    wait_for("the catalogue", lambda: catalogue(new) == {"repositories": ["team/app"]})
    assert ask(new, "/v2/_catalog", password=old["registry_password"])[0] == 401


def test_a_removed_tag_gives_its_space_back_while_the_registry_is_stopped(platform: Platform) -> None:
    """The commands of docs/registry.md."""
    known = platform.outputs("--show-secrets")
    pulled = platform.on("manager-1", f"docker image inspect --format '{{{{index .RepoDigests 0}}}}' {IMAGE}").strip()
    digest = pulled.partition("@")[2]
    removed = ask(known, f"/v2/team/app/manifests/{digest}", password=known["registry_password"], method="DELETE")
    assert removed[0] == 202
    image = platform.on(
        "manager-1", "docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' registry"
    ).strip()
    platform.on("manager-1", "docker service scale --detach registry=0")
    wait_for("its end", lambda: not platform.on("worker-2", "docker ps -q -f volume=registry"))
    run = f"docker run --rm --volume registry:/var/lib/registry {image} registry-service-collect"
    assert "blobs marked" in platform.on("worker-2", f"{run} 2>&1")
    left = platform.on("worker-2", "du -s --block-size=1M /var/lib/docker/volumes/registry/_data")
    assert int(left.split()[0]) <= 1
    platform.on("manager-1", "docker service scale --detach registry=1")
    wait_for("the registry", lambda: ask(known, "/v2/_catalog", password=known["registry_password"])[0] == 200)


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
