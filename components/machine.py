"""The contract between clouds and swarm: what a machine is, and the one cloud-init user data that every cloud boots.

Nothing here is secret: user data can be read by everything that runs on a machine, so what looks private is refused."""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from components.naming import Role, parse_node_name
from components.plan.addresses import AddressPlan
from components.plan.errors import PlanError
from components.plan.mtu import check_underlay
from components.plan.sizes import MIB, format_size

if TYPE_CHECKING:
    import pulumi

SMALLEST_MEMORY = 512 * MIB
"""Bytes that a node of a swarm has at least (the minimum of the largest public trials)."""

SMALLEST_CPUS = 0.1

DAEMON_FILE = "/etc/docker/daemon.json"
CERTIFICATE_FOLDER = "/etc/docker/certs.d"
SYSCTL_FILE = "/etc/sysctl.d/60-flotilla.conf"
SSHD_FILE = "/etc/ssh/sshd_config.d/10-flotilla.conf"
APT_PIN_FILE = "/etc/apt/preferences.d/60-flotilla-engine"

METRICS_PORT = 9323
"""Of the engine's own metrics, on the address of docker0: containers of the machine reach it, other machines do not."""

# Entries of the kernel's neighbour table: before collecting, collecting soon, never more. An overlay has one for each
# endpoint of the whole network, and the default of 1,024 is reached by one large service (docker/libnetwork#1522).
_NEIGHBOURS = {"gc_thresh1": 8192, "gc_thresh2": 32768, "gc_thresh3": 65536}

