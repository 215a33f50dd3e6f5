"""The machine image as the local cloud runs it: limits, computed capabilities, a seed and a host key put in."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.images.certificate import self_signed
from tests.unit.images.containers import Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
_SEED = "/var/lib/cloud/seed/nocloud"
_TWO_GIB = 2 * 2**30


def _key(path: Path) -> tuple[str, str]:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text()


def _user_data(public_key: str, registry: str, certificate: str) -> str:
    daemon = {"log-driver": "local", "exec-opts": ["native.cgroupdriver=systemd"]}
    document = {
        "locale": False,
        "ssh_deletekeys": False,
        "users": [{"name": "root", "ssh_authorized_keys": [public_key.strip()]}],
        "write_files": [
            {"path": "/etc/docker/daemon.json", "content": json.dumps(daemon)},
            {"path": f"/etc/docker/certs.d/{registry}/ca.crt", "content": certificate},
        ],
    }
    return "#cloud-config\n" + json.dumps(document)


def _host_options(capabilities: list[str]) -> dict[str, Any]:
    return {
        "CapAdd": capabilities,
        "CgroupnsMode": "host",
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "Tmpfs": {"/run": "rw,exec", "/tmp": "rw,exec"},
        "Binds": ["/sys/fs/cgroup:/sys/fs/cgroup"],
        "Mounts": [{"Type": "volume", "Target": "/var/lib/docker"}],
        "Memory": _TWO_GIB,
        "MemorySwap": _TWO_GIB,
        "CpuPeriod": 100_000,
        "CpuQuota": 100_000,
    }


class _Machine:
    """A machine, and ssh to it as a deployment calls it: by key alone, with the host key required."""

    def __init__(self, yard: Yard, folder: Path, registry: str, certificate: str) -> None:
        self._identity_file = folder / "identity"
        self._known_hosts = folder / "known_hosts"
        public_key = _key(self._identity_file)[1]
        host_key, host_public_key = _key(folder / "host")
        seed = {"instance-id": yard.prefix, "local-hostname": "node-1"}
        files = {
            f"{_SEED}/meta-data": (json.dumps(seed), 0o644),
            f"{_SEED}/user-data": (_user_data(public_key, registry, certificate), 0o600),
            "/etc/ssh/ssh_host_ed25519_key": (host_key, 0o600),
            "/etc/ssh/ssh_host_ed25519_key.pub": (host_public_key, 0o644),
        }
        options = _host_options(yard.images["host.json"]["capabilities"])
        self.container = yard.start(yard.images["machine"], alias="node-1", files=files, ports=(22,), host=options)
        self._host_public_key = host_public_key
        self.find()

    def find(self) -> None:
        """Look up the port again: Docker publishes another one after a restart."""
        self._port = self.container.port(22)
        self._known_hosts.write_text(f"[127.0.0.1]:{self._port} {self._host_public_key}")

    def ssh(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        words = ["ssh", "-i", str(self._identity_file), "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5"]
        words += ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={self._known_hosts}", *options]
        words += ["-p", str(self._port), "root@127.0.0.1", command]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    def wait(self) -> None:
        wait_for("ssh answers", lambda: self.ssh("true").returncode == 0)
        wait_for("cloud-init ends", lambda: re.search("status: (done|error)", self.ssh("cloud-init status").stdout))
        wait_for("the engine answers", lambda: self.ssh("docker info").returncode == 0)


def test_a_machine_boots_swarms_and_pulls_from_the_registry_that_it_trusts(yard: Yard, tmp_path: Path) -> None:
    certificate, key = self_signed("registry")
    files = {"/etc/flotilla/registry.crt": (certificate, 0o644), "/etc/flotilla/registry.key": (key, 0o600)}
    registry = yard.start(yard.images["registry.json"], alias="registry", files=files)
    machine = _Machine(yard, tmp_path, "registry:5000", certificate)
    machine.wait()
    wait_for("the registry answers", lambda: registry.run("registry-health")[0] == 0)

    assert "status: done" in machine.ssh("cloud-init status --long").stdout
    facts = machine.ssh(
        "docker info --format '{{.ServerVersion}} {{.CgroupDriver}}'; systemctl is-system-running --wait; hostname"
    )
    assert facts.stdout.split() == ["20.10.24+dfsg1", "systemd", "running", "node-1"]
    assert machine.ssh("docker swarm init").returncode == 0
    digest = yard.images["services.json"]["nginx"]["digest"]
    pulled = machine.ssh(f"docker pull --quiet registry:5000/nginx@{digest}")
    assert pulled.returncode == 0, pulled.stderr


def test_a_machine_takes_no_password_and_shows_the_host_key_that_it_was_given_alone(yard: Yard, tmp_path: Path) -> None:
    machine = _Machine(yard, tmp_path, "registry.invalid", "none")
    machine.wait()
    settings = machine.ssh("sshd -T").stdout.splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "usedns no"} <= set(settings)
    assert {"maxsessions 128", "maxstartups 128:30:256", "allowstreamlocalforwarding yes"} <= set(settings)
    assert "permitrootlogin without-password" in settings
    assert [line for line in settings if line.startswith("hostkey ")] == ["hostkey /etc/ssh/ssh_host_ed25519_key"]
    assert machine.ssh("ls /etc/ssh | grep -c ssh_host").stdout.strip() == "2"
    refused = machine.ssh("true", "-o", "IdentitiesOnly=yes", "-o", "PubkeyAuthentication=no")
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_a_machine_that_starts_again_keeps_its_settings_and_is_ready(yard: Yard, tmp_path: Path) -> None:
    machine = _Machine(yard, tmp_path, "registry.invalid", "none")
    machine.wait()
    assert machine.ssh("docker swarm init").returncode == 0
    yard.client.restart(machine.container.identity, timeout=30)
    machine.find()
    machine.wait()
    assert "status: done" in machine.ssh("cloud-init status").stdout
    state = "docker info --format '{{.Swarm.LocalNodeState}}'"
    wait_for("the swarm is back", lambda: machine.ssh(state).stdout == "active\n")
