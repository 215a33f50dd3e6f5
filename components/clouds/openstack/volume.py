"""A Cinder volume that stays: created, attached to its node's machine, formatted once and mounted by its serial."""

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from components.clouds.openstack.instance import Instance
from components.component import Component
from components.naming import physical_name
from components.storage.volume import MOUNT_FOLDER, StoredVolume, VolumeSpec
from components.swarm import resources as swarm
from components.swarm.cluster import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class VolumeArgs:
    """`instance` is the machine of the volume's node; `type` a volume type of Cinder, None for the cloud's default;
    `zone` the availability zone in Cinder."""

    prefix: str
    spec: VolumeSpec
    type: str | None
    zone: str
    instance: Instance
    cluster: SwarmCluster
    protect: bool
    provider: openstack.Provider


class Volume(Component):
    """Disk, attachment and mount."""

    token = "flotilla:openstack:Volume"
    declares = ("stored", "volume_id", "attachment_id")

    stored: StoredVolume
    volume_id: pulumi.Output[str]
    attachment_id: pulumi.Output[str]

    def __init__(self, name: str, args: VolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        spec = args.spec
        disk = self._disk(args)
        attachment = self._attachment(args, disk)
        mount = swarm.Mount(
            self.child_name("mount"),
            connection=args.cluster.connections[spec.node],
            serial=disk.id,
            # By way of the disk, so that the file system grows after it did.
            size_gib=disk.size,
            path=f"{MOUNT_FOLDER}/{spec.name}",
            triggers={"attachment": attachment.id},
            opts=self.child(provider=args.cluster.plugin, deleted_with=args.instance.server),
        )
        self.publish(
            stored=StoredVolume(name=spec.name, node=spec.node, zone=spec.zone, source=spec.name, device=mount.path),
            volume_id=disk.id,
            attachment_id=attachment.id,
        )

    def _disk(self, args: VolumeArgs) -> openstack.blockstorage.Volume:
        return openstack.blockstorage.Volume(
            self.child_name("disk"),
            name=physical_name(args.prefix, args.spec.name),
            size=args.spec.size_gib,
            volume_type=args.type,
            availability_zone=args.zone,
            # It grows while it is attached; else it could not grow at all without its node being stopped.
            enable_online_resize=True,
            metadata={"flotilla.stack": args.prefix},
            opts=self.child(provider=args.provider, protect=args.protect, retain_on_delete=args.protect),
        )

    def _attachment(self, args: VolumeArgs, disk: openstack.blockstorage.Volume) -> openstack.compute.VolumeAttach:
        """Without a device name: the hypervisor chooses one as it likes, and the mount goes by the serial."""
        return openstack.compute.VolumeAttach(
            self.child_name("attachment"),
            instance_id=args.instance.server.id,
            volume_id=disk.id,
            opts=self.child(
                provider=args.provider,
                deleted_with=args.instance.server,
                # A volume is on one machine at a time.
                delete_before_replace=True,
            ),
        )
