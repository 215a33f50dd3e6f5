"""HAProxy outside the swarm (M144-M146): a container beside the machines with every node as a checked backend, because
a load balancer inside would itself sit behind the ports that it balances, and one backend would be one point of
failure (E16). It finds the nodes by the alias that they share in Docker's DNS, so that a new worker becomes a backend
without a change here."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.clouds.local.labels import STACK_LABEL
from components.clouds.local.network import NODES_ALIAS, Network
from components.component import Component
from components.naming import physical_name
from components.services import haproxy
from components.services.route import Route


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`address` is in the machines' network, `listen` on the user's computer; `nodes` counts the machines."""

    prefix: str
    image: str
    address: str
    listen: str
    statistics_port: int
    routes: tuple[Route, ...]
    nodes: int
    network: Network
    provider: docker.Provider


class LoadBalancer(Component):
    """The HAProxy container and the URLs that lead through it."""

    token = "flotilla:local:LoadBalancer"
    declares = ("container_id", "configuration", "urls")

    container_id: pulumi.Output[str]
    configuration: str
    urls: dict[str, str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        configuration = haproxy.render(
            [_frontend(route, args.nodes) for route in args.routes], statistics_port=args.statistics_port
        )
        ports = sorted({route.published for route in args.routes} | {args.statistics_port})
        container = docker.Container(
            self.child_name("container"),
            name=physical_name(args.prefix, "load-balancer"),
            image=args.image,
            hostname="load-balancer",
            restart="unless-stopped",
            memory=128,
            memory_swap=128,
            log_driver="local",
            labels=[docker.ContainerLabelArgs(label=STACK_LABEL, value=args.prefix)],
            uploads=[docker.ContainerUploadArgs(file=haproxy.CONFIGURATION_PATH, content=configuration)],
            ports=[docker.ContainerPortArgs(internal=port, external=port, ip=args.listen) for port in ports],
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=args.network.network_name, ipv4_address=args.address)
            ],
            # An image's own HEALTHCHECK is read back although it was not asked for.
            opts=self.child(provider=args.provider, ignore_changes=["healthcheck"]),
        )
        urls = {route.service: f"{route.scheme}://{args.listen}:{route.published}/" for route in args.routes}
        self.publish(
            container_id=container.id,
            configuration=configuration,
            urls={**urls, "statistics": f"http://{args.listen}:{args.statistics_port}/"},
        )


def _frontend(route: Route, nodes: int) -> haproxy.Frontend:
    return haproxy.Frontend(
        name=route.service,
        port=route.published,
        health_path=route.health_path,
        secure=route.secure,
        backend=NODES_ALIAS,
        backend_port=route.published,
        expected=nodes,
    )
