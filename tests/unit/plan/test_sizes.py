"""Sizes: Docker's words for bytes, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.plan.sizes import GIB, KIB, MIB, format_size, parse_size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("2g", 2 * GIB),
        ("256m", 256 * MIB),
        ("1GiB", GIB),
        ("1GB", GIB),
        ("1.5 gb", 3 * GIB // 2),
        ("64k", 64 * KIB),
        ("512", 512),
        ("512b", 512),
        (4194304, 4 * MIB),
        ("1t", 1024 * GIB),
        ("0", 0),
        ("9007199254740993", 9007199254740993),  # more digits than a float has
    ],
)
def test_a_size_is_read_as_docker_reads_it(written: str | int, size: int) -> None:
    assert parse_size(written, field="memory") == size


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_the_printed_form_means_the_same_size(size: int) -> None:
    assert parse_size(format_size(size), field="memory") == size


@given(st.integers(0, 5000), st.sampled_from(["", "k", "M", "g"]), st.sampled_from(["", "b", "iB", "IB"]))
def test_case_and_the_b_mean_nothing(number: int, unit: str, ending: str) -> None:
    assert parse_size(f"{number}{unit}{ending}", field="m") == parse_size(f"{number}{unit.lower()}", field="m")


@pytest.mark.parametrize("nonsense", ["", "m", "12x", "-5m", "1,5g", "five", "1..5g", "1 000m", "0x10", "٣m", "1g "])
def test_nonsense_is_refused_with_the_fields_name(nonsense: str) -> None:
    with pytest.raises(PlanError) as refusal:
        parse_size(nonsense, field="workers.memory")
    assert str(refusal.value) == (
        f"workers.memory is {nonsense!r}: no size; write a number with a unit, such as 512m or 2g"
    )


def test_a_size_that_docker_cannot_hold_is_refused() -> None:
    with pytest.raises(PlanError, match="more than Docker can hold"):
        parse_size("8192p", field="memory")
