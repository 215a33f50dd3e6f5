"""What every cloud gives to the rest of the program: machines, the way images reach them, and the resource that
everything in the swarm goes away with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pulumi
from pulumi.output import UNKNOWN

from components.machine import EngineSettings, Machine, MachineSpec
from components.naming import WORKER, physical_name
from components.plan.ports import Access, Rule

if TYPE_CHECKING:
    from components.services.route import Route
    from components.storage.volume import StoredVolume, VolumeSpec
    from components.swarm.cluster import SwarmCluster

BASTION = "bastion"
LOAD_BALANCER = "load-balancer"
"""Names of the machines beside the swarm."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that services run.

    `repository` and `digest` are plan-time values, so that a preview shows exactly which image changes; the digest is
    None only in a preview before the images were built, and then unknown. `architecture` and `os` are the platform it
    was built for, in the registry's words (`amd64`, `linux`).
    """

    repository: str
    digest: str | None
    architecture: str = "amd64"
    os: str = "linux"


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Where the nodes pull images from: a registry address, with a data edge to what must run before the first pull."""

    registry: pulumi.Input[str]
    images: Mapping[str, Image]
    upstream: Mapping[str, str] = field(default_factory=dict[str, str])

    def reference(self, name: str) -> pulumi.Output[str]:
        """The reference by digest: upstream as the settings name it, else `<registry>/<repository>@<digest>`."""
        if name in self.upstream:
            return pulumi.Output.from_input(self.upstream[name])
        image = self.images[name]
        digest: Any = UNKNOWN if image.digest is None else image.digest
        return pulumi.Output.concat(self.registry, "/", image.repository, "@", pulumi.Output.from_input(digest))

    def platform(self, name: str) -> tuple[str, str]:
        """`(architecture, os)` of the image."""
        image = self.images.get(name)
        return (image.architecture, image.os) if image else ("amd64", "linux")


MOST_MEMBERS = 16
"""Nodes that a managed load balancer sends requests to: any node reaches every task, and each member costs quota."""

_LONGEST_KEY_PAIR_NAME = 255

BalancerKind = Literal["haproxy", "managed", "none"]
MachineKind = Literal["manager", "worker", "bastion", "balancer"]


@dataclass(frozen=True, kw_only=True)
class RentedCloudArgs:
    """What every cloud that machines are rented from is made of; all of it plan-time values.

    `prefix` begins every name in the cloud's API (`flotilla-production`); `specs` holds managers first, and workers
    unless they are a pool; `addresses` has the fixed private address of each machine by name, those of `bastion` and
    `load-balancer` too; `rules` is the one port table, `admin_networks` the CIDRs that its source `admin` stands for;
    `types` are instance types or flavours; `root_disk_gib` the size of root disks by kind; `registry_authorities` PEMs
    by `address:port`; `statistics_port` is HAProxy's, on a machine of its own.
    """

    prefix: str
    specs: tuple[MachineSpec, ...]
    addresses: Mapping[str, str]
    rules: tuple[Rule, ...]
    admin_networks: tuple[str, ...]
    access: Access
    engine: EngineSettings
    ssh_public_key: str
    ssh_user: str
    identity_file: str
    types: Mapping[MachineKind, str]
    root_disk_gib: Mapping[MachineKind, int]
    balancer: BalancerKind
    statistics_port: int
    images: ImageSource
    registry_authorities: Mapping[str, str]
    protect: bool

    @property
    def key_pair(self) -> str:
        """The public key without its comment, which is no part of it."""
        return " ".join(self.ssh_public_key.split()[:2])

    @property
    def key_pair_name(self) -> str:
        """The name of the key pair: with a hash of the key in it, so that another key is another pair."""
        digest = hashlib.sha256(self.key_pair.encode()).hexdigest()[:8]
        return physical_name(self.prefix, digest, limit=_LONGEST_KEY_PAIR_NAME)

    @property
    def members(self) -> tuple[MachineSpec, ...]:
        """The nodes behind a managed load balancer: the first workers, managers where nobody else is."""
        workers = tuple(spec for spec in self.specs if spec.role == WORKER)
        return (workers or self.specs)[:MOST_MEMBERS]


class Cloud(Protocol):
    """A cloud with its machines up (not necessarily ready: that is what the swarm's hosts wait for)."""

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines, managers first, in the order of their names."""
        ...

    @property
    def images(self) -> ImageSource:
        """Where services get their images."""
        ...

    @property
    def anchor(self) -> pulumi.Resource:
        """The resource whose removal takes every machine along: the swarm and all in it are deleted with it."""
        ...

    @property
    def mtu(self) -> pulumi.Input[str] | None:
        """MTU of the machines' network in bytes, as text; None where it is Docker's own 1500."""
        ...

    @property
    def proxy_command(self) -> pulumi.Input[str] | None:
        """ssh's ProxyCommand on the way to the machines; None when they are reached directly."""
        ...

    def volume(self, spec: VolumeSpec, cluster: SwarmCluster) -> StoredVolume:
        """The volume, ready for services: on its node, with a file system, mounted."""
        ...

    def pool(self, cluster: SwarmCluster) -> pulumi.Resource | None:
        """The workers that join by themselves: the gate that waits until they are there; None without a pool."""
        ...

    def balance(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """The load balancer in front of the nodes: URLs by what they lead to; empty without one."""
        ...
