"""The users' own registry inside the swarm (M134-M136, M62): one task beside its volume, with a certificate of its own
authority and a password (E15). Passed on as it is by every proxy on the way, so that TLS ends in the task."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

import pulumi
import pulumi_tls as tls

from components.certificate import ServerCertificate, server_certificate
from components.clouds.cloud import ImageSource
from components.component import Component
from components.services.container import ContainerOptions
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route, SecureRoute
from components.services.service import (
    FileContent,
    Healthcheck,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
    mesh_ports,
)
from components.storage.volume import Mount, StoredVolume
from components.swarm.cluster import Swarm

REGISTRY = "registry"
LOOPBACK = "127.0.0.1"
"""Where every node reaches the registry, and Docker asks for no certificate (all of 127.0.0.0/8)."""
_PORT = 5000
_USER = "5000"
"""The number of the user `registry` in the image."""


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`user` logs in, with another password for another `rotation`; `names` are host names and addresses that clients
    call the registry by, beside 127.0.0.1 and the service's own name; `memory` is a limit in bytes; `volume` holds the
    images."""

    user: str
    rotation: str
    names: tuple[str, ...]
    port: int
    memory: int
    volume: StoredVolume
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource


class Registry(Component):
    """The service `registry`, its overlay, its certificate and its password."""

    token = "flotilla:services:Registry"
    declares = ("service", "overlay", "route", "authority", "password")

    service: SwarmService
    overlay: Overlay
    route: Route
    authority: pulumi.Output[str]
    password: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._passwords = Passwords(self)
        addresses, hosts = _alternatives(args.names)
        certificate = server_certificate(
            self,
            subject=REGISTRY,
            ip_addresses=addresses,
            dns_names=hosts,
            provider=tls.Provider(self.child_name("tls"), opts=self.child()),
        )
        password = self._passwords.make(
            "password", keepers={"rotation": args.rotation} if args.rotation else None
        ).result
        overlay = Overlay(self.child_name("overlay"), OverlayArgs(name=REGISTRY, cluster=args.cluster), self.child())
        service = SwarmService(
            self.child_name("server"), self._server(args, overlay, certificate, password), self.child()
        )
        route = SecureRoute(
            service=REGISTRY,
            published=args.port,
            target=_PORT,
            replicas=1,
            network_id=overlay.network_id,
            # Asks for no password, and fails when the volume does.
            health_path="/",
        )
        self.publish(
            service=service,
            overlay=overlay,
            route=route,
            authority=certificate.authority,
            password=password,
        )

    def _server(
        self, args: RegistryArgs, overlay: Overlay, certificate: ServerCertificate, password: pulumi.Output[str]
    ) -> SwarmServiceArgs:
        return SwarmServiceArgs(
            name=REGISTRY,
            image="registry-service",
            container=ContainerOptions(
                command=("registry-service-start", args.user), read_only=True, cap_drop=("ALL",)
            ),
            replicas=1,
            memory=args.memory,
            cpus=1.0,
            healthcheck=Healthcheck(test=("registry-service-health",), interval="10s", timeout="5s"),
            networks={REGISTRY: overlay.network_id},
            secrets={
                "user-password": _private("registry-password", password),
                "upload-secret": _private("registry-http", self._passwords.make("http").result),
                "private-key": _private("registry-key", certificate.key),
            },
            configs={
                "server-certificate": FileContent(path="/etc/flotilla/registry.crt", content=certificate.certificate),
                "trusted-authority": FileContent(path="/etc/flotilla/authority.crt", content=certificate.authority),
            },
            volumes=(args.volume.at("/var/lib/registry"),),
            mounts=(Mount(type="tmpfs", target="/run/registry", size=2**20, mode=0o1777),),
            ports=mesh_ports(args.publish_mode, target=_PORT, published=args.port),
            # Two registries on one volume know nothing of each other's uploads.
            update=UpdatePolicy(order="stop-first"),
            # Longer than the registry itself waits for uploads.
            stop_grace_period="30s",
            cluster=args.cluster,
            images=args.images,
        )


def _private(name: str, content: pulumi.Output[str]) -> FileContent:
    return FileContent(path=f"/run/secrets/{name}", content=content, mode=0o400, uid=_USER, gid=_USER)


def _alternatives(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Addresses and host names of the certificate, each once and in an order of their own: the order in the settings
    means nothing."""
    found = {LOOPBACK, "localhost", REGISTRY, *names}
    addresses = {name for name in found if is_address(name)}
    return sorted(addresses, key=IPv4Address), sorted(found - addresses)


def is_address(name: str) -> bool:
    """Whether a name is an IPv4 address: a certificate has these in a list of their own."""
    return name.replace(".", "").isdigit()
