"""The registry that the machines pull from: a container with the built images inside, serving TLS with a certificate
of the stack's own authority (M134-M136, E15)."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_tls as tls

from components.certificate import ServerCertificate, server_certificate
from components.clouds.local.network import Network
from components.component import Component

PORT = 5000


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`image` is the local tag of the image that holds the blobs; `address` the fixed address in the network."""

    physical_name: str
    image: str
    address: str
    network: Network
    labels: tuple[docker.ContainerLabelArgs, ...]
    provider: docker.Provider
    tls_provider: tls.Provider


class Registry(Component):
    """Certificate authority, server certificate and the registry container."""

    token = "flotilla:local:Registry"
    declares = ("endpoint", "authority", "container_id")

    endpoint: pulumi.Output[str]
    authority: pulumi.Output[str]
    container_id: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        certificate = server_certificate(
            self,
            subject=args.physical_name,
            ip_addresses=[args.address, "127.0.0.1"],
            dns_names=["localhost"],
            provider=args.tls_provider,
        )
        container = self._container(args, certificate)
        self.publish(
            # Through the container's name, so that who pulls waits for the registry; a name is known in a preview.
            endpoint=container.name.apply(lambda _: f"{args.address}:{PORT}"),
            authority=certificate.authority,
            container_id=container.id,
        )

    def _container(self, args: RegistryArgs, certificate: ServerCertificate) -> docker.Container:
        return docker.Container(
            self.child_name("container"),
            name=args.physical_name,
            image=args.image,
            hostname="registry",
            restart="unless-stopped",
            memory=512,
            memory_swap=512,
            log_driver="local",
            labels=list(args.labels),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=args.network.network_name, ipv4_address=args.address)
            ],
            uploads=[
                docker.ContainerUploadArgs(
                    file="/etc/flotilla/registry.crt", content=certificate.certificate, permissions="0644"
                ),
                docker.ContainerUploadArgs(
                    file="/etc/flotilla/registry.key", content=certificate.key, permissions="0600"
                ),
            ],
            # An image's own HEALTHCHECK is read back although it was not asked for.
            opts=self.child(provider=args.provider, ignore_changes=["healthcheck"]),
        )
