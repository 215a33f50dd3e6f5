"""A network load balancer in front of the nodes: a listener for each published port, and a bounded number of nodes
behind it, since any node's port reaches every task."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.clouds.aws.names import balancer_name
from components.component import Component
from components.services.route import Route


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`members` are ids of instances by their nodes' names; `group_name` is an autoscaling group whose machines are
    members too, None without a pool."""

    prefix: str
    vpc_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    members: Mapping[str, pulumi.Input[str]]
    group_name: pulumi.Input[str] | None
    routes: tuple[Route, ...]
    protect: bool
    provider: aws.Provider


class LoadBalancer(Component):
    """The load balancer, its listeners and target groups, and the URLs that lead through it."""

    token = "flotilla:aws:LoadBalancer"
    declares = ("balancer_arn", "dns_name", "urls")

    balancer_arn: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    urls: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        balancer = aws.lb.LoadBalancer(
            self.child_name("balancer"),
            name=balancer_name(args.prefix),
            load_balancer_type="network",
            internal=False,
            subnets=list(args.subnet_ids),
            # Its nodes are in any zone, and a zone's own may all be gone.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=args.protect,
            opts=self.child(provider=args.provider),
        )
        for route in args.routes:
            self._route(route, balancer)
        self.publish(
            balancer_arn=balancer.arn,
            dns_name=balancer.dns_name,
            urls={route.service: route.url(balancer.dns_name) for route in args.routes},
        )

    def _route(self, route: Route, balancer: aws.lb.LoadBalancer) -> None:
        args = self._args
        pool = self._pool(route)
        aws.lb.Listener(
            self.child_name("listener", route.service),
            load_balancer_arn=balancer.arn,
            port=route.published,
            protocol="TCP",
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=pool.arn)],
            opts=self.child(provider=args.provider),
        )
        for node, instance_id in args.members.items():
            aws.lb.TargetGroupAttachment(
                self.child_name("member", route.service, node),
                target_group_arn=pool.arn,
                target_id=instance_id,
                port=route.published,
                opts=self.child(provider=args.provider),
            )
        if args.group_name is not None:
            aws.autoscaling.Attachment(
                self.child_name("member", route.service, "pool"),
                autoscaling_group_name=args.group_name,
                lb_target_group_arn=pool.arn,
                opts=self.child(provider=args.provider),
            )

    def _pool(self, route: Route) -> aws.lb.TargetGroup:
        """A target group. Its port cannot be changed, and one that a listener uses cannot be deleted: so the port is in
        its name, and the new one is there before the old one goes."""
        args = self._args
        return aws.lb.TargetGroup(
            self.child_name("pool", route.service),
            name=balancer_name(args.prefix, route.service, str(route.published)),
            vpc_id=args.vpc_id,
            target_type="instance",
            protocol="TCP",
            port=route.published,
            # Services see who asks; the rule that opens a published port to everybody lets the requests in.
            preserve_client_ip="true",
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                protocol=route.scheme.upper() if route.health_path else "TCP",
                path=route.health_path or None,
                port="traffic-port",
                interval=10,
                timeout=6,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
            opts=self.child(provider=args.provider, delete_before_replace=False),
        )
