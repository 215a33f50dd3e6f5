"""The VPC of a stack: a public subnet in every zone, private ones for machines that have no public address, and the
ways out. Everything of a zone hangs on the zone's name alone, so that another zone replaces nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.naming import physical_name
from components.plan.addresses import ZoneSubnets, fixed_part
from components.plan.ports import ANYWHERE

Nat = Literal["none", "one", "per_zone"]


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`network` is the CIDR of the VPC; `private` says whether machines have subnets of their own; `nat` is how many
    gateways these have to the internet: with `one`, all go through the first zone. With `pool`, an autoscaling group
    shares the subnets of machines."""

    prefix: str
    network: str
    zones: Mapping[str, ZoneSubnets]
    region: str
    private: bool
    nat: Nat
    pool: bool
    provider: aws.Provider

    @property
    def nat_zones(self) -> tuple[str, ...]:
        """Zones with a NAT gateway."""
        zones = tuple(sorted(self.zones)) if self.private else ()
        return {"none": (), "one": zones[:1], "per_zone": zones}[self.nat]


class Network(Component):
    """VPC, subnets and routes. Subnets, by zone, are given as what lies in them needs them: with their way out."""

    token = "flotilla:aws:Network"
    declares = ("vpc", "public_subnets", "machine_subnets")

    vpc: aws.ec2.Vpc
    public_subnets: dict[str, pulumi.Output[str]]
    machine_subnets: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        vpc = aws.ec2.Vpc(
            self.child_name("vpc"),
            cidr_block=args.network,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags(),
            opts=self._child(),
        )
        self._vpc_id = vpc.id
        public_table = self._table("public-routes")
        public_routes = self._public_route(public_table)
        public = {
            zone: self._subnet("public", zone, subnets.public, public_routes) for zone, subnets in args.zones.items()
        }
        private_tables = {zone: self._table("private-routes", zone) for zone in args.zones} if args.private else {}
        private = self._private(private_tables, public)
        self._s3_endpoint([public_table, *private_tables.values()])
        self.publish(vpc=vpc, public_subnets=public, machine_subnets=private or public)

    def _child(self) -> pulumi.ResourceOptions:
        return self.child(provider=self._args.provider)

    def _tags(self, *keys: str) -> dict[str, str]:
        return {"Name": physical_name(self._args.prefix, *keys, limit=255)}

    def _table(self, *keys: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            self.child_name(*keys), vpc_id=self._vpc_id, tags=self._tags(*keys), opts=self._child()
        )

    def _public_route(self, table: aws.ec2.RouteTable) -> pulumi.Output[str]:
        """The table, by way of its route to the internet."""
        gateway = aws.ec2.InternetGateway(
            self.child_name("gateway"), vpc_id=self._vpc_id, tags=self._tags(), opts=self._child()
        )
        route = aws.ec2.Route(
            self.child_name("public-route"),
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=self._child(),
        )
        return route.route_table_id

    def _subnet(self, kind: str, zone: str, network: IPv4Network, table_id: pulumi.Output[str]) -> pulumi.Output[str]:
        """The subnet, by way of its routes: the first boot of what lies in it needs them (it installs packages)."""
        subnet = aws.ec2.Subnet(
            self.child_name(kind, zone),
            vpc_id=self._vpc_id,
            availability_zone=zone,
            cidr_block=str(network),
            # Each machine says for itself whether it has a public address.
            map_public_ip_on_launch=False,
            tags=self._tags(kind, zone),
            opts=self._child(),
        )
        association = aws.ec2.RouteTableAssociation(
            self.child_name(f"{kind}-association", zone),
            subnet_id=subnet.id,
            route_table_id=table_id,
            # What takes an automatic address knows the subnet by its routes, and must not come before the reservation.
            # Not by way of that one's output: a reservation that is replaced would replace machines.
            opts=self.child(provider=self._args.provider, depends_on=[self._reservation(kind, zone, network, subnet)]),
        )
        return association.subnet_id.apply(str)

    def _reservation(
        self, kind: str, zone: str, network: IPv4Network, subnet: aws.ec2.Subnet
    ) -> aws.ec2.SubnetCidrReservation:
        """Load balancers, NAT gateways and pools take any other address than those that belong to names."""
        return aws.ec2.SubnetCidrReservation(
            self.child_name(f"{kind}-fixed", zone),
            subnet_id=subnet.id,
            cidr_block=str(fixed_part(network, pool=self._args.pool)),
            reservation_type="explicit",
            description="addresses that belong to names",
            # Two of a VPC must not overlap.
            opts=self.child(provider=self._args.provider, delete_before_replace=True),
        )

    def _private(
        self, tables: Mapping[str, aws.ec2.RouteTable], public: Mapping[str, pulumi.Output[str]]
    ) -> dict[str, pulumi.Output[str]]:
        gateways = {zone: self._nat_gateway(zone, public[zone]) for zone in self._args.nat_zones}
        private: dict[str, pulumi.Output[str]] = {}
        for zone, table in tables.items():
            table_id = table.id
            if gateways:
                route = aws.ec2.Route(
                    self.child_name("private-route", zone),
                    route_table_id=table_id,
                    destination_cidr_block=ANYWHERE,
                    nat_gateway_id=gateways.get(zone, gateways[min(gateways)]).id,
                    opts=self._child(),
                )
                table_id = route.route_table_id
            private[zone] = self._subnet("private", zone, self._args.zones[zone].private, table_id)
        return private

    def _nat_gateway(self, zone: str, subnet_id: pulumi.Output[str]) -> aws.ec2.NatGateway:
        address = aws.ec2.Eip(
            self.child_name("nat-address", zone), domain="vpc", tags=self._tags("nat", zone), opts=self._child()
        )
        return aws.ec2.NatGateway(
            self.child_name("nat", zone),
            subnet_id=subnet_id,
            allocation_id=address.id,
            tags=self._tags("nat", zone),
            opts=self._child(),
        )

    def _s3_endpoint(self, tables: list[aws.ec2.RouteTable]) -> None:
        """S3 without a NAT gateway in between, which would charge for every byte."""
        aws.ec2.VpcEndpoint(
            self.child_name("s3"),
            vpc_id=self._vpc_id,
            service_name=f"com.amazonaws.{self._args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            tags=self._tags("s3"),
            opts=self._child(),
        )
