"""Machines for tests of the swarm plugin: containers of the machine image, made without the program and its engine."""

import io
import json
import subprocess
import sys
import tarfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from images import host
from images.recipe import recipes
from tests.waiting import wait_for

PROJECT = Path(__file__).resolve().parent.parent.parent
SEED = "var/lib/cloud/seed/nocloud"
DAEMON = {"exec-opts": ["native.cgroupdriver=systemd"], "log-driver": "local", "bip": "172.17.0.1/16"}


@dataclass
class Machines:
    """A network and containers on it; all of it goes when the block ends."""

    directory: Path
    names: tuple[str, ...]
    client: docker.APIClient = field(default_factory=docker.APIClient)
    run: str = field(default_factory=lambda: f"swarm-plugin-{uuid.uuid4().hex[:8]}")
    host_keys: dict[str, str] = field(default_factory=dict[str, str])

    def __enter__(self) -> Self:
        reference = recipes()["machine"].reference
        if not self.client.images(reference):
            subprocess.run([sys.executable, "-m", "images.build", "--only", "machine"], cwd=PROJECT, check=True)
        private, public = _key_pair()
        self.identity_file = self.directory / "identity"
        self.identity_file.write_text(private)
        self.identity_file.chmod(0o600)
        try:
            self.client.create_network(self.run, driver="bridge")
            capabilities = host.describe(self.client, recipes()["base"].reference)["capabilities"]
            for name in self.names:
                self._start(name, reference, public, capabilities)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for name in self.names:
            self.remove(name)
        self.client.remove_network(self.run)

    def remove(self, name: str) -> None:
        """The machine is gone, as when its power failed for good."""
        if self.client.containers(all=True, filters={"name": f"^/{self.run}-{name}$"}):
            self.client.remove_container(f"{self.run}-{name}", v=True, force=True)

    def connection(self, name: str, *, pinned: bool = True) -> dict[str, Any]:
        """The way to a machine, as resources take it."""
        bound = self._inspect(name)["NetworkSettings"]["Ports"]["22/tcp"][0]
        known = {"hostKey": self.host_keys[name]} if pinned else {}
        return {"address": "127.0.0.1", "port": int(bound["HostPort"]), "user": "root", **known}

    def address(self, name: str) -> str:
        """Its address on the machines' network."""
        return self._inspect(name)["NetworkSettings"]["Networks"][self.run]["IPAddress"]

    def docker(self, name: str, *words: str) -> str:
        """Output of the machine's own docker client."""
        return self._run(name, "docker", *words)

    def asked(self, name: str, *words: str) -> str:
        """The answer to a question that has one, put again while the engine or the swarm cannot say.

        So it is when nothing comes: the engine around a machine gives up what a command said where it is very busy.
        """
        return wait_for(f"docker {' '.join(words)} on {name}", lambda: self.docker(name, *words))

    def shell(self, name: str, script: str) -> str:
        """Output of a script on the machine."""
        return self._run(name, "sh", "-c", script)

    def _run(self, name: str, *words: str) -> str:
        started = self.client.exec_create(f"{self.run}-{name}", list(words))["Id"]
        output = self.client.exec_start(started).decode()
        assert self.client.exec_inspect(started)["ExitCode"] == 0, output
        return output

    def _inspect(self, name: str) -> dict[str, Any]:
        return self.client.inspect_container(f"{self.run}-{name}")

    def _start(self, name: str, image: str, public_key: str, capabilities: list[str]) -> None:
        private, self.host_keys[name] = _key_pair()
        configuration = self.client.create_host_config(
            cap_add=capabilities,
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            cgroupns="host",
            tmpfs={"/run": "rw,exec", "/tmp": "rw,exec"},
            binds=["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
            port_bindings={22: ("127.0.0.1", None)},
            mem_limit="1g",
        )
        # What the command line calls systempaths=unconfined.
        configuration.update(MaskedPaths=[], ReadonlyPaths=[])
        self.client.create_container(
            image,
            name=f"{self.run}-{name}",
            hostname=name,
            host_config=configuration,
            ports=[22],
            volumes=["/var/lib/docker"],
            networking_config={"EndpointsConfig": {self.run: {}}},
        )
        user_data = {
            "users": [{"name": "root", "ssh_authorized_keys": [public_key]}],
            "write_files": [{"path": "/etc/docker/daemon.json", "content": json.dumps(DAEMON)}],
        }
        files = {
            f"{SEED}/meta-data": (json.dumps({"instance-id": name, "local-hostname": name}), 0o644),
            f"{SEED}/user-data": ("#cloud-config\n" + json.dumps(user_data), 0o600),
            "etc/ssh/ssh_host_ed25519_key": (private, 0o600),
            "etc/ssh/ssh_host_ed25519_key.pub": (self.host_keys[name], 0o644),
        }
        self.client.put_archive(f"{self.run}-{name}", "/", _archive(files))
        self.client.start(f"{self.run}-{name}")


def _key_pair() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def _archive(files: dict[str, tuple[str, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), mode
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()
