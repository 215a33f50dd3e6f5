"""A server's TLS certificate from an authority of its own (E15): who is given the authority's certificate knows this
server from every other, and no authority of the world has to be asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls

from components.component import Component

_TEN_YEARS_HOURS = 87_600


@dataclass(frozen=True, kw_only=True)
class ServerCertificate:
    """PEM texts: `authority` is for clients, `certificate` and `key` (secret) for the server."""

    authority: pulumi.Output[str]
    certificate: pulumi.Output[str]
    key: pulumi.Output[str]


def server_certificate(
    owner: Component,
    *,
    subject: str,
    ip_addresses: Sequence[str],
    dns_names: Sequence[str],
    provider: tls.Provider,
) -> ServerCertificate:
    """Keys, authority and certificate as children of `owner`. Other names are another certificate of the same
    authority, so that clients go on trusting it."""
    authority_key = _key(owner, "authority-key", provider)
    authority = tls.SelfSignedCert(
        owner.child_name("authority"),
        private_key_pem=authority_key.private_key_pem,
        subject=tls.SelfSignedCertSubjectArgs(common_name=f"{subject} authority"),
        is_ca_certificate=True,
        validity_period_hours=_TEN_YEARS_HOURS,
        allowed_uses=["cert_signing", "crl_signing"],
        opts=owner.child(provider=provider),
    )
    key = _key(owner, "server-key", provider)
    request = tls.CertRequest(
        owner.child_name("request"),
        private_key_pem=key.private_key_pem,
        subject=tls.CertRequestSubjectArgs(common_name=subject),
        ip_addresses=list(ip_addresses),
        dns_names=list(dns_names),
        opts=owner.child(provider=provider),
    )
    certificate = tls.LocallySignedCert(
        owner.child_name("certificate"),
        cert_request_pem=request.cert_request_pem,
        ca_private_key_pem=authority_key.private_key_pem,
        ca_cert_pem=authority.cert_pem,
        validity_period_hours=_TEN_YEARS_HOURS,
        allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
        opts=owner.child(provider=provider),
    )
    return ServerCertificate(authority=authority.cert_pem, certificate=certificate.cert_pem, key=key.private_key_pem)


def _key(owner: Component, name: str, provider: tls.Provider) -> tls.PrivateKey:
    return tls.PrivateKey(
        owner.child_name(name), algorithm="ECDSA", ecdsa_curve="P256", opts=owner.child(provider=provider)
    )
