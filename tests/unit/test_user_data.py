"""User data as EC2 takes it."""

import base64
import gzip
import random

import pytest

from components.clouds.aws.user_data import LONGEST_USER_DATA, encode_user_data
from components.clouds.cloud import LOAD_BALANCER
from components.plan.errors import PlanError


def noise(length: int) -> str:
    """Text that hardly compresses."""
    return "".join(random.Random(1).choices("".join(map(chr, range(33, 127))), k=length))


@pytest.mark.parametrize("length", [0, 1, LONGEST_USER_DATA])
def test_what_fits_is_plain(length: int) -> None:
    assert base64.b64decode(encode_user_data("x" * length, machine="manager-1")) == b"x" * length


def test_what_does_not_fit_is_compressed_and_the_same_at_any_time() -> None:
    text = "ä" * LONGEST_USER_DATA
    data = base64.b64decode(encode_user_data(text, machine="manager-1"))
    assert len(data) < LONGEST_USER_DATA
    assert gzip.decompress(data).decode() == text
    # The time of compression, which the format has room for.
    assert data[4:8] == bytes(4)


def test_what_is_too_long_even_compressed_is_refused_with_its_sizes() -> None:
    with pytest.raises(PlanError) as refusal:
        encode_user_data(noise(30_000), machine="the pool of workers")
    message = str(refusal.value)
    assert message.startswith("user data of the pool of workers is '30000 bytes, ")
    assert "EC2 takes 16384 at most; keep fewer certificates in registry.authority_file" in message


def test_a_load_balancer_with_too_many_nodes_is_told_what_makes_it_shorter() -> None:
    with pytest.raises(PlanError, match=r"use load_balancer\.kind: managed, or fewer nodes or published ports$"):
        encode_user_data(noise(30_000), machine=LOAD_BALANCER)
