"""The docker stand-in against real daemons: the user's own for containers, one of the test's own for a swarm."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from hermetic.values import from_struct, to_struct

if TYPE_CHECKING:
    from tests.unit.providers.conftest import Provider, Start

pytestmark = pytest.mark.e2e

NETWORK, VOLUME = "docker:index/network:Network", "docker:index/volume:Volume"
CONTAINER, SERVICE = "docker:index/container:Container", "docker:index/service:Service"
LOOP = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
PROGRAMS = ("/bin/sh", "/bin/sleep", "/bin/true", "/bin/cat")
IMAGE = "flotilla-test/shell:1"
SCRIPT = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && ip link set lo up
ip link add uplink type bridge && ip addr add 10.9.9.9/24 dev uplink && ip link set uplink up
exec dockerd --data-root "$1/root" --exec-root /run/docker --pidfile /run/dockerd.pid -H "unix://$1/d.sock"
"""
VECTORS = Path(__file__).parents[2] / "conformance" / "suite" / "docker_plugin" / "vectors.json"


def shell_image() -> bytes:
    """This machine's own shell as an image: no registry, no build. /bin/busybox is what the recorded cases call."""
    files = {path: path for path in PROGRAMS}
    for program in PROGRAMS:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= {path: path for path in re.findall(r"(/\S+\.so\S*)", listed)}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, source in {**files, "/bin/busybox": "/bin/true"}.items():
            archive.add(Path(source).resolve(), name.lstrip("/"))
        for folder in ("etc", "tmp", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    return content.getvalue()


@pytest.fixture(name="daemon", scope="module")
def daemon_fixture() -> Iterator[docker.APIClient]:
    client = docker.APIClient()
    client.import_image_from_data(shell_image(), repository=IMAGE.partition(":")[0], tag="1")
    yield client
    client.remove_image(IMAGE, force=True)
    client.close()


@pytest.fixture(name="swarm", scope="module")
def swarm_fixture() -> Iterator[docker.APIClient]:
    """A daemon in namespaces of its own, manager of a swarm of one node; the user's daemon is not made one."""
    folder = tempfile.mkdtemp(prefix="swarm-")
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "-n", "sh", "-ec", SCRIPT, "sh", folder], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        client = connected(process, folder)
        for tag in ("1", "2"):
            client.import_image_from_data(shell_image(), repository="bb", tag=tag)
        client.init_swarm("10.9.9.9", "10.9.9.9:2377")
        yield client
        client.close()
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


def connected(process: subprocess.Popen[bytes], folder: str) -> docker.APIClient:
    deadline = time.monotonic() + 60
    while True:
        try:
            return docker.APIClient(f"unix://{folder}/d.sock")
        except docker.errors.DockerException:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(Path(folder, "log").read_text()[-2000:])
            time.sleep(0.1)


