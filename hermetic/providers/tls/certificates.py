"""Certificate requests and certificates, with the subjects, names, uses and renewal of the tls plugin."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hermetic.providers.check import Values
from hermetic.providers.driver import Driver, Operation, ProviderError
from hermetic.providers.tls.keys import PrivateKey, algorithm_of, load_key

Clock = Callable[[], datetime.datetime]

_SUBJECT = {
    "commonName": NameOID.COMMON_NAME,
    "country": NameOID.COUNTRY_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "postalCode": NameOID.POSTAL_CODE,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
}
_KEY_USES = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
_EXTENDED_USES = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "ipsec_end_system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
}
USES = frozenset({*_KEY_USES, *_EXTENDED_USES})


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class CertRequestDriver(Driver):
    """`tls.CertRequest`; its id is the SHA-1 of the request."""

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        key = load_key(_key_text(planned, "privateKeyPem"), "privateKeyPem")
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name(planned["subject"]))
        if names := alternative_names(planned):
            builder = builder.add_extension(names, critical=False)
        pem = builder.sign(key, _signature_hash(key)).public_bytes(serialization.Encoding.PEM).decode()
        identity = hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest()
        return identity, planned | {"certRequestPem": pem, "keyAlgorithm": algorithm_of(key)}

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """A request exists only in the state."""


class CertificateDriver(Driver):
    """What self-signed and locally signed certificates share: validity, uses, and renewal when it is due."""

    def __init__(self, clock: Clock = now) -> None:
        self._clock = clock

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        begin = self._clock().replace(microsecond=0)
        end = begin + datetime.timedelta(hours=planned["validityPeriodHours"])
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder().serial_number(serial).not_valid_before(begin).not_valid_after(end)
        certificate, algorithm = self._sign(builder, planned)
        return str(serial), planned | algorithm | {
            "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "validityStartTime": begin.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "validityEndTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **_flags(planned),
            "readyForRenewal": False,
        }

    def _sign(self, builder: x509.CertificateBuilder, planned: Values) -> tuple[x509.Certificate, Values]:
        raise NotImplementedError

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state | {"readyForRenewal": self._is_due(state)}

    def update(self, operation: Operation, identity: str, old: Values, planned: Values) -> Values:
        del operation, identity, old
        return planned | _flags(planned) | {"readyForRenewal": self._is_due(planned)}

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """A certificate exists only in the state."""

    def replaces_when_read(self, state: Values) -> str:
        return "readyForRenewal" if self._is_due(state) else ""

    def _is_due(self, state: Values) -> bool:
        end = state.get("validityEndTime")
        if not end:
            return False
        early = datetime.timedelta(hours=state.get("earlyRenewalHours") or 0)
        return self._clock() >= datetime.datetime.fromisoformat(end) - early


class SelfSignedCertDriver(CertificateDriver):
    """`tls.SelfSignedCert`; its id is its serial number."""

    def _sign(self, builder: x509.CertificateBuilder, planned: Values) -> tuple[x509.Certificate, Values]:
        key = load_key(_key_text(planned, "privateKeyPem"), "privateKeyPem")
        name = subject_name(planned["subject"])
        builder = builder.subject_name(name).issuer_name(name).public_key(key.public_key())
        if names := alternative_names(planned):
            builder = builder.add_extension(names, critical=False)
        builder = _with_uses(builder, planned)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        if planned["setSubjectKeyId"] or planned["isCaCertificate"]:
            builder = builder.add_extension(identifier, critical=False)
        if planned["setAuthorityKeyId"]:
            authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
            builder = builder.add_extension(authority, critical=False)
        return builder.sign(key, _signature_hash(key)), {"keyAlgorithm": algorithm_of(key)}


class LocallySignedCertDriver(CertificateDriver):
    """`tls.LocallySignedCert`: subject, key and names come from the request, the rest from the inputs."""

    def _sign(self, builder: x509.CertificateBuilder, planned: Values) -> tuple[x509.Certificate, Values]:
        key = load_key(_key_text(planned, "caPrivateKeyPem"), "caPrivateKeyPem")
        authority, request = _loaded(planned)
        if not request.is_signature_valid:
            raise ProviderError("certRequestPem carries a signature that is not of its own key")
        builder = builder.subject_name(request.subject).issuer_name(authority.subject).public_key(request.public_key())
        for extension in request.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                builder = builder.add_extension(extension.value, extension.critical)
        builder = _with_uses(builder, planned)
        if planned["setSubjectKeyId"] or planned["isCaCertificate"]:
            identifier = x509.SubjectKeyIdentifier.from_public_key(request.public_key())
            builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(_issuer_identifier(authority), critical=False)
        return builder.sign(key, _signature_hash(key)), {"caKeyAlgorithm": algorithm_of(key)}


def _loaded(planned: Values) -> tuple[x509.Certificate, x509.CertificateSigningRequest]:
    try:
        authority = x509.load_pem_x509_certificate(planned["caCertPem"].encode())
    except ValueError as error:
        raise ProviderError("caCertPem is not a certificate in PEM form") from error
    try:
        return authority, x509.load_pem_x509_csr(planned["certRequestPem"].encode())
    except ValueError as error:
        raise ProviderError("certRequestPem is not a certificate request in PEM form") from error


def _issuer_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_authority_key(authority))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _authority_key(authority: x509.Certificate) -> Any:
    return authority.public_key()


def _key_text(planned: Values, field: str) -> str:
    text = planned[field]
    if not text:
        raise ProviderError(f"{field} is missing: give the private key in PEM form")
    return str(text)


def _flags(planned: Values) -> Values:
    names = [name for name in ("isCaCertificate", "setSubjectKeyId", "setAuthorityKeyId") if name in planned]
    return {name: bool(planned[name]) for name in names} | {"earlyRenewalHours": planned["earlyRenewalHours"] or 0}


def _signature_hash(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def subject_name(subject: Mapping[str, Any] | None) -> x509.Name:
    """A distinguished name of the parts that are given."""
    parts = [x509.NameAttribute(oid, subject[name]) for name, oid in _SUBJECT.items() if subject and subject.get(name)]
    streets = (subject or {}).get("streetAddresses") or []
    return x509.Name(parts + [x509.NameAttribute(NameOID.STREET_ADDRESS, street) for street in streets])


def alternative_names(planned: Values) -> x509.SubjectAlternativeName | None:
    """DNS names, addresses and URIs as one extension, None when there are none."""
    try:
        addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in planned["ipAddresses"] or []]
    except ValueError as error:
        raise ProviderError(f"ipAddresses: {error}") from error
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in planned["dnsNames"] or []]
    names += addresses
    names += [x509.UniformResourceIdentifier(uri) for uri in planned["uris"] or []]
    return x509.SubjectAlternativeName(names) if names else None


def _with_uses(builder: x509.CertificateBuilder, planned: Values) -> x509.CertificateBuilder:
    wanted = set(planned["allowedUses"])
    authority = bool(planned["isCaCertificate"])
    path_length = planned["maxPathLength"] if authority and (planned["maxPathLength"] or -1) >= 0 else None
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    key_uses = {argument: use in wanted for use, argument in _KEY_USES.items()}
    if any(key_uses.values()):
        if not key_uses["key_agreement"]:
            key_uses |= {"encipher_only": False, "decipher_only": False}
        builder = builder.add_extension(x509.KeyUsage(**key_uses), critical=True)
    extended = [oid for use, oid in _EXTENDED_USES.items() if use in wanted]
    return builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False) if extended else builder
