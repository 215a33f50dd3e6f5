"""An EBS volume that stays: created, attached to its node's machine, formatted once and mounted by its serial."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.clouds.aws.devices import device_name
from components.component import Component
from components.naming import physical_name
from components.storage.profiles import EbsVolume
from components.storage.volume import MOUNT_FOLDER, StoredVolume, VolumeSpec
from components.swarm import resources as swarm
from components.swarm.cluster import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class VolumeArgs:
    """`ebs` is the volume's type in AWS's words; `machine` the one of its node."""

    prefix: str
    spec: VolumeSpec
    ebs: EbsVolume
    machine: aws.ec2.Instance
    cluster: SwarmCluster
    protect: bool
    provider: aws.Provider


class Volume(Component):
    """Disk, attachment and mount."""

    token = "flotilla:aws:Volume"
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
            path=f"{MOUNT_FOLDER}/{spec.name}",
            # By way of the disk, so that the file system grows after it did.
            size_gib=disk.size,
            device_name=device_name(spec.name),
            triggers={"attachment": attachment.id},
            opts=self.child(provider=args.cluster.plugin, deleted_with=args.machine),
        )
        self.publish(
            stored=StoredVolume(name=spec.name, node=spec.node, zone=spec.zone, source=spec.name, device=mount.path),
            volume_id=disk.id,
            attachment_id=attachment.id,
        )

    def _disk(self, args: VolumeArgs) -> aws.ebs.Volume:
        ebs = args.ebs
        return aws.ebs.Volume(
            self.child_name("disk"),
            availability_zone=args.spec.zone,
            type=ebs.type,
            size=ebs.size_gib,
            iops=ebs.iops,
            throughput=ebs.throughput,
            encrypted=True,
            tags={"Name": physical_name(args.prefix, args.spec.name, limit=255)},
            opts=self.child(provider=args.provider, protect=args.protect, retain_on_delete=args.protect),
        )

    def _attachment(self, args: VolumeArgs, disk: aws.ebs.Volume) -> aws.ec2.VolumeAttachment:
        return aws.ec2.VolumeAttachment(
            self.child_name("attachment"),
            instance_id=args.machine.id,
            volume_id=disk.id,
            device_name=device_name(args.spec.name),
            opts=self.child(
                provider=args.provider,
                # A machine that is terminated gives its volumes back; detached before, they would be in use.
                deleted_with=args.machine,
                # A volume is on one machine at a time.
                delete_before_replace=True,
            ),
        )
