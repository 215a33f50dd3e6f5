"""The cloud on OpenStack: network, security groups, machines whose addresses outlive them, volumes, and Octavia or a
machine with HAProxy in front."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_openstack as openstack

from components.clouds.bootstrap import balancer_user_data, beside_user_data, node_user_data
from components.clouds.cloud import BASTION, LOAD_BALANCER, ImageSource, MachineKind, RentedCloudArgs
from components.clouds.openstack.firewall import Firewall, FirewallArgs
from components.clouds.openstack.instance import BootVolume, Instance, InstanceArgs
from components.clouds.openstack.load_balancer import LoadBalancer, LoadBalancerArgs
from components.clouds.openstack.network import Network, NetworkArgs
from components.clouds.openstack.user_data import fitting
from components.clouds.openstack.volume import Volume, VolumeArgs
from components.component import Component
from components.machine import Machine, MachineSpec, SshEndpoint
from components.naming import MANAGER, parse_node_name, physical_name
from components.plan.mtu import LARGEST_UNDERLAY
from components.plan.ports import SSH
from components.services.route import Route, url
from components.storage.profiles import Profile
from components.storage.volume import StoredVolume, VolumeSpec
from components.swarm.cluster import SwarmCluster
from components.swarm.jump import JumpHost, JumpHostArgs

_LONGEST_NAME = 255
_MOST_IN_SERVER_GROUP = 10
"""Members that Nova's default quota (`server_group_members`) allows."""


@dataclass(frozen=True, kw_only=True)
class OpenstackCloudArgs:
    """`network` is the CIDR of the machines' one subnet; `cloud` is the name of an entry in clouds.yaml, None for the
    environment (OS_*); `image` is a name in Glance, `volume_types` has Cinder's types by profile; `allowed_addresses`
    are CIDRs that nodes may also send from; `volume_zone` is Cinder's, None where its zones have the names of Nova's;
    `mtu` is in bytes, None where the network says it."""

    rented: RentedCloudArgs
    network: str
    gateway: str
    cloud: str | None
    region: str | None
    image: str
    external_network: str
    boot_volume: BootVolume | None
    manager_policy: Literal["anti-affinity", "soft-anti-affinity"]
    volume_types: Mapping[Profile, str]
    volume_zone: str | None
    allowed_addresses: tuple[str, ...]
    nameservers: tuple[str, ...]
    mtu: int | None


