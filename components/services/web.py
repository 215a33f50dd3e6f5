"""nginx with a page that shows which task answered (M50)."""

from dataclasses import dataclass
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services.overlay import Overlay, OverlayArgs
from components.services.route import Route
from components.services.service import Healthcheck, SwarmService, SwarmServiceArgs, mesh_ports
from components.swarm.cluster import Swarm

_NGINX_PORT = 80


@dataclass(frozen=True, kw_only=True)
class WebArgs:
    """`memory` is a limit in bytes; `port` is the published port."""

    replicas: int
    port: int
    memory: int
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource
    cpus: float = 0.25


class Web(Component):
    """The service `web` on an overlay of its own."""

    token = "flotilla:services:Web"
    declares = ("service", "overlay", "route")

    service: SwarmService
    overlay: Overlay
    route: Route

    def __init__(self, name: str, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        overlay = Overlay(self.child_name("overlay"), OverlayArgs(name="web", cluster=args.cluster), self.child())
        service = SwarmService(
            self.child_name("nginx"),
            SwarmServiceArgs(
                name="web",
                image="nginx",
                replicas=args.replicas,
                memory=args.memory,
                cpus=args.cpus,
                healthcheck=Healthcheck(
                    test=("curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{_NGINX_PORT}/healthz"),
                    start_period="5s",
                ),
                networks={"web": overlay.network_id},
                environment={"TASK_NAME": "{{.Task.Name}}", "NODE_NAME": "{{.Node.Hostname}}"},
                ports=mesh_ports(args.publish_mode, target=_NGINX_PORT, published=args.port),
                cluster=args.cluster,
                images=args.images,
            ),
            self.child(),
        )
        route = Route(
            service="web",
            published=args.port,
            target=_NGINX_PORT,
            replicas=args.replicas,
            network_id=overlay.network_id,
            health_path="/healthz",
        )
        self.publish(service=service, overlay=overlay, route=route)
