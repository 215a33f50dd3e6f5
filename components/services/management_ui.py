"""A page to look at the swarm with (M142-M143): Portainer where its image is named, else the small one built here. Both
reach a manager's socket through a proxy alone, and get the administrator's password as a file (E15)."""

from dataclasses import dataclass
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services.container import ContainerOptions
from components.services.engine_filter import Access, endpoint
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route
from components.services.service import (
    FileContent,
    Healthcheck,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
    mesh_ports,
)
from components.services.socket_proxy import SocketProxy, SocketProxyArgs
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm

SERVICE = "ui"
PROXY = "ui-socket-proxy"
_PORT = 9000
_PASSWORD_FILE = "/run/secrets/ui-password"
_PAGE_PATHS = ("/nodes", "/services", "/tasks", "/networks")
_PORTAINER_READS = (
    *("/version", "/info", "/events", "/nodes", "/nodes/{id}", "/services", "/services/{id}", "/tasks", "/tasks/{id}"),
    *("/networks", "/networks/{id}", "/volumes", "/volumes/{id}", "/images/json"),
    *("/containers/json", "/containers/{id}/json", "/containers/{id}/stats"),
)
_PORTAINER_WRITES = (
    *("/nodes/{id}/update", "/services/create", "/services/{id}/update", "/services/{id}/logs", "/tasks/{id}/logs"),
    *("/networks/create", "/volumes/create", "/images/create", "/secrets", "/secrets/create", "/secrets/{id}"),
    *("/configs", "/configs/create", "/configs/{id}", "/containers/{id}", "/containers/{id}/logs"),
    *("/containers/{id}/start", "/containers/{id}/stop", "/containers/{id}/restart", "/containers/{id}/kill"),
)


@dataclass(frozen=True, kw_only=True)
class ManagementUiArgs:
    """`volume` is Portainer's data, and None for the page built here, which keeps nothing; `node` is where that page
    has to run, anywhere when it is empty. `memory` is a limit in bytes; `access` is what the proxy lets through."""

    port: int
    memory: int
    node: str
    access: Access
    volume: StoredVolume | None
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource


class ManagementUi(Component):
    """The service `ui`, the proxy before the socket, their overlays and the password."""

    token = "flotilla:services:ManagementUi"
    declares = ("service", "proxy", "overlay", "route", "password")

    service: SwarmService
    proxy: SocketProxy
    overlay: Overlay
    route: Route
    password: pulumi.Output[str]

    def __init__(self, name: str, args: ManagementUiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        password = Passwords(self).make("password").result
        overlay = Overlay(self.child_name("overlay"), OverlayArgs(name=SERVICE, cluster=args.cluster), self.child())
        proxy = SocketProxy(self.child_name("proxy"), _proxy(args), self.child())
        service = SwarmService(self.child_name("page"), _service(args, overlay, proxy, password), self.child())
        route = Route(
            service=SERVICE,
            published=args.port,
            target=_PORT,
            replicas=1,
            network_id=overlay.network_id,
            # Not whether the swarm answers: the page is what tells that it does not.
            health_path="/api/system/status" if args.volume else "/alive",
        )
        self.publish(service=service, proxy=proxy, overlay=overlay, route=route, password=password)


def _proxy(args: ManagementUiArgs) -> SocketProxyArgs:
    paths = _PAGE_PATHS
    if args.volume is not None:
        paths = (*_PORTAINER_READS, *(_PORTAINER_WRITES if args.access == "write" else ()))
    return SocketProxyArgs(name=PROXY, paths=paths, access=args.access, cluster=args.cluster, images=args.images)


def _service(
    args: ManagementUiArgs, overlay: Overlay, proxy: SocketProxy, password: pulumi.Output[str]
) -> SwarmServiceArgs:
    portainer = args.volume is not None
    return SwarmServiceArgs(
        name=SERVICE,
        image="portainer" if portainer else "ui",
        replicas=1,
        memory=args.memory,
        cpus=1.0,
        container=_portainer_options() if portainer else ContainerOptions(cap_drop=("ALL",), read_only=True),
        healthcheck=_portainer_check() if portainer else _page_check(),
        networks={SERVICE: overlay.network_id, PROXY: proxy.overlay.network_id},
        # By way of the proxy's service, so that the page starts when its check can pass.
        environment={} if portainer else {"UI_ENGINE": proxy.endpoint, "UI_PASSWORD_FILE": _PASSWORD_FILE},
        secrets={"password": FileContent(path=_PASSWORD_FILE, content=password)},
        volumes=(args.volume.at("/data"),) if args.volume else (),
        constraints=(f"node.hostname == {args.node}",) if args.node else (),
        ports=mesh_ports(args.publish_mode, target=_PORT, published=args.port),
        # Two Portainers cannot have one database.
        update=UpdatePolicy(order="stop-first" if portainer else "start-first"),
        cluster=args.cluster,
        images=args.images,
    )


def _page_check() -> Healthcheck:
    """It asks the swarm. A proxy that moves to another manager takes a while, and the page is not to end for it."""
    return Healthcheck(test=("ui-health",), interval="10s", timeout="8s", retries=6)


def _portainer_options() -> ContainerOptions:
    return ContainerOptions(command=("--host", endpoint(PROXY), "--admin-password-file", _PASSWORD_FILE))


def _portainer_check() -> Healthcheck:
    """By what its images on Alpine have; the others have nothing to ask with."""
    words = ("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{_PORT}/api/system/status")
    return Healthcheck(test=words, timeout="5s", start_period="1m")
