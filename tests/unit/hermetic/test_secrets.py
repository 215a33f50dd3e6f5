"""Secrets: what the Pulumi CLI encrypted is read, a wrong passphrase is told at once, ciphertexts stay the same."""

from pathlib import Path

import pytest

from hermetic import secrets
from hermetic.secrets import (
    IncorrectPassphraseError,
    MissingPassphraseError,
    PassphraseCrypter,
    SecretsError,
    passphrase_from_environment,
)

SALT = "v1:CNRm0qWqHEg=:v1:U9eyjgpkErTupuJh:x8NS4wR0gcBXNmaJQsri+AtIo0FMsg=="
PASSWORD = "v1:EZE9B/SFmeoOuG+A:A4p/hs0DO982GYiXmfUWQgVYG/Mkcg=="


@pytest.fixture
def crypter() -> PassphraseCrypter:
    return PassphraseCrypter.from_salt(SALT, "conformance")


def test_what_the_pulumi_cli_encrypted_is_decrypted(crypter: PassphraseCrypter) -> None:
    assert crypter.decrypt(PASSWORD) == "s3cret"
    assert crypter.salt == SALT


def test_a_wrong_passphrase_is_told_in_the_words_of_the_cli() -> None:
    with pytest.raises(IncorrectPassphraseError, match=r"^incorrect passphrase: set PULUMI_CONFIG_PASSPHRASE "):
        PassphraseCrypter.from_salt(SALT, "conformance ")


def test_a_new_salt_is_another_each_time_and_reads_back_what_it_wrote() -> None:
    one = PassphraseCrypter.new("words of mine")
    assert one.salt != PassphraseCrypter.new("words of mine").salt
    ciphertext = one.encrypt("täglich 🐳")
    assert PassphraseCrypter.from_salt(one.salt, "words of mine").decrypt(ciphertext) == "täglich 🐳"


def test_the_key_is_derived_once_for_a_salt(monkeypatch: pytest.MonkeyPatch, crypter: PassphraseCrypter) -> None:
    monkeypatch.setattr(secrets, "PBKDF2HMAC", None)
    assert PassphraseCrypter.from_salt(SALT, "conformance").decrypt(PASSWORD) == crypter.decrypt(PASSWORD)


def test_encrypting_twice_gives_two_ciphertexts(crypter: PassphraseCrypter) -> None:
    assert crypter.encrypt("s3cret") != crypter.encrypt("s3cret")


def test_a_place_keeps_its_ciphertext_while_its_text_stays(crypter: PassphraseCrypter) -> None:
    first = crypter.seal("urn/inputs.password", "one")
    assert crypter.seal("urn/inputs.password", "one") == first
    assert crypter.seal("urn/inputs.password", "two") != first
    assert crypter.seal("urn/inputs.other", "one") != first


def test_a_ciphertext_that_was_read_is_written_again(crypter: PassphraseCrypter) -> None:
    assert crypter.unseal("urn/inputs.password", PASSWORD) == "s3cret"
    assert crypter.seal("urn/inputs.password", "s3cret") == PASSWORD


def test_another_salt_is_tried_with_the_same_passphrase(crypter: PassphraseCrypter) -> None:
    other = PassphraseCrypter.new("conformance")
    assert crypter.for_salt(other.salt).decrypt(other.encrypt("x")) == "x"
    assert crypter.for_salt(SALT) is crypter
    with pytest.raises(IncorrectPassphraseError):
        crypter.for_salt(PassphraseCrypter.new("unlike").salt)


@pytest.mark.parametrize(
    ("ciphertext", "message"),
    [
        ("", "not of the form v1:<nonce>:<data>"),
        ("v2:AAAA:AAAA", "not of the form v1:<nonce>:<data>"),
        ("v1:%%%:AAAA", "is damaged"),
        ("v1::", "is damaged"),
        (PASSWORD[:-8] + "AAAAAA==", "was not made with this stack's passphrase and salt, or is damaged"),
    ],
)
def test_a_damaged_ciphertext_is_an_error_of_ours(crypter: PassphraseCrypter, ciphertext: str, message: str) -> None:
    with pytest.raises(SecretsError, match=message):
        crypter.decrypt(ciphertext)


@pytest.mark.parametrize(
    ("salt", "message"),
    [("v1", "malformed state value"), ("v9:AAAA:v1:A:A", "unknown state version"), ("v1:%:v1:A:A", "is not base64")],
)
def test_a_malformed_salt_is_an_error_of_ours(salt: str, message: str) -> None:
    with pytest.raises(SecretsError, match=message):
        PassphraseCrypter.from_salt(salt, "conformance")


def test_neither_key_nor_passphrase_is_in_the_representation(crypter: PassphraseCrypter) -> None:
    assert "conformance" not in repr(crypter)


def test_the_passphrase_comes_from_the_variable_even_when_it_is_empty() -> None:
    assert passphrase_from_environment({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""


def test_the_passphrase_comes_from_the_file_without_the_white_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("words of mine\n", encoding="utf-8")
    assert passphrase_from_environment({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "words of mine"


def test_a_missing_passphrase_names_both_variables() -> None:
    with pytest.raises(MissingPassphraseError) as error:
        passphrase_from_environment({})
    assert str(error.value) == (
        "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
    )


def test_a_passphrase_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "gone"
    with pytest.raises(MissingPassphraseError, match=f"PULUMI_CONFIG_PASSPHRASE_FILE: {missing}: No such file"):
        passphrase_from_environment({"PULUMI_CONFIG_PASSPHRASE_FILE": str(missing)})
