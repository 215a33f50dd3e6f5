"""Durations are read and written as Go does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.providers.durations import nanoseconds, seconds, shortest

ANY_LENGTH = st.integers(min_value=-(2**53), max_value=2**53)


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("60s", "1m"),
        ("1m0s", "1m"),
        ("90s", "1m30s"),
        ("5000ms", "5s"),
        ("1500ms", "1.5s"),
        ("2160h", "2160h"),
        ("3600s", "1h"),
        ("1h0m1s", "1h1s"),
        ("0", "0s"),
        ("100us", "100µs"),
        ("1.5h", "1h30m"),
        ("-90s", "-1m30s"),
        ("1ns", "1ns"),
    ],
)
def test_a_duration_has_one_shortest_form(written: str, short: str) -> None:
    assert shortest(nanoseconds(written)) == short


@pytest.mark.parametrize("text", ["soon", "", "5", "s", "1m 30s", "1d", "--1s", "1s-"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid duration"):
        nanoseconds(text)


@given(ANY_LENGTH)
def test_the_shortest_form_says_the_same_length(length: int) -> None:
    assert nanoseconds(shortest(length)) == length


@given(ANY_LENGTH)
def test_the_shortest_form_of_the_shortest_form_is_itself(length: int) -> None:
    once = shortest(length)
    assert shortest(nanoseconds(once)) == once


@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=0, max_value=59))
def test_minutes_and_seconds_add_up(minutes: int, rest: int) -> None:
    assert seconds(f"{minutes}m{rest}s") == minutes * 60 + rest
