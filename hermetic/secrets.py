"""Pulumi's passphrase secrets provider: AES-256-GCM under a key from PBKDF2, in the text form of the Pulumi CLI."""

import base64
import binascii
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROUNDS = 1_000_000
KEY_BYTES = 32
SALT_BYTES = 8
NONCE_BYTES = 12
# What the salt of a stack encrypts, to tell a wrong passphrase before anything else is read.
PROOF = "pulumi"

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105  the name of a variable
PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105


class SecretsError(Exception):
    """A secret that cannot be read or written, in words for the user."""


class IncorrectPassphraseError(SecretsError):
    """The passphrase is not the one that the stack's salt was made with."""


class MissingPassphraseError(SecretsError):
    """No passphrase in the environment."""


class Crypter(Protocol):
    """Turns texts into ciphertexts and back; `salt` names the key, `seal` and `unseal` keep ciphertexts stable."""

    @property
    def salt(self) -> str: ...
    def encrypt(self, plaintext: str) -> str: ...
    def decrypt(self, ciphertext: str) -> str: ...
    def seal(self, place: str, plaintext: str) -> str: ...
    def unseal(self, place: str, ciphertext: str) -> str: ...
    def for_salt(self, salt: str) -> "Crypter": ...


class PassphraseCrypter:
    """One key: made from a passphrase and the salt that stands in the stack's config and checkpoint."""

    def __init__(self, *, salt: str, key: bytes, passphrase: str) -> None:
        """Use `new` or `from_salt`: they derive the key."""
        self._salt = salt
        self._cipher = AESGCM(key)
        self._passphrase = passphrase
        self._ciphertexts: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return f"PassphraseCrypter(salt={self._salt!r})"

    @classmethod
    def new(cls, passphrase: str) -> "PassphraseCrypter":
        """A crypter with a fresh random salt."""
        random_salt = os.urandom(SALT_BYTES)
        key = _derive_key(passphrase, random_salt)
        proof = _encrypt(AESGCM(key), PROOF)
        return cls(salt=f"v1:{_to_base64(random_salt)}:{proof}", key=key, passphrase=passphrase)

    @classmethod
    def from_salt(cls, salt: str, passphrase: str) -> "PassphraseCrypter":
        """The crypter of a stack that exists; raises IncorrectPassphraseError when the passphrase is another."""
        parts = salt.split(":", 2)
        if len(parts) != 3:
            raise SecretsError(f"encryptionsalt is {salt!r}: malformed state value; restore the line from a copy")
        version, encoded, proof = parts
        if version != "v1":
            raise SecretsError(f"encryptionsalt has the version {version!r}: unknown state version; v1 is known")
        try:
            random_salt = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise SecretsError(f"encryptionsalt is {salt!r}: its salt is not base64; restore it from a copy") from error
        key = _derive_key(passphrase, random_salt)
        try:
            proved = _decrypt(AESGCM(key), proof) == PROOF
        except InvalidTag:
            proved = False
        if not proved:
            raise IncorrectPassphraseError(
                f"incorrect passphrase: set {PASSPHRASE} to the passphrase that this stack was made with, "
                f"or {PASSPHRASE_FILE} to a file that holds it"
            )
        return cls(salt=salt, key=key, passphrase=passphrase)

    @property
    def salt(self) -> str:
        """What stands in `encryptionsalt` and in the checkpoint's secrets provider."""
        return self._salt

    def encrypt(self, plaintext: str) -> str:
        """A ciphertext `v1:<nonce>:<data>` with a fresh nonce."""
        return _encrypt(self._cipher, plaintext)

    def decrypt(self, ciphertext: str) -> str:
        """The text; raises SecretsError for what this key did not make."""
        try:
            return _decrypt(self._cipher, ciphertext)
        except InvalidTag as error:
            raise SecretsError(
                f"the secret {ciphertext[:24]!r}... was not made with this stack's passphrase and salt, or is damaged; "
                "restore it from a copy"
            ) from error

    def seal(self, place: str, plaintext: str) -> str:
        """Encrypt what stands at a place of the state; the same text at the same place keeps its ciphertext.

        Places do not share ciphertexts: equal ciphertexts would tell that two secrets are equal.
        """
        known = self._ciphertexts.get((place, plaintext))
        if known is None:
            known = self._ciphertexts[place, plaintext] = self.encrypt(plaintext)
        return known

    def unseal(self, place: str, ciphertext: str) -> str:
        """Decrypt what stands at a place of the state, and remember its ciphertext for `seal`."""
        plaintext = self.decrypt(ciphertext)
        self._ciphertexts[place, plaintext] = ciphertext
        return plaintext

    def for_salt(self, salt: str) -> "PassphraseCrypter":
        """The crypter of the same passphrase for another salt (a checkpoint from another stack)."""
        return self if salt == self._salt else PassphraseCrypter.from_salt(salt, self._passphrase)


def passphrase_from_environment(environment: Mapping[str, str] | None = None) -> str:
    """The passphrase as the Pulumi CLI finds it: PULUMI_CONFIG_PASSPHRASE (also an empty one), else the file's text."""
    values = os.environ if environment is None else environment
    if PASSPHRASE in values:
        return values[PASSPHRASE]
    name = values.get(PASSPHRASE_FILE, "")
    if not name:
        raise MissingPassphraseError(
            f"passphrase must be set with {PASSPHRASE} or {PASSPHRASE_FILE} environment variables"
        )
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingPassphraseError(f"unable to read {PASSPHRASE_FILE}: {name}: {_reason(error)}") from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"


@lru_cache(maxsize=8)
def _derive_key(passphrase: str, salt: bytes) -> bytes:
    """A million rounds take about a third of a second: once for each salt in a process."""
    return PBKDF2HMAC(algorithm=SHA256(), length=KEY_BYTES, salt=salt, iterations=ROUNDS).derive(passphrase.encode())


def _encrypt(cipher: AESGCM, plaintext: str) -> str:
    nonce = os.urandom(NONCE_BYTES)
    return f"v1:{_to_base64(nonce)}:{_to_base64(cipher.encrypt(nonce, plaintext.encode(), None))}"


def _decrypt(cipher: AESGCM, ciphertext: str) -> str:
    parts = ciphertext.split(":")
    if len(parts) != 3 or parts[0] != "v1":
        raise SecretsError(f"the ciphertext {ciphertext[:24]!r}... is not of the form v1:<nonce>:<data>")
    try:
        nonce, data = (base64.b64decode(part, validate=True) for part in parts[1:])
        return cipher.decrypt(nonce, data, None).decode()
    except ValueError as error:
        raise SecretsError(f"the ciphertext {ciphertext[:24]!r}... is damaged; restore it from a copy") from error


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
