"""A machine in Nova on a port of its own, which holds its address and outlives it."""

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from components.clouds.cloud import MachineKind
from components.clouds.openstack.network import Network
from components.component import Component


@dataclass(frozen=True, kw_only=True)
class BootVolume:
    """A root disk in Cinder: size in GiB, and a volume type, None for the cloud's default."""

    size_gib: int
    type: str | None = None


@dataclass(frozen=True, kw_only=True)
class InstanceArgs:
    """`kind` says what the machine is for; `address` is fixed in the network, `external_network` is where a public one
    comes from, None for a machine without. `image` is a name in Glance; a root disk in Cinder (`boot_volume`) is filled
    from the image by its `image_id`. `groups` are ids of security groups, `server_group` is one of a server group,
    `allowed_addresses` are CIDRs that the machine may also send from."""

    kind: MachineKind
    prefix: str
    physical_name: str
    address: str
    zone: str
    flavor: str
    image: str
    boot_volume: BootVolume | None
    image_id: pulumi.Input[str] | None
    user_data: pulumi.Input[str]
    key_pair: pulumi.Input[str]
    groups: tuple[pulumi.Input[str], ...]
    allowed_addresses: tuple[str, ...]
    server_group: pulumi.Input[str] | None
    external_network: str | None
    protect: bool
    network: Network
    provider: openstack.Provider

    @property
    def protected(self) -> bool:
        """Managers hold the state of the swarm."""
        return self.protect and self.kind == "manager"

    @property
    def ignored(self) -> list[str]:
        """What a change of does not touch the machine.

        Nova rebuilds a machine in place for another image, and replaces it for other user data, another key pair or
        another root disk. What a node is told at its first boot it never reads again, and a new machine has lost the
        old one's Docker data: other settings in the user data, or another MTU of the network, would take all nodes at
        once, and with the managers their majority. So a change is for machines that are made from then on, and for
        those replaced on purpose, one after another (`pulumi up --replace`, which takes the new values). A bastion or
        a load balancer has nothing to lose, and its configuration is nowhere else.
        """
        born_with = ["userData", "keyPair"] if self.kind in ("manager", "worker") else []
        return [*born_with, "imageName", "blockDevices"]


class Instance(Component):
    """Port, server and floating IP of a machine."""

    token = "flotilla:openstack:Instance"
    declares = ("server", "identity", "private_address", "public_address")

    server: openstack.compute.Instance
    identity: pulumi.Output[str]
    private_address: str
    public_address: pulumi.Output[str] | None

    def __init__(self, name: str, args: InstanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        port = self._port(args)
        server = self._server(args, port)
        self.publish(
            server=server,
            identity=server.id,
            private_address=args.address,
            public_address=self._floating_ip(args.external_network, args, port) if args.external_network else None,
        )

    @property
    def reached_at(self) -> pulumi.Input[str]:
        """The public address of a machine that has one, else the private one."""
        return self.public_address if self.public_address is not None else self.private_address

    def _port(self, args: InstanceArgs) -> openstack.networking.Port:
        return openstack.networking.Port(
            self.child_name("address"),
            name=args.physical_name,
            network_id=args.network.network_id,
            fixed_ips=[openstack.networking.PortFixedIpArgs(subnet_id=args.network.subnet_id, ip_address=args.address)],
            security_group_ids=list(args.groups),
            allowed_address_pairs=[
                openstack.networking.PortAllowedAddressPairArgs(ip_address=cidr) for cidr in args.allowed_addresses
            ]
            or None,
            # No two ports have one address.
            opts=self.child(provider=args.provider, delete_before_replace=True),
        )

    def _server(self, args: InstanceArgs, port: openstack.networking.Port) -> openstack.compute.Instance:
        hints = [openstack.compute.InstanceSchedulerHintArgs(group=args.server_group)] if args.server_group else None
        return openstack.compute.Instance(
            self.child_name("machine"),
            name=args.physical_name,
            flavor_name=args.flavor,
            image_name=None if args.boot_volume else args.image,
            block_devices=[_root_disk(args.boot_volume, args.image_id)] if args.boot_volume else None,
            availability_zone=args.zone,
            scheduler_hints=hints,
            networks=[openstack.compute.InstanceNetworkArgs(port=port.id)],
            key_pair=args.key_pair,
            user_data=args.user_data,
            # User data comes on a disk, so that nothing at boot hangs on a metadata service.
            config_drive=True,
            metadata={"flotilla.stack": args.prefix},
            # A machine that is shut down unmounts its volumes before they are taken away.
            stop_before_destroy=True,
            opts=self.child(
                provider=args.provider,
                # The port can be on one machine at a time.
                delete_before_replace=True,
                ignore_changes=args.ignored,
                # A preview refuses to replace it, before anything is touched.
                protect=args.protected,
            ),
        )

    def _floating_ip(
        self, external_network: str, args: InstanceArgs, port: openstack.networking.Port
    ) -> pulumi.Output[str]:
        """On the port, not the server: it is there before the machine, and stays when the machine is replaced."""
        floating_ip = openstack.networking.FloatingIp(
            self.child_name("public"),
            pool=external_network,
            port_id=port.id,
            description=args.physical_name,
            # Neutron puts no second one on the same address.
            opts=self.child(provider=args.provider, delete_before_replace=True),
        )
        return floating_ip.address


def _root_disk(volume: BootVolume, image_id: pulumi.Input[str] | None) -> openstack.compute.InstanceBlockDeviceArgs:
    return openstack.compute.InstanceBlockDeviceArgs(
        source_type="image",
        uuid=image_id,
        destination_type="volume",
        boot_index=0,
        volume_size=volume.size_gib,
        volume_type=volume.type,
        delete_on_termination=True,
    )
