"""A proxy between services that look at the swarm and a manager's Docker socket: they reach named paths of the Engine's
API over an overlay, in place of the socket itself, which is as good as root on every node (E15)."""

from dataclasses import dataclass

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services import engine_filter
from components.services.container import ContainerOptions
from components.services.engine_filter import Access
from components.services.haproxy import CONFIGURATION_PATH
from components.services.overlay import Overlay, OverlayArgs
from components.services.service import FileContent, Healthcheck, SwarmService, SwarmServiceArgs
from components.storage.volume import Mount
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class SocketProxyArgs:
    """`name` is that of the service and of its overlay, on which only its clients belong; `paths` are what they may
    ask for (`/services/{id}`). `replicas` is None for one on every manager; `memory` is in bytes."""

    name: str
    cluster: Swarm
    images: ImageSource
    paths: tuple[str, ...] = engine_filter.SWARM_PATHS
    access: Access = "read"
    replicas: int | None = 1
    memory: int = 64 * 2**20
    cpus: float = 0.5

    def __post_init__(self) -> None:
        engine_filter.check_paths(self.paths, self.access, field=f"service {self.name}: paths")


class SocketProxy(Component):
    """HAProxy on a manager, and the overlay to it. `endpoint` is what clients take for DOCKER_HOST."""

    token = "flotilla:services:SocketProxy"
    declares = ("service", "overlay", "endpoint", "configuration")

    service: SwarmService
    overlay: Overlay
    endpoint: pulumi.Output[str]
    configuration: str

    def __init__(self, name: str, args: SocketProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        configuration = engine_filter.render(args.paths, args.access)
        overlay = Overlay(self.child_name("overlay"), _overlay(args), self.child())
        service = SwarmService(self.child_name("haproxy"), _service(args, overlay, configuration), self.child())
        self.publish(
            service=service,
            overlay=overlay,
            # By way of the service, so that clients begin when it answers.
            endpoint=service.service_name.apply(engine_filter.endpoint),
            configuration=configuration,
        )


def _overlay(args: SocketProxyArgs) -> OverlayArgs:
    # Nothing on it needs a way out.
    return OverlayArgs(name=args.name, internal=True, cluster=args.cluster)


def _service(args: SocketProxyArgs, overlay: Overlay, configuration: str) -> SwarmServiceArgs:
    return SwarmServiceArgs(
        name=args.name,
        image="haproxy",
        replicas=args.replicas,
        memory=args.memory,
        cpus=args.cpus,
        container=ContainerOptions(
            command=("haproxy", "-db", "-f", CONFIGURATION_PATH),
            # The socket is its owner's, root's, and its group's, whose number every distribution chooses anew. Root
            # without capabilities is nothing but that owner.
            user="0:0",
            cap_drop=("ALL",),
            read_only=True,
        ),
        healthcheck=Healthcheck(
            test=("curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{engine_filter.PORT}{engine_filter.PING}")
        ),
        networks={args.name: overlay.network_id},
        configs={"configuration": FileContent(path=CONFIGURATION_PATH, content=configuration)},
        mounts=(Mount(type="bind", source=engine_filter.SOCKET, target=engine_filter.SOCKET, read_only=True),),
        constraints=("node.role == manager",),
        cluster=args.cluster,
        images=args.images,
    )