class Made:
    """Makes resources and removes them again, the last one first, whatever a test does."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._made: list[tuple[str, str, str, dict[str, Any]]] = []

    def make(self, kind: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        checked, failures = self.provider.check(kind, name, inputs)
        assert failures == []
        _, preview = self.provider.create(kind, name, checked, preview=True)
        identity, state = self.provider.create(kind, name, checked)
        self._made.append((kind, name, identity, state))
        assert set(preview) == set(state)
        return identity, state, checked

    def expect_unchanged(self, kind: str, name: str, identity: str, state: dict[str, Any], checked: Any) -> None:
        """Neither after the operation nor after a refresh is there anything to do."""
        assert self.provider.diff(kind, name, state, checked)["detailedDiff"] == {}
        found, read, inputs = self.provider.read(kind, name, identity, state, checked)
        assert found == identity
        assert read == state
        assert self.provider.diff(kind, name, read, checked)["detailedDiff"] == {}
        again, _ = self.provider.check(kind, name, {key: inputs[key] for key in inputs if key != "__defaults"}, inputs)
        assert self.provider.diff(kind, name, read, again)["detailedDiff"] == {}

    def remove(self) -> None:
        for kind, name, identity, state in reversed(self._made):
            self.provider.delete(kind, name, identity, state)
            if "remoteImage" not in kind:
                assert self.provider.read(kind, name, identity, state, {})[0] == ""


@pytest.fixture(name="local")
def local_fixture(provider: Start, daemon: docker.APIClient) -> Iterator[Made]:
    del daemon
    made = Made(provider("docker", host="unix:///var/run/docker.sock"))
    yield made
    made.remove()


@pytest.fixture(name="swarmed")
def swarmed_fixture(provider: Start, swarm: docker.APIClient) -> Iterator[Made]:
    made = Made(provider("docker", host=socket_of(swarm)))
    yield made
    made.remove()


def socket_of(client: docker.APIClient) -> str:
    adapter: Any = client.get_adapter("http+docker://localhost")
    return f"unix://{adapter.socket_path}"


def output_of(client: docker.APIClient, container: str, command: list[str]) -> str:
    return client.exec_start(client.exec_create(container, command)["Id"]).decode()


def test_a_machine_like_container_is_as_it_was_asked_for(local: Made, daemon: docker.APIClient) -> None:
    network_id, network, _ = local.make(
        NETWORK, "t-net", {"driver": "bridge", "ipamConfigs": [{"subnet": "10.89.7.0/24", "gateway": "10.89.7.1"}]}
    )
    _, volume, _ = local.make(VOLUME, "t-data", {"labels": [{"label": "a", "value": "b"}]})
    identity, state, checked = local.make(
        CONTAINER,
        "t-machine",
        {
            "image": IMAGE,
            "command": LOOP,
            "hostname": "machine-1",
            "envs": ["B=1", "A=2"],
            "labels": [{"label": "x", "value": "y"}],
            "capabilities": {"adds": ["CAP_NET_ADMIN"]},
            "memory": 64,
            "memorySwap": 64,
            "securityOpts": ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"],
            "tmpfs": {"/run": "rw,exec"},
            "mounts": [{"type": "volume", "source": volume["name"], "target": "/data"}],
            "networksAdvanced": [{"name": network["name"], "ipv4Address": "10.89.7.11", "aliases": ["m1"]}],
            "ports": [{"internal": 80, "ip": "127.0.0.1"}, {"internal": 22, "ip": "127.0.0.1"}],
            "uploads": [
                {"file": "/etc/hello", "content": "hi\n", "permissions": "0600"},
                {"file": "/var/lib/seed/run.sh", "content": "#!/bin/sh\nexit 0\n", "executable": True},
            ],
            "healthcheck": {"tests": ["CMD", "/bin/true"], "interval": "1s", "timeout": "30s", "retries": 3},
            "wait": True,
        },
    )
    local.expect_unchanged(CONTAINER, "t-machine", identity, state, checked)
    assert output_of(daemon, identity, ["/bin/cat", "/etc/hello"]) == "hi\n"
    assert output_of(daemon, identity, ["/var/lib/seed/run.sh"]) == ""
    assert output_of(daemon, identity, ["/bin/cat", "/etc/hostname"]) == "machine-1\n"
    found = daemon.inspect_network(network_id)["Containers"][identity]
    assert found["IPv4Address"] == "10.89.7.11/24"
    assert state["networkDatas"][0]["ipAddress"] == "10.89.7.11"
    assert all(port["external"] > 0 for port in state["ports"])


def test_a_container_that_was_stopped_is_a_difference_and_started_again(local: Made, daemon: docker.APIClient) -> None:
    identity, state, checked = local.make(CONTAINER, "t-stopped", {"image": IMAGE, "command": LOOP})
    daemon.stop(identity, timeout=30)
    _, read, _ = local.provider.read(CONTAINER, "t-stopped", identity, state, checked)
    assert local.provider.diff(CONTAINER, "t-stopped", read, checked)["detailedDiff"] == {"mustRun": "UPDATE"}
    local.provider.update(CONTAINER, "t-stopped", identity, read, checked)
    assert daemon.inspect_container(identity)["State"]["Running"]


def test_limits_change_in_place(local: Made, daemon: docker.APIClient) -> None:
    identity, state, checked = local.make(
        CONTAINER, "t-limits", {"image": IMAGE, "command": LOOP, "memory": 64, "memorySwap": 64}
    )
    news, _ = local.provider.check(CONTAINER, "t-limits", {**checked, "memory": 96, "memorySwap": 96}, checked)
    updated = local.provider.update(CONTAINER, "t-limits", identity, state, news)
    assert daemon.inspect_container(identity)["HostConfig"]["Memory"] == 96 * 1024 * 1024
    local.expect_unchanged(CONTAINER, "t-limits", identity, updated, news)


def test_a_container_that_ends_at_once_is_an_error_with_its_last_words_and_leaves_nothing(
    local: Made, daemon: docker.APIClient
) -> None:
    inputs = {"name": "t-fails", "image": IMAGE, "command": ["/bin/sh", "-c", "echo no disk; exit 3"]}
    with pytest.raises(grpc.RpcError, match=r"container t-fails: container exited immediately with code 3; .*no disk"):
        local.make(CONTAINER, "t-fails", inputs)
    assert daemon.containers(all=True, filters={"name": "t-fails"}) == []


def test_what_is_gone_is_read_as_gone(local: Made, daemon: docker.APIClient) -> None:
    identity, state, checked = local.make(VOLUME, "t-gone", {})
    daemon.remove_volume(identity)
    assert local.provider.read(VOLUME, "t-gone", identity, state, checked)[0] == ""


def test_a_network_that_is_in_use_is_removed_when_its_container_has_left(local: Made, daemon: docker.APIClient) -> None:
    _, network, _ = local.make(NETWORK, "t-busy", {"driver": "bridge"})
    made = daemon.create_container_from_config(
        {"Image": IMAGE, "Cmd": LOOP, "HostConfig": {"NetworkMode": network["name"], "AutoRemove": True}}
    )
    daemon.start(made["Id"])
    subprocess.Popen(["docker", "stop", "-t", "1", made["Id"]], stdout=subprocess.DEVNULL)
    local.remove()
    local._made.clear()
    assert daemon.networks(names=[network["name"]]) == []


def keys(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path}.union(*(keys(part, f"{path}.{key}") for key, part in value.items()))
    return {path}.union(*(keys(part, f"{path}[]") for part in value)) if isinstance(value, list) else {path}


@pytest.mark.slow
def test_the_recorded_cases_made_for_real_are_stored_under_the_same_keys(swarmed: Made) -> None:
    for case in json.loads(VECTORS.read_text()):
        if case["failures"]:
            continue
        kind, name = case["type"], case["name"]
        identity, state, checked = swarmed.make(kind, name, case["inputs"])
        _, read, inputs = swarmed.provider.read(kind, name, identity, state, checked)
        assert keys(state) == keys(case["created"]), name
        assert keys(read) == keys(case["read"]["properties"]), name
        assert keys(inputs) == keys(case["read"]["inputs"]), name
        swarmed.expect_unchanged(kind, name, identity, state, checked)


def service(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "taskSpec": {
            "containerSpec": {"image": "bb:1", "commands": command, "init": True, "stopGracePeriod": "2s"},
            "restartPolicy": {"condition": "any", "delay": "1s", "window": "1s"},
        },
        "updateConfig": {"failureAction": "rollback", "monitor": "10s"},
        "convergeConfig": {"delay": "1s", "timeout": "120s"},
        **more,
    }


@pytest.mark.slow
def test_a_failed_update_is_rolled_back_told_and_kept_as_it_was(swarmed: Made, swarm: docker.APIClient) -> None:
    identity, state, checked = swarmed.make(SERVICE, "web", service("web", LOOP))
    bad, _ = swarmed.provider.check(
        SERVICE, "web", service("web", ["/bin/sh", "-c", "echo no config; exit 7"]), checked
    )
    with pytest.raises(grpc.RpcError, match=r"service rollback completed: .*non-zero exit.*no config") as caught:
        swarmed.provider.update(SERVICE, "web", identity, state, bad, old_inputs=to_struct(checked))
    error: Any = caught.value
    details = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    kept = provider_pb2.ErrorResourceInitFailed()
    assert details.details[0].Unpack(kept)
    assert from_struct(kept.properties) == state
    assert from_struct(kept.inputs) == checked
    command = swarm.inspect_service(identity)["Spec"]["TaskTemplate"]["ContainerSpec"]["Command"]
    assert command == LOOP


@pytest.mark.slow
def test_a_service_that_does_not_converge_says_why_and_is_removed(swarmed: Made, swarm: docker.APIClient) -> None:
    inputs = service("dies", ["/bin/sh", "-c", "echo no database; exit 3"])
    inputs["convergeConfig"]["timeout"] = "20s"
    with pytest.raises(grpc.RpcError, match=r"did not converge after 20s; .*non-zero exit \(3\).*no database"):
        swarmed.make(SERVICE, "dies", inputs)
    assert swarm.services({"name": "dies"}) == []
