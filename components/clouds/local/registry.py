"""The registry that the machines pull from: a container with the built images inside, serving TLS with a certificate
of the stack's own authority (M134-M136, E15)."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_tls as tls

from components.clouds.local.network import Network
from components.component import Component

PORT = 5000
_TEN_YEARS_HOURS = 87_600


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
        authority_key = self._key("authority-key", args.tls_provider)
        authority = tls.SelfSignedCert(
            self.child_name("authority"),
            private_key_pem=authority_key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{args.physical_name} authority"),
            is_ca_certificate=True,
            validity_period_hours=_TEN_YEARS_HOURS,
            allowed_uses=["cert_signing", "crl_signing"],
            opts=self.child(provider=args.tls_provider),
        )
        key = self._key("server-key", args.tls_provider)
        certificate = self._certificate(args, key, authority_key, authority)
        container = self._container(args, key, certificate)
        self.publish(
            # Through the container's name, so that who pulls waits for the registry; a name is known in a preview.
            endpoint=container.name.apply(lambda _: f"{args.address}:{PORT}"),
            authority=authority.cert_pem,
            container_id=container.id,
        )

    def _key(self, key: str, provider: tls.Provider) -> tls.PrivateKey:
        return tls.PrivateKey(
            self.child_name(key), algorithm="ECDSA", ecdsa_curve="P256", opts=self.child(provider=provider)
        )

    def _certificate(
        self, args: RegistryArgs, key: tls.PrivateKey, authority_key: tls.PrivateKey, authority: tls.SelfSignedCert
    ) -> tls.LocallySignedCert:
        request = tls.CertRequest(
            self.child_name("request"),
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=args.physical_name),
            ip_addresses=[args.address, "127.0.0.1"],
            dns_names=["localhost"],
            opts=self.child(provider=args.tls_provider),
        )
        return tls.LocallySignedCert(
            self.child_name("certificate"),
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=authority_key.private_key_pem,
            ca_cert_pem=authority.cert_pem,
            validity_period_hours=_TEN_YEARS_HOURS,
            allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
            opts=self.child(provider=args.tls_provider),
        )

    def _container(
        self, args: RegistryArgs, key: tls.PrivateKey, certificate: tls.LocallySignedCert
    ) -> docker.Container:
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
                    file="/etc/flotilla/registry.crt", content=certificate.cert_pem, permissions="0644"
                ),
                docker.ContainerUploadArgs(
                    file="/etc/flotilla/registry.key", content=key.private_key_pem, permissions="0600"
                ),
            ],
            # An image's own HEALTHCHECK is read back although it was not asked for.
            opts=self.child(provider=args.provider, ignore_changes=["healthcheck"]),
        )