_ROOT = "root"
_PRIVATE = re.compile(r"PRIVATE KEY|SWMTKN-|SWMKEY-|PuTTY-User-Key")
_KEY_TYPE = re.compile(
    r"ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII)
_REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """What a machine shall be, known before it exists: `memory_bytes` and `cpus` are all that it has, `labels` the
    node labels that it gets in the swarm beside `zone`."""

    name: str
    role: Role
    cpus: float
    memory_bytes: int
    zone: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        role, _ = parse_node_name(self.name, field="machine")
        if role != self.role:
            raise PlanError(
                field=f"{self.name}: role", value=self.role, problem="the name says another one", fix=f"use {role}"
            )
        if not self.cpus >= SMALLEST_CPUS:
            raise PlanError(
                field=f"{self.name}: cpus", value=self.cpus, problem="too few for a node", fix="use 0.1 or more"
            )
        check_node_memory(self.memory_bytes, field=f"{self.name}: memory")
        for label in self.labels:
            check_label(label, field=f"{self.name}: label")


def check_node_memory(memory_bytes: int, *, field: str) -> None:
    """PlanError for less memory than a node needs for its Docker engine."""
    if memory_bytes < SMALLEST_MEMORY:
        raise PlanError(
            field=field,
            value=format_size(memory_bytes),
            problem="too little for a node with its Docker engine",
            fix=f"use {format_size(SMALLEST_MEMORY)} or more",
        )


def check_label(label: str, *, field: str) -> None:
    """PlanError for what cannot be the name of a node label."""
    if label == "zone":
        raise PlanError(field=field, value=label, problem="every node gets it by itself", fix="use another name")
    if not _LABEL.fullmatch(label):
        raise PlanError(field=field, value=label, problem="no name of a label", fix="use letters, digits and . _ / -")


@dataclass(frozen=True, kw_only=True)
class SshEndpoint:
    """The way to a machine's sshd. `host_key` is a public key line (`ssh-ed25519 AAAA…`), None when it is recorded at
    first contact."""

    address: pulumi.Input[str]
    port: pulumi.Input[int]
    user: str
    host_key: pulumi.Input[str] | None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a cloud gives to the swarm.

    `private_address` is fixed in the plan and outlives the machine; `identity` is the id of what runs behind it, and
    changes when the machine is replaced. `keeps_state` says whether Docker's own data outlives the machine: where it
    does not, a machine that is replaced leaves the swarm and joins it as a new node.
    """

    spec: MachineSpec
    private_address: str
    identity: pulumi.Input[str]
    endpoint: SshEndpoint
    keeps_state: bool = True


@dataclass(frozen=True, kw_only=True)
class EnginePackage:
    """The Debian package of the Docker engine, for images that do not have it: `version` is held, and is the beginning
    of a package version (`20.10.24`), since a distribution drops the builds before the last."""

    name: str = "docker.io"
    version: str = "20.10.24"

    def __post_init__(self) -> None:
        if not _VERSION.fullmatch(self.version):
            raise PlanError(
                field="engine version", value=self.version, problem="no version", fix="write one such as 20.10.24"
            )


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Settings of every machine's Docker engine, for `/etc/docker/daemon.json`.

    `bridge_address` is Docker's `bip`, `address_pools` its `default-address-pools`; `mtu` is that of the network under
    the machines in bytes; `package` is None where the machine image has the engine.
    """

    bridge_address: str
    address_pools: tuple[tuple[str, int], ...]
    mtu: int | None = None
    log_size: str = "10m"
    log_files: int = 3
    storage_driver: str = "overlay2"
    metrics_port: int | None = METRICS_PORT
    package: EnginePackage | None = None

    def __post_init__(self) -> None:
        if self.mtu is not None:
            check_underlay(self.mtu)

    @classmethod
    def of(
        cls, addresses: AddressPlan, *, mtu: int | None = None, package: EnginePackage | None = None
    ) -> EngineSettings:
        """The settings that belong to an address plan."""
        return cls(
            bridge_address=addresses.bridge_address,
            address_pools=addresses.bridge_pools,
            mtu=mtu,
            package=package,
        )

    def daemon(self) -> dict[str, Any]:
        """The content of daemon.json. Without `live-restore`, which swarm refuses."""
        settings: dict[str, Any] = {
            "bip": self.bridge_address,
            "default-address-pools": [{"base": base, "size": size} for base, size in self.address_pools],
            # With Docker's own driver, limits of a machine that is a container would not hold for what runs inside.
            "exec-opts": ["native.cgroupdriver=systemd"],
            "log-driver": "local",
            "log-opts": {"max-file": str(self.log_files), "max-size": self.log_size},
            "storage-driver": self.storage_driver,
        }
        if self.mtu is not None:
            settings["mtu"] = self.mtu
        if self.metrics_port is not None:
            settings["metrics-addr"] = f"{self.bridge_address.partition('/')[0]}:{self.metrics_port}"
        return settings


@dataclass(frozen=True, kw_only=True)
class UserData:
    """What the user data of machines is made of. `engine` is None for a machine beside the swarm, which runs no Docker.

    `registry_authorities` maps `address:port` of a registry to the PEM of the authority that its certificate is from.
    `host_name` is only for clouds whose metadata does not give a machine its node's name. `packages`, `files` (content
    by path) and `commands` (run last, as root) are what a machine with a task beside the swarm needs more.
    """

    ssh_public_keys: tuple[str, ...]
    engine: EngineSettings | None
    registry_authorities: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = _ROOT
    host_name: str | None = None
    packages: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.ssh_public_keys:
            raise PlanError(
                field="ssh_public_keys", value=(), problem="nobody could log in", fix="give at least one public key"
            )
        for index, key in enumerate(self.ssh_public_keys):
            check_public_key(key, field=f"ssh_public_keys[{index}]")
        for registry, authority in self.registry_authorities.items():
            _check_authority(registry, authority)
        if not _USER.fullmatch(self.user):
            raise PlanError(field="user", value=self.user, problem="no name of a user", fix="use a name such as admin")
        if self.host_name is not None:
            parse_node_name(self.host_name, field="host_name")


def check_public_key(key: str, *, field: str) -> None:
    """PlanError, without the text in it, for what is not one line of an OpenSSH public key."""
    kind, _, rest = key.strip().partition(" ")
    blob = rest.partition(" ")[0]
    if "\n" in key.strip() or not _KEY_TYPE.fullmatch(kind) or _PRIVATE.search(key) or _type_in(blob) != kind:
        raise PlanError(
            field=field,
            value=_withheld(key),
            problem="no OpenSSH public key, and what is not public must not come near user data",
            fix="give the line of the .pub file",
        )


def _type_in(blob: str) -> str | None:
    """The key type inside a public key: a text with its length in four bytes before it."""
    try:
        raw = base64.b64decode(blob, validate=True)
        (length,) = struct.unpack(">I", raw[:4])
        return raw[4 : 4 + length].decode("ascii")
    except (binascii.Error, struct.error, UnicodeDecodeError):
        return None


def _check_authority(registry: str, authority: str) -> None:
    if not _REGISTRY.fullmatch(registry):
        raise PlanError(
            field="registry", value=registry, problem="no address", fix="write host:port, such as 10.60.0.5:5000"
        )
    certificates = _CERTIFICATE.findall(authority)
    if not certificates or _CERTIFICATE.sub("", authority).strip():
        raise PlanError(
            field=f"registry_authorities[{registry}]",
            value=_withheld(authority),
            problem="not only PEM certificates, and what is not public must not come near user data",
            fix="give blocks of BEGIN CERTIFICATE alone",
        )


def _withheld(text: str) -> str:
    return f"{len(text)} characters (not shown)"


def render_user_data(data: UserData) -> str:
    """The `#cloud-config` of a machine: the same text for the same values, on every cloud."""
    name = f"hostname: {data.host_name}\n" if data.host_name else ""
    login = _login(data.user, data.ssh_public_keys, docker=data.engine is not None)
    text = "#cloud-config\n" + login + name + _what_all_share(_hashable(data))
    if _PRIVATE.search(text):
        raise PlanError(
            field="user data",
            value=_withheld(text),
            problem="it holds what looks like a private key or a swarm token",
            fix="keep secrets out of settings",
        )
    return text


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """Packages, files and commands of user data: what a thousand machines have in common."""

    engine: EngineSettings | None
    user: str
    registry_authorities: tuple[tuple[str, str], ...]
    packages: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def _hashable(data: UserData) -> _Shared:
    return _Shared(
        engine=data.engine,
        user=data.user,
        registry_authorities=tuple(sorted(data.registry_authorities.items())),
        packages=data.packages,
        files=tuple(data.files.items()),
        commands=data.commands,
    )


@lru_cache(maxsize=16)
def _what_all_share(data: _Shared) -> str:
    """Kept, because writing YAML is most of the work that a machine of the plan takes."""
    return _yaml(
        {
            # Without the package `locales`, setting one fails, and cloud-init would end in an error. As a text, since
            # that is all that cloud-init's schema allows here.
            "locale": "false",
            **_packages(data),
            "write_files": [_file(path, content) for path, content in _files(data).items()],
            "runcmd": ["set -e", *(_engine_commands(data.engine) if data.engine else []), *data.commands],
        }
    )


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


@lru_cache(maxsize=16)
def _login(name: str, ssh_public_keys: tuple[str, ...], *, docker: bool) -> str:
    user: dict[str, Any] = {"name": name, "ssh_authorized_keys": [key.strip() for key in ssh_public_keys]}
    if name != _ROOT:
        user |= {"groups": ["docker"]} if docker else {}
        user |= {"shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL"}
    return _yaml(
        {
            "users": [user],
            "disable_root": name != _ROOT,
            "ssh_pwauth": False,
            # A host key that was put in before the first boot stays; a machine without one makes this kind.
            "ssh_deletekeys": False,
            "ssh_genkeytypes": ["ed25519"],
        }
    )


def _packages(data: _Shared) -> dict[str, Any]:
    engine = data.engine and data.engine.package
    names = [*([engine.name] if engine else []), *data.packages]
    return {"package_update": True, "package_upgrade": False, "packages": names} if names else {}


def _files(data: _Shared) -> dict[str, str]:
    files = {
        SSHD_FILE: "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin "
        + ("prohibit-password\n" if data.user == _ROOT else "no\n"),
    }
    engine = _engine_files(data.engine, data.registry_authorities) if data.engine else {}
    return {**files, **engine, **dict(data.files)}


def _engine_files(engine: EngineSettings, authorities: tuple[tuple[str, str], ...]) -> dict[str, str]:
    files = {SYSCTL_FILE: "".join(f"net.ipv4.neigh.default.{name} = {value}\n" for name, value in _NEIGHBOURS.items())}
    if engine.package is not None:
        files[APT_PIN_FILE] = _apt_pin(engine.package)
    files[DAEMON_FILE] = json.dumps(engine.daemon(), indent=2, sort_keys=True) + "\n"
    for registry, authority in authorities:
        files[f"{CERTIFICATE_FOLDER}/{registry}/ca.crt"] = authority.strip() + "\n"
    return files


def _apt_pin(package: EnginePackage) -> str:
    """Preferences that leave apt no other version: where the archive lost it, installing fails and says so."""
    wanted = f"Package: {package.name}\nPin: version {package.version}*\nPin-Priority: 1001\n"
    others = f"Package: {package.name}\nPin: release *\nPin-Priority: -1\n"
    return f"{wanted}\n{others}"


def _file(path: str, content: str) -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": "0644", "content": content}


def _engine_commands(engine: EngineSettings) -> list[str]:
    hold = [f"apt-mark hold {engine.package.name}"] if engine.package else []
    return [
        *hold,
        # The tables belong to the host's kernel, so that a machine that is a container has no such keys.
        f"sysctl -e -q -p {SYSCTL_FILE}",
        # An engine that began after its settings were written has read them.
        f"[ {DAEMON_FILE} -ot /run/docker.pid ] || systemctl restart docker",
    ]


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that files in user data can be read."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's signature
        super().increase_indent(flow, False)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
