"""Private keys and every form in which the tls plugin gives them out."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hermetic.providers.check import Values
from hermetic.providers.driver import Driver, Operation, ProviderError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
_PUBLIC_EXPONENT = 65537
_PEM = serialization.Encoding.PEM
_PLAIN = serialization.NoEncryption()


class PrivateKeyDriver(Driver):
    """`tls.PrivateKey`; its id is the SHA-1 of its public key."""

    def create(self, operation: Operation, planned: Values) -> tuple[str, Values]:
        del operation
        bits, curve = planned["rsaBits"] or 2048, planned["ecdsaCurve"] or "P224"
        forms = key_forms(_generate(planned["algorithm"], bits, curve))
        identity = hashlib.sha1(forms["publicKeyPem"].encode(), usedforsecurity=False).hexdigest()
        return identity, planned | {"rsaBits": bits, "ecdsaCurve": curve} | forms

    def read(self, operation: Operation, identity: str, state: Values) -> Values | None:
        del operation, identity
        return state

    def delete(self, operation: Operation, identity: str, state: Values) -> None:
        """A key exists only in the state."""


def _generate(algorithm: str, bits: int, curve: str) -> PrivateKey:
    match algorithm:
        case "RSA":
            return rsa.generate_private_key(_PUBLIC_EXPONENT, bits)
        case "ECDSA":
            return ec.generate_private_key(_CURVES[curve]())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def load_key(pem: str, field: str) -> PrivateKey:
    """The key of a PEM text; ProviderError naming the input, never the key."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except ValueError:
        if "OPENSSH" not in pem:
            raise ProviderError(f"{field} is not a private key in PEM form without passphrase") from None
        key = serialization.load_ssh_private_key(pem.encode(), None)
    if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        return key
    raise ProviderError(f"{field} is a {type(key).__name__}: use an RSA, ECDSA or ED25519 key")


def algorithm_of(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def key_forms(key: PrivateKey) -> Values:
    """All outputs of a key. OpenSSH knows no curve P224: its forms are then empty, as the plugin has it."""
    public = key.public_key()
    pem_format = serialization.PrivateFormat.TraditionalOpenSSL
    if isinstance(key, ed25519.Ed25519PrivateKey):
        pem_format = serialization.PrivateFormat.PKCS8
    forms = {
        "privateKeyPem": key.private_bytes(_PEM, pem_format, _PLAIN).decode(),
        "privateKeyPemPkcs8": key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _PLAIN).decode(),
        "publicKeyPem": public.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
    }
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1):
        names = ("privateKeyOpenssh", "publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256")
        return forms | dict.fromkeys(names, "")
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    blob = b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return forms | {
        "privateKeyOpenssh": key.private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, _PLAIN).decode(),
        "publicKeyOpenssh": f"{line}\n",
        "publicKeyFingerprintMd5": ":".join(md5[index : index + 2] for index in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": "SHA256:" + b64encode(hashlib.sha256(blob).digest()).decode().rstrip("="),
    }
