"""Durations: whatever form a user writes, Docker's providers see the one that they would print themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.durations import format_duration, parse_duration, shortest
from components.plan.errors import PlanError

lengths = st.integers(min_value=0, max_value=2**63 - 1)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("60s", "1m"),
        ("90s", "1m30s"),
        ("5000ms", "5s"),
        ("1m0s", "1m"),
        ("1.5h", "1h30m"),
        ("3601s", "1h0m1s"),
        ("2160h", "2160h"),
        ("0", "0s"),
        ("0h", "0s"),
        (".5s", "500ms"),
        ("1500ms", "1.5s"),
        ("1500us", "1.5ms"),
        ("250µs", "250µs"),
        ("7ns", "7ns"),
        ("1h1ns", "1h0m0.000000001s"),
        ("1m1m", "2m"),
    ],
)
def test_a_duration_is_printed_in_gos_shortest_form(written: str, printed: str) -> None:
    assert shortest(written, field="delay") == printed


@given(lengths)
def test_the_printed_form_means_the_same_length(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds), field="delay") == nanoseconds


@given(lengths)
def test_the_shortest_form_is_its_own_shortest_form(nanoseconds: int) -> None:
    once = format_duration(nanoseconds)
    assert shortest(once, field="delay") == once


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["ms", "s", "m", "h"])), min_size=1, max_size=4))
def test_parts_in_any_order_add_up(parts: list[tuple[int, str]]) -> None:
    factor = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    expected = sum(number * factor[unit] for number, unit in parts)
    assert parse_duration(text, field="delay") == expected
    assert parse_duration(shortest(text, field="delay"), field="delay") == expected


@pytest.mark.parametrize("nonsense", ["", "5", "5x", "s", "-5s", "1 m", "5s ", "1d", "1h-5m", "١s", "1e3s", "5S", "."])
def test_nonsense_is_refused_with_the_fields_name(nonsense: str) -> None:
    with pytest.raises(PlanError) as refusal:
        shortest(nonsense, field="services.web.delay")
    assert str(refusal.value) == (
        f"services.web.delay is {nonsense!r}: no duration; write numbers with units, such as 10s, 1m30s or 2160h"
    )


def test_a_duration_longer_than_docker_can_hold_is_refused() -> None:
    with pytest.raises(PlanError, match="longer than Docker can hold; use at most 2562047h"):
        shortest("2562048h", field="delay")


def test_without_a_field_the_message_is_problem_and_fix_alone() -> None:
    with pytest.raises(PlanError) as refusal:
        shortest("soon", field="")
    assert str(refusal.value) == "no duration; write numbers with units, such as 10s, 1m30s or 2160h"
