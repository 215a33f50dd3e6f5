"""Keys and certificates of the tls stand-in hold before the cryptography package, and are renewed when it is time."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from hermetic.providers.tls.certificates import SelfSignedCertDriver
from hermetic.values import is_secret, secret, strip_secrets

if TYPE_CHECKING:
    from tests.unit.providers.conftest import Provider, Start

KEY, REQUEST = "tls:index/privateKey:PrivateKey", "tls:index/certRequest:CertRequest"
SELF_SIGNED, SIGNED = "tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert"
HOURS = 240


@pytest.fixture(name="tls")
def tls_fixture(provider: Start) -> Provider:
    return provider("tls")


def key(tls: Provider, algorithm: str = "ED25519", **more: Any) -> dict[str, Any]:
    return strip_secrets(tls.made(KEY, "key", {"algorithm": algorithm, **more})[1])


def authority(tls: Provider) -> tuple[dict[str, Any], dict[str, Any]]:
    private = key(tls, "ECDSA", ecdsaCurve="P256")
    inputs = {
        "privateKeyPem": secret(private["privateKeyPem"]),
        "subject": {"commonName": "the CA"},
        "isCaCertificate": True,
        "validityPeriodHours": HOURS,
        "allowedUses": ["cert_signing", "crl_signing", "digital_signature"],
    }
    return private, strip_secrets(tls.made(SELF_SIGNED, "ca", inputs)[1])


def signed(tls: Provider, **more: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    ca_key, ca = authority(tls)
    private = key(tls, "ECDSA", ecdsaCurve="P256")
    request = {
        "privateKeyPem": secret(private["privateKeyPem"]),
        "dnsNames": ["registry.example"],
        "ipAddresses": ["10.0.0.1"],
        "subject": {"commonName": "registry"},
    }
    inputs = {
        "caPrivateKeyPem": secret(ca_key["privateKeyPem"]),
        "caCertPem": ca["certPem"],
        "certRequestPem": tls.made(REQUEST, "request", request)[1]["certRequestPem"],
        "validityPeriodHours": 48,
        "allowedUses": ["server_auth", "digital_signature", "key_encipherment"],
        **more,
    }
    checked, failures = tls.check(SIGNED, "cert", inputs)
    assert failures == []
    return ca, checked, tls.create(SIGNED, "cert", checked)[1]


@pytest.mark.parametrize(
    ("inputs", "kind", "word"),
    [
        ({"algorithm": "ED25519"}, ed25519.Ed25519PrivateKey, "ssh-ed25519"),
        ({"algorithm": "RSA", "rsaBits": 2048}, rsa.RSAPrivateKey, "ssh-rsa"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P384"}, ec.EllipticCurvePrivateKey, "ecdsa-sha2-nistp384"),
    ],
)
def test_all_forms_of_a_key_are_the_same_key(tls: Provider, inputs: dict[str, Any], kind: type, word: str) -> None:
    identity, state = tls.made(KEY, "key", inputs)
    assert all(is_secret(state[name]) for name in ("privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"))
    plain = strip_secrets(state)
    loaded = serialization.load_pem_private_key(plain["privateKeyPem"].encode(), None)
    assert isinstance(loaded, kind)
    forms = [
        serialization.load_pem_private_key(plain["privateKeyPemPkcs8"].encode(), None).public_key(),
        serialization.load_ssh_private_key(plain["privateKeyOpenssh"].encode(), None).public_key(),
        serialization.load_pem_public_key(plain["publicKeyPem"].encode()),
        serialization.load_ssh_public_key(plain["publicKeyOpenssh"].encode()),
    ]
    assert all(public == loaded.public_key() for public in forms)
    assert plain["publicKeyOpenssh"].startswith(f"{word} ")
    assert identity == hashlib.sha1(plain["publicKeyPem"].encode()).hexdigest()


def test_fingerprints_are_those_of_ssh_keygen(tls: Provider) -> None:
    plain = key(tls)
    blob = base64.b64decode(plain["publicKeyOpenssh"].split()[1])
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    assert plain["publicKeyFingerprintSha256"] == f"SHA256:{sha256}"
    assert plain["publicKeyFingerprintMd5"].replace(":", "") == hashlib.md5(blob).hexdigest()


def test_a_curve_that_openssh_does_not_know_has_no_openssh_form(tls: Provider) -> None:
    plain = key(tls, "ECDSA", ecdsaCurve="P224")
    assert plain["publicKeyOpenssh"] == plain["privateKeyOpenssh"] == ""
    assert plain["privateKeyPem"]


def test_a_signed_certificate_is_trusted_through_its_authority(tls: Provider) -> None:
    ca, _, state = signed(tls)
    root = x509.load_pem_x509_certificate(ca["certPem"].encode())
    leaf = x509.load_pem_x509_certificate(state["certPem"].encode())
    for name in (x509.DNSName("registry.example"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))):
        chain = PolicyBuilder().store(Store([root])).build_server_verifier(name).verify(leaf, [])
        assert chain == [leaf, root]
    assert leaf.subject.rfc4514_string() == "CN=registry"
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == datetime.timedelta(hours=48)
    assert state["validityEndTime"] == leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert state["id"] == str(leaf.serial_number)
    assert state["caKeyAlgorithm"] == "ECDSA"
    assert is_secret(state["caPrivateKeyPem"])


def test_an_authority_is_one_and_a_leaf_is_none(tls: Provider) -> None:
    ca, _, state = signed(tls)
    for pem, is_authority in ((ca["certPem"], True), (state["certPem"], False)):
        certificate = x509.load_pem_x509_certificate(pem.encode())
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value.ca is is_authority


def test_a_certificate_stays_while_it_is_good(tls: Provider) -> None:
    _, checked, state = signed(tls)
    identity, read, inputs = tls.read(SIGNED, "cert", state["id"], state, checked)
    assert identity == state["id"]
    assert read == state
    assert inputs["certRequestPem"] == checked["certRequestPem"]
    assert tls.diff(SIGNED, "cert", read, checked)["changes"] == "DIFF_NONE"


def test_a_certificate_within_its_early_renewal_is_replaced(tls: Provider) -> None:
    _, checked, state = signed(tls, earlyRenewalHours=48)
    _, read, _ = tls.read(SIGNED, "cert", state["id"], state, checked)
    assert read["readyForRenewal"] is True
    assert tls.diff(SIGNED, "cert", read, checked)["replaces"] == ["readyForRenewal"]


def test_another_early_renewal_is_an_update_in_place(tls: Provider) -> None:
    _, checked, state = signed(tls)
    news = {**checked, "earlyRenewalHours": 12}
    assert tls.diff(SIGNED, "cert", state, news)["replaces"] == []
    updated = tls.update(SIGNED, "cert", state["id"], state, news)
    assert updated["earlyRenewalHours"] == 12
    assert updated["certPem"] == state["certPem"]
    assert tls.diff(SIGNED, "cert", updated, news)["changes"] == "DIFF_NONE"


def test_a_certificate_is_due_by_the_clock_not_before() -> None:
    end = datetime.datetime(2030, 1, 10, tzinfo=datetime.UTC)
    state = {"validityEndTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"), "earlyRenewalHours": 24}
    early = end - datetime.timedelta(hours=24)
    just_before = early - datetime.timedelta(seconds=1)
    assert SelfSignedCertDriver(lambda: early).replaces_when_read(state) == "readyForRenewal"
    assert SelfSignedCertDriver(lambda: just_before).replaces_when_read(state) == ""


@pytest.mark.parametrize("change", [{"dnsNames": ["other"]}, {"isCaCertificate": False}, {"validityPeriodHours": 1}])
def test_another_content_is_another_certificate(tls: Provider, change: dict[str, Any]) -> None:
    private, ca = authority(tls)
    inputs = {
        "privateKeyPem": secret(private["privateKeyPem"]),
        "subject": {"commonName": "the CA"},
        "isCaCertificate": True,
        "validityPeriodHours": HOURS,
        "allowedUses": ["cert_signing", "crl_signing", "digital_signature"],
    }
    assert tls.diff(SELF_SIGNED, "ca", ca, inputs)["changes"] == "DIFF_NONE"
    assert tls.diff(SELF_SIGNED, "ca", ca, inputs | change)["replaces"] == list(change)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"privateKeyPem": secret("not a key at all")}, "privateKeyPem is not a private key in PEM form"),
        ({"ipAddresses": ["10.0.0.999"]}, "ipAddresses: '10.0.0.999' does not appear to be"),
    ],
)
def test_a_fault_in_a_request_is_named_without_the_key(tls: Provider, inputs: dict[str, Any], reason: str) -> None:
    whole = {"privateKeyPem": secret(key(tls)["privateKeyPem"]), **inputs}
    with pytest.raises(grpc.RpcError, match=reason) as caught:
        tls.made(REQUEST, "request", whole)
    assert "not a key at all" not in str(caught.value)


def test_an_unknown_use_is_refused_with_those_there_are(tls: Provider) -> None:
    inputs = {"allowedUses": ["server"], "validityPeriodHours": 1, "privateKeyPem": "x"}
    _, failures = tls.check(SELF_SIGNED, "ca", inputs)
    assert "'server' is not a use of a certificate: use one of any_extended" in failures[0]["reason"]
