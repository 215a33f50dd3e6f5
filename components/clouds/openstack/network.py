"""The machines' network in Neutron: a subnet of fixed addresses behind a router that leads outside."""

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_openstack as openstack

from components.component import Component
from components.plan.addresses import own_addresses


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`cidr` is the one subnet's, `external_network` the name of the network that the router leads to; without
    `nameservers` machines are given the cloud's own."""

    physical_name: str
    cidr: str
    gateway: str
    external_network: str
    nameservers: tuple[str, ...]
    provider: openstack.Provider


class Network(Component):
    """Network, subnet and router."""

    token = "flotilla:openstack:Network"
    declares = ("network", "network_id", "subnet_id", "mtu")

    network: openstack.networking.Network
    network_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]
    mtu: pulumi.Output[int]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        network = openstack.networking.Network(
            self.child_name("network"), name=args.physical_name, opts=self.child(provider=args.provider)
        )
        subnet = self._subnet(args, network)
        interface = openstack.networking.RouterInterface(
            self.child_name("interface"),
            router_id=self._router(args).id,
            subnet_id=subnet.id,
            opts=self.child(provider=args.provider),
        )
        self.publish(
            network=network,
            network_id=network.id,
            # The interface's: a machine installs packages at its first boot and has a floating address, so that it
            # comes after the way outside, and goes before it.
            subnet_id=interface.subnet_id,
            mtu=network.mtu,
        )

    def _subnet(self, args: NetworkArgs, network: openstack.networking.Network) -> openstack.networking.Subnet:
        first, last = own_addresses(IPv4Network(args.cidr))
        return openstack.networking.Subnet(
            self.child_name("subnet"),
            name=args.physical_name,
            network_id=network.id,
            cidr=args.cidr,
            ip_version=4,
            gateway_ip=args.gateway,
            enable_dhcp=True,
            dns_nameservers=list(args.nameservers) or None,
            # Neutron's own ports (DHCP, Octavia) take any free address of the pool: the machines' are outside of it.
            allocation_pools=[openstack.networking.SubnetAllocationPoolArgs(start=str(first), end=str(last))],
            opts=self.child(provider=args.provider),
        )

    def _router(self, args: NetworkArgs) -> openstack.networking.Router:
        external = openstack.networking.get_network_output(
            name=args.external_network,
            external=True,
            opts=pulumi.InvokeOutputOptions(parent=self, provider=args.provider),
        )
        return openstack.networking.Router(
            self.child_name("router"),
            name=args.physical_name,
            external_network_id=external.id,
            opts=self.child(provider=args.provider),
        )
