"""The proxy on every node that stands in for Swarm's routing mesh where the kernel has no IP_VS: it publishes each
port in host mode and forwards to the tasks over the overlays, so that any node's port reaches any task (M80)."""

from dataclasses import dataclass

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services import haproxy
from components.services.route import Route
from components.services.service import (
    FileContent,
    Healthcheck,
    PublishedPort,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
)
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """`routes` are the published ports of all products; `memory` is in bytes."""

    routes: tuple[Route, ...]
    cluster: Swarm
    images: ImageSource
    memory: int = 96 * 2**20
    cpus: float = 0.5


class Edge(Component):
    """HAProxy as a global service."""

    token = "flotilla:services:Edge"
    declares = ("service", "service_id", "configuration")

    service: SwarmService
    service_id: pulumi.Output[str]
    configuration: str

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        configuration = haproxy.render([_frontend(route) for route in args.routes])
        service = SwarmService(
            self.child_name("haproxy"),
            SwarmServiceArgs(
                name="edge",
                image="haproxy",
                replicas=None,
                memory=args.memory,
                cpus=args.cpus,
                healthcheck=Healthcheck(
                    test=("curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{haproxy.HEALTH_PORT}/healthz")
                ),
                networks={route.network_key: route.network_id for route in args.routes},
                configs={"configuration": FileContent(path=haproxy.CONFIGURATION_PATH, content=configuration)},
                ports=tuple(
                    PublishedPort(target=route.published, published=route.published, mode="host")
                    for route in args.routes
                ),
                # A port in host mode is free only after the old task stopped.
                update=UpdatePolicy(order="stop-first"),
                cluster=args.cluster,
                images=args.images,
            ),
            self.child(),
        )
        self.publish(service=service, service_id=service.service_id, configuration=configuration)


def _frontend(route: Route) -> haproxy.Frontend:
    return haproxy.Frontend(
        name=route.service,
        port=route.published,
        health_path=route.health_path,
        secure=route.secure,
        backend=f"tasks.{route.backend_name}",
        backend_port=route.target,
        expected=route.replicas,
        read_only=route.read_only,
    )