class OpenstackCloud(Component):
    """Network, firewall and machines; the network is the anchor that everything in the machines goes away with."""

    token = "flotilla:openstack:Cloud"
    declares = ("machines", "images", "anchor", "mtu", "proxy_command")

    machines: tuple[Machine, ...]
    images: ImageSource
    anchor: pulumi.Resource
    mtu: pulumi.Input[str]
    proxy_command: pulumi.Output[str] | None

    def __init__(self, name: str, args: OpenstackCloudArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        # Who we are comes from clouds.yaml or OS_*, application credentials too: the program never has a secret of it.
        self._api = openstack.Provider(
            self.child_name("provider"), cloud=args.cloud, region=args.region, opts=self.child()
        )
        self._network = self._make_network()
        self._firewall = self._make_firewall()
        self._key_name = self._key_pair()
        self._image_id = self._find_image() if args.boot_volume else None
        groups = self._server_groups()
        self._instances = {spec.name: self._node(spec, groups[spec.name]) for spec in args.rented.specs}
        bastion = self._bastion() if args.rented.access == "bastion" else None
        self.publish(
            machines=tuple(self._machine(spec) for spec in args.rented.specs),
            images=args.rented.images,
            anchor=self._network.network,
            mtu=str(args.mtu) if args.mtu is not None else self._network.mtu.apply(str),
            proxy_command=bastion.proxy_command if bastion else None,
        )

    def _make_network(self) -> Network:
        args = self._args
        return Network(
            self.child_name("network"),
            NetworkArgs(
                physical_name=args.rented.prefix,
                cidr=args.network,
                gateway=args.gateway,
                external_network=args.external_network,
                nameservers=args.nameservers,
                provider=self._api,
            ),
            self.child(),
        )

    def _make_firewall(self) -> Firewall:
        rented = self._args.rented
        return Firewall(
            self.child_name("firewall"),
            FirewallArgs(
                prefix=rented.prefix,
                rules=rented.rules,
                admin_networks=rented.admin_networks,
                provider=self._api,
            ),
            self.child(),
        )

    def _key_pair(self) -> pulumi.Output[str]:
        """A key pair cannot be changed. The key is in its name, so that another one is there before the old one goes:
        one that had to go first would take the machines that name it along."""
        rented = self._args.rented
        pair = openstack.compute.Keypair(
            self.child_name("key"),
            name=rented.key_pair_name,
            public_key=rented.key_pair,
            opts=self.child(provider=self._api, delete_before_replace=False),
        )
        return pair.name

    def _find_image(self) -> pulumi.Output[str]:
        """The image's id: Cinder fills a root disk from nothing else."""
        found = openstack.images.get_image_output(
            name=self._args.image,
            most_recent=True,
            opts=pulumi.InvokeOutputOptions(parent=self, provider=self._api),
        )
        return found.id

    def _server_groups(self) -> dict[str, pulumi.Output[str]]:
        """The server group of each node: no two managers on one host, and workers apart where that can be.

        Workers are in groups of ten by their numbers. A single manager has a group too: a second would else change the
        first one's, and that replaces it.
        """
        groups: dict[str, openstack.compute.ServerGroup] = {}
        found: dict[str, pulumi.Output[str]] = {}
        for spec in self._args.rented.specs:
            key = "managers" if spec.role == MANAGER else _workers_apart(spec.name)
            if key not in groups:
                groups[key] = openstack.compute.ServerGroup(
                    self.child_name("servers", key),
                    name=physical_name(self._args.rented.prefix, key, limit=_LONGEST_NAME),
                    policies=self._args.manager_policy if spec.role == MANAGER else "soft-anti-affinity",
                    opts=self.child(provider=self._api),
                )
            found[spec.name] = groups[key].id
        return found

    def _node(self, spec: MachineSpec, server_group: pulumi.Input[str]) -> Instance:
        rented = self._args.rented
        return self._instance(
            spec.name,
            spec.role,
            zone=spec.zone,
            user_data=self._node_user_data(spec.name),
            groups=self._firewall.of("nodes", spec.role),
            public=rented.access == "direct",
            allowed_addresses=self._args.allowed_addresses,
            server_group=server_group,
        )

    def _bastion(self) -> JumpHost:
        rented = self._args.rented
        instance = self._instance(
            BASTION,
            BASTION,
            user_data=fitting(beside_user_data(rented), machine=BASTION),
            groups=self._firewall.of(BASTION),
            public=True,
        )
        return JumpHost(
            self.child_name("jump"),
            JumpHostArgs(
                address=instance.reached_at,
                identity=instance.identity,
                user=rented.ssh_user,
                identity_file=rented.identity_file,
                anchor=self._network.network,
            ),
            self.child(),
        )

    def _instance(
        self,
        key: str,
        kind: MachineKind,
        *,
        user_data: pulumi.Input[str],
        groups: tuple[pulumi.Input[str], ...],
        public: bool,
        zone: str | None = None,
        allowed_addresses: tuple[str, ...] = (),
        server_group: pulumi.Input[str] | None = None,
    ) -> Instance:
        args, rented = self._args, self._args.rented
        return Instance(
            self.child_name(key),
            InstanceArgs(
                kind=kind,
                prefix=rented.prefix,
                physical_name=physical_name(rented.prefix, key, limit=_LONGEST_NAME),
                address=rented.addresses[key],
                # Machines beside the swarm are where the first manager is.
                zone=zone or rented.specs[0].zone,
                flavor=rented.types[kind],
                image=args.image,
                boot_volume=args.boot_volume,
                image_id=self._image_id,
                user_data=user_data,
                key_pair=self._key_name,
                groups=groups,
                allowed_addresses=allowed_addresses,
                server_group=server_group,
                external_network=args.external_network if public else None,
                protect=rented.protect,
                network=self._network,
                provider=self._api,
            ),
            self.child(),
        )

    def _node_user_data(self, name: str) -> pulumi.Input[str]:
        """It needs the MTU, which the network knows once it is there, unless the settings say it."""
        rented, mtu = self._args.rented, self._args.mtu
        # Of the longest kind, so that what is too long is refused here, and not when the network is there.
        known = fitting(node_user_data(rented, name, mtu=mtu or LARGEST_UNDERLAY), machine=name)
        if mtu is not None:
            return known
        return self._network.mtu.apply(lambda found: fitting(node_user_data(rented, name, mtu=found), machine=name))

    def _machine(self, spec: MachineSpec) -> Machine:
        rented, instance = self._args.rented, self._instances[spec.name]
        return Machine(
            spec=spec,
            private_address=instance.private_address,
            identity=instance.identity,
            endpoint=SshEndpoint(address=instance.reached_at, port=SSH, user=rented.ssh_user, host_key=None),
            keeps_state=False,
        )

    def volume(self, spec: VolumeSpec, cluster: SwarmCluster) -> StoredVolume:
        """A Cinder volume on its node."""
        args = self._args
        volume = Volume(
            self.child_name("volume", spec.name),
            VolumeArgs(
                prefix=args.rented.prefix,
                spec=spec,
                type=args.volume_types.get(spec.profile),
                zone=args.volume_zone or spec.zone,
                instance=self._instances[spec.node],
                cluster=cluster,
                protect=args.rented.protect,
                provider=self._api,
            ),
            self.child(),
        )
        return volume.stored

    def pool(self, cluster: SwarmCluster) -> None:  # noqa: ARG002 - the protocol's
        """Every machine is one of the plan."""
        return

    def balance(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """Octavia, or a machine with HAProxy; nothing where there is nothing to balance."""
        kind = self._args.rented.balancer
        if kind == "none" or not routes:
            return {}
        return self._octavia(routes) if kind == "managed" else self._haproxy(routes)

    def _octavia(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        args, rented = self._args, self._args.rented
        balancer = LoadBalancer(
            self.child_name(LOAD_BALANCER),
            LoadBalancerArgs(
                physical_name=physical_name(rented.prefix, LOAD_BALANCER),
                address=rented.addresses[LOAD_BALANCER],
                subnet_id=self._network.subnet_id,
                external_network=args.external_network,
                members={spec.name: self._instances[spec.name] for spec in rented.members},
                routes=routes,
                provider=self._api,
            ),
            self.child(),
        )
        return balancer.urls

    def _haproxy(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """The configuration is in the user data: another node or port makes it a new machine, at the same addresses."""
        rented = self._args.rented
        address = self._instance(
            LOAD_BALANCER,
            "balancer",
            user_data=fitting(balancer_user_data(rented, routes), machine=LOAD_BALANCER),
            groups=self._firewall.of("balancer"),
            public=True,
        ).reached_at
        urls = {route.service: route.url(address) for route in routes}
        return {**urls, "statistics": url(address, rented.statistics_port)}


def _workers_apart(worker: str) -> str:
    """The key of a worker's server group, from its number alone: `workers-11-20`."""
    _, number = parse_node_name(worker)
    first = (number - 1) // _MOST_IN_SERVER_GROUP * _MOST_IN_SERVER_GROUP + 1
    return f"workers-{first}-{first + _MOST_IN_SERVER_GROUP - 1}"
