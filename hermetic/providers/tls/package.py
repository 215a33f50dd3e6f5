"""The tls stand-in put together: its rules and drivers. Nothing of it exists outside the state."""

from __future__ import annotations

from typing import Any

from hermetic.providers.driver import Driver, Package
from hermetic.providers.rules import Rules, at_least, matches, paths
from hermetic.providers.tls.certificates import USES, CertRequestDriver, LocallySignedCertDriver, SelfSignedCertDriver
from hermetic.providers.tls.keys import PrivateKeyDriver

_VERSION = "5.6.2"


def _known_use(value: Any) -> str | None:
    known = ", ".join(sorted(USES))
    return None if value in USES else f"'{value}' is not a use of a certificate: use one of {known}"


def _write_only(value: Any) -> str:
    del value
    return "write-only keys are not supported by this engine's stand-in: give the key as a secret"


_SUBJECT_PARTS = (
    "subject.{commonName,country,emailAddress,locality,organization,organizationalUnit,postalCode,province,serialNumber,"
    "streetAddresses}"
)
_NAMES = f"subject {_SUBJECT_PARTS} dnsNames ipAddresses uris"
_SIGNING = "allowedUses validityPeriodHours isCaCertificate maxPathLength setSubjectKeyId"
_CERTIFICATE = (
    "certPem readyForRenewal validityStartTime validityEndTime earlyRenewalHours isCaCertificate setSubjectKeyId"
)
_VALIDITY = {"allowedUses": _known_use, "earlyRenewalHours": at_least(0), "validityPeriodHours": at_least(0)}

_PRIVATE_KEY = Rules(
    resource_type="tls:index/privateKey:PrivateKey",
    autoname=False,
    computed=paths(
        "ecdsaCurve rsaBits privateKeyOpenssh privateKeyPem privateKeyPemPkcs8 publicKeyFingerprintMd5 "
        "publicKeyFingerprintSha256 publicKeyOpenssh publicKeyPem"
    ),
    validations={"algorithm": matches("^(RSA|ECDSA|ED25519)$"), "ecdsaCurve": matches("^P(224|256|384|521)$")},
    secret_outputs=paths("privateKeyOpenssh privateKeyPem privateKeyPemPkcs8"),
)
_CERT_REQUEST = Rules(
    resource_type="tls:index/certRequest:CertRequest",
    autoname=False,
    replaces=paths(f"{_NAMES} privateKeyPem privateKeyPemWoVersion"),
    computed=paths("certRequestPem keyAlgorithm"),
    validations={"privateKeyPemWo": _write_only},
    secret_outputs=paths("privateKeyPem privateKeyPemWo"),
)
_SELF_SIGNED = Rules(
    resource_type="tls:index/selfSignedCert:SelfSignedCert",
    autoname=False,
    replaces=paths(f"{_NAMES} {_SIGNING} privateKeyPem privateKeyPemWoVersion setAuthorityKeyId"),
    computed=paths(f"{_CERTIFICATE} keyAlgorithm setAuthorityKeyId"),
    validations=_VALIDITY | {"privateKeyPemWo": _write_only},
    secret_outputs=paths("privateKeyPem privateKeyPemWo"),
)
_LOCALLY_SIGNED = Rules(
    resource_type="tls:index/locallySignedCert:LocallySignedCert",
    autoname=False,
    replaces=paths(f"{_SIGNING} caCertPem certRequestPem caPrivateKeyPem caPrivateKeyPemWoVersion"),
    computed=paths(f"{_CERTIFICATE} caKeyAlgorithm"),
    validations=_VALIDITY | {"caPrivateKeyPemWo": _write_only},
    secret_outputs=paths("caPrivateKeyPem caPrivateKeyPemWo"),
)


def tls_package() -> Package:
    """A provider instance; the `proxy` of the real plugin serves data sources that this engine has not."""
    resources: tuple[tuple[Rules, Driver], ...] = (
        (_PRIVATE_KEY, PrivateKeyDriver()),
        (_CERT_REQUEST, CertRequestDriver()),
        (_SELF_SIGNED, SelfSignedCertDriver()),
        (_LOCALLY_SIGNED, LocallySignedCertDriver()),
    )
    return Package(
        name="tls",
        version=_VERSION,
        resources={rules.resource_type: (rules, driver) for rules, driver in resources},
        check_configuration=lambda configuration: [],  # noqa: ARG005  nothing of it is used
        configure=lambda configuration: None,  # noqa: ARG005
        probe=_nothing,
        close=_nothing,
    )


def _nothing() -> None:
    """Neither a daemon to ask nor a connection to close."""
