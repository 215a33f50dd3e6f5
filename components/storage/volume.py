"""Volumes that stay where their data is: whoever mounts one is pinned to the node that holds it, because a local volume
never follows its task (M59) and a block volume is attached to one machine at a time (M110)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pulumi_docker as docker

from components.storage.profiles import EbsVolume, Profile

if TYPE_CHECKING:
    import pulumi

MOUNT_FOLDER = "/var/lib/flotilla/volumes"
"""Where a node has the file systems of its block volumes, each in a folder of the volume's name."""


@dataclass(frozen=True, kw_only=True)
class VolumeSpec:
    """A volume as the settings declare it, known before it exists: `node` holds it, `zone` is that node's. `ebs` is its
    type in AWS's own words, None elsewhere."""

    name: str
    node: str
    zone: str
    size_gib: int
    profile: Profile
    ebs: EbsVolume | None = None


@dataclass(frozen=True, kw_only=True)
class StoredVolume:
    """A volume as a cloud gives it to services.

    `source` is the name of the Docker volume, with a data edge to what has to exist before the first mount; `device`
    the folder on the node where its file system is mounted, None where Docker keeps the data itself. `zone` is None
    where a node's name is all that holds a task to the data.
    """

    name: str
    node: str
    source: pulumi.Input[str]
    zone: str | None = None
    device: pulumi.Input[str] | None = None

    def at(self, target: str, *, read_only: bool = False) -> PinnedVolume:
        """The volume mounted at `target` inside a service's containers."""
        return PinnedVolume(volume=self, target=target, read_only=read_only)


@dataclass(frozen=True, kw_only=True)
class PinnedVolume:
    """A stored volume mounted at `target`. Docker makes its own volume at the first mount."""

    volume: StoredVolume
    target: str
    read_only: bool = False

    @property
    def constraints(self) -> tuple[str, ...]:
        """The placement constraints that keep the task at its data."""
        zone = (f"node.labels.zone == {self.volume.zone}",) if self.volume.zone else ()
        return (f"node.hostname == {self.volume.node}", *zone)

    def mount(self) -> docker.ServiceTaskSpecContainerSpecMountArgs:
        """The mount in pulumi-docker's words."""
        return docker.ServiceTaskSpecContainerSpecMountArgs(
            type="volume",
            source=self.volume.source,
            target=self.target,
            read_only=self.read_only or None,
            volume_options=self._options(),
        )

    def _options(self) -> docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs | None:
        """A Docker volume that is the folder of a mounted file system; never filled from an image."""
        if self.volume.device is None:
            return None
        return docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs(
            driver_name="local",
            driver_options={"type": "none", "o": "bind", "device": self.volume.device},
            no_copy=True,
        )


@dataclass(frozen=True, kw_only=True)
class Mount:
    """Something mounted at `target` that no plan of ours looks after: a folder of the node (`bind`), memory (`tmpfs`),
    or a volume that Docker makes on each node where a task starts. `size`, in bytes, and `mode`, in octal, are of
    memory."""

    type: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = ""
    no_copy: bool = False
    driver_options: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    size: int | None = None
    mode: int | None = None

    def mount(self) -> docker.ServiceTaskSpecContainerSpecMountArgs:
        """The mount in pulumi-docker's words."""
        return docker.ServiceTaskSpecContainerSpecMountArgs(
            type=self.type,
            source=self.source or None,
            target=self.target,
            read_only=self.read_only or None,
            bind_options=docker.ServiceTaskSpecContainerSpecMountBindOptionsArgs(propagation=self.propagation)
            if self.propagation
            else None,
            volume_options=self._volume_options(),
            tmpfs_options=self._memory_options(),
        )

    def _volume_options(self) -> docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs | None:
        if not (self.no_copy or self.driver_options or self.labels):
            return None
        return docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs(
            driver_name="local" if self.driver_options else None,
            driver_options=dict(self.driver_options) or None,
            labels=[
                docker.ServiceTaskSpecContainerSpecMountVolumeOptionsLabelArgs(label=label, value=value)
                for label, value in self.labels.items()
            ]
            or None,
            no_copy=self.no_copy or None,
        )

    def _memory_options(self) -> docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs | None:
        if self.size is None and self.mode is None:
            return None
        return docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs(size_bytes=self.size, mode=self.mode)
