"""Octavia in front of the nodes: a listener for each published port, and a bounded number of nodes behind it, since any
node's port reaches every task."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from components.clouds.openstack.instance import Instance
from components.component import Component
from components.services.route import Route


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`address` is fixed in the subnet `subnet_id`, `external_network` is where the public one comes from; `members`
    are the nodes' machines by name."""

    physical_name: str
    address: str
    subnet_id: pulumi.Input[str]
    external_network: str
    members: Mapping[str, Instance]
    routes: tuple[Route, ...]
    provider: openstack.Provider


class LoadBalancer(Component):
    """The load balancer, its listeners and pools, and the URLs that lead through it."""

    token = "flotilla:openstack:LoadBalancer"
    declares = ("balancer_id", "public_address", "urls")

    balancer_id: pulumi.Output[str]
    public_address: pulumi.Output[str]
    urls: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        balancer = openstack.loadbalancer.LoadBalancer(
            self.child_name("balancer"),
            name=args.physical_name,
            vip_subnet_id=args.subnet_id,
            # An address is there once.
            vip_address=args.address,
            opts=self.child(provider=args.provider, delete_before_replace=True),
        )
        for route in args.routes:
            self._route(route, balancer)
        floating_ip = openstack.networking.FloatingIp(
            self.child_name("public"),
            pool=args.external_network,
            port_id=balancer.vip_port_id,
            description=args.physical_name,
            # Neutron puts no second one on the same address.
            opts=self.child(provider=args.provider, delete_before_replace=True),
        )
        self.publish(
            balancer_id=balancer.id,
            public_address=floating_ip.address,
            urls={route.service: route.url(floating_ip.address) for route in args.routes},
        )

    def _route(self, route: Route, balancer: openstack.loadbalancer.LoadBalancer) -> None:
        """The pool belongs to the balancer, not to the listener: another published port replaces no pool."""
        args = self._args
        # TCP, so that what a service speaks is its own business. Octavia's machines are no group of ours: they reach
        # the nodes by the rule that opens a published port to everybody.
        pool = openstack.loadbalancer.Pool(
            self.child_name("pool", route.service),
            name=route.service,
            loadbalancer_id=balancer.id,
            protocol="TCP",
            lb_method="ROUND_ROBIN",
            opts=self.child(provider=args.provider),
        )
        openstack.loadbalancer.Listener(
            self.child_name("listener", route.service),
            name=route.service,
            loadbalancer_id=balancer.id,
            protocol="TCP",
            protocol_port=route.published,
            default_pool_id=pool.id,
            opts=self.child(provider=args.provider),
        )
        self._monitor(route, pool)
        for node, instance in args.members.items():
            self._member(route, node, instance, pool)

    def _monitor(self, route: Route, pool: openstack.loadbalancer.Pool) -> None:
        openstack.loadbalancer.Monitor(
            self.child_name("monitor", route.service),
            name=route.service,
            pool_id=pool.id,
            type=route.scheme.upper() if route.health_path else "TCP",
            http_method="GET" if route.health_path else None,
            url_path=route.health_path or None,
            expected_codes="200" if route.health_path else None,
            delay=5,
            timeout=3,
            max_retries=2,
            max_retries_down=3,
            # A pool has one monitor.
            opts=self.child(provider=self._args.provider, delete_before_replace=True),
        )

    def _member(self, route: Route, node: str, instance: Instance, pool: openstack.loadbalancer.Pool) -> None:
        openstack.loadbalancer.Member(
            self.child_name("member", route.service, node),
            name=node,
            pool_id=pool.id,
            # By way of the machine: one that is replaced gets no requests in the meantime.
            address=instance.identity.apply(lambda _: instance.private_address),
            protocol_port=route.published,
            subnet_id=self._args.subnet_id,
            opts=self.child(provider=self._args.provider),
        )
