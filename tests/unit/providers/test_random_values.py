"""What the random stand-in draws has the asked form, and stays as it was drawn."""

from __future__ import annotations

import base64
import string
from typing import TYPE_CHECKING, Any

import bcrypt
import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.providers.random_values import random_text
from hermetic.values import strip_secrets

if TYPE_CHECKING:
    from tests.unit.providers.conftest import Start

PASSWORD, STRING = "random:index/randomPassword:RandomPassword", "random:index/randomString:RandomString"
IDENTITY, PET = "random:index/randomId:RandomId", "random:index/randomPet:RandomPet"


def text(**given: Any) -> str:
    classes = dict.fromkeys(("lower", "upper", "numeric", "special"), True)
    minimums = dict.fromkeys(("minLower", "minUpper", "minNumeric", "minSpecial"), 0)
    return random_text({"overrideSpecial": None, "length": 20} | classes | minimums | given)


def test_a_password_has_its_length_and_a_hash_that_fits(provider: Start) -> None:
    identity, state = provider("random").made(PASSWORD, "pw", {"length": 24, "special": False})
    plain = strip_secrets(state)
    assert identity == "none"
    assert len(plain["result"]) == 24
    assert plain["result"].isalnum()
    assert bcrypt.checkpw(plain["result"].encode(), plain["bcryptHash"].encode())


@given(lower=st.integers(0, 3), upper=st.integers(0, 3), numeric=st.integers(0, 3), special=st.integers(0, 3))
def test_every_minimum_is_kept(lower: int, upper: int, numeric: int, special: int) -> None:
    drawn = text(length=12, minLower=lower, minUpper=upper, minNumeric=numeric, minSpecial=special)
    assert len(drawn) == 12
    assert sum(letter in string.ascii_lowercase for letter in drawn) >= lower
    assert sum(letter in string.ascii_uppercase for letter in drawn) >= upper
    assert sum(letter in string.digits for letter in drawn) >= numeric
    assert sum(not letter.isalnum() for letter in drawn) >= special


def test_only_the_special_characters_that_are_wanted_are_drawn() -> None:
    drawn = text(lower=False, upper=False, numeric=False, overrideSpecial="_-")
    assert set(drawn) <= {"_", "-"}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"length": 2, "minLower": 3}, "length is 2, less than the 3 characters"),
        (dict.fromkeys(("lower", "upper", "numeric", "special"), False) | {"length": 2}, "at least one of them"),
    ],
)
def test_what_cannot_be_drawn_is_refused(provider: Start, inputs: dict[str, Any], reason: str) -> None:
    random = provider("random")
    with pytest.raises(grpc.RpcError, match=reason):
        random.made(STRING, "s", inputs)


def test_the_forms_of_an_id_are_forms_of_the_same_bytes(provider: Start) -> None:
    identity, state = provider("random").made(IDENTITY, "id", {"byteLength": 8, "prefix": "p-"})
    drawn = bytes.fromhex(state["hex"].removeprefix("p-"))
    assert base64.urlsafe_b64decode(identity + "=") == drawn
    assert base64.b64decode(state["b64Std"].removeprefix("p-")) == drawn
    assert state["dec"] == f"p-{int.from_bytes(drawn, 'big')}"


def test_a_pet_has_the_asked_number_of_words(provider: Start) -> None:
    identity, state = provider("random").made(PET, "pet", {"length": 3, "separator": "_"})
    assert identity.count("_") == 2
    assert state["id"] == identity


def test_what_was_drawn_stays(provider: Start) -> None:
    random = provider("random")
    checked, _ = random.check(STRING, "s", {"length": 8})
    identity, state = random.create(STRING, "s", checked)
    assert random.read(STRING, "s", identity, state, checked) == (identity, state, {"length": 8})
    assert random.diff(STRING, "s", state, checked)["changes"] == "DIFF_NONE"
    longer, _ = random.check(STRING, "s", {"length": 9}, checked)
    assert random.diff(STRING, "s", state, longer)["replaces"] == ["length"]
