"""Quorum: the arithmetic that decides whether a swarm survives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.plan.quorum import check_manager_count, majority, spread_managers, tolerates, zone_warnings

counts = st.sampled_from([1, 3, 5, 7, 9])
zone_names = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True)


@pytest.mark.parametrize(("managers", "needed", "lost"), [(1, 1, 0), (3, 2, 1), (5, 3, 2), (7, 4, 3), (9, 5, 4)])
def test_the_quorum_table_holds(managers: int, needed: int, lost: int) -> None:
    assert majority(managers) == needed
    assert tolerates(managers) == lost


@given(st.integers(1, 1000))
def test_two_majorities_always_share_a_manager(managers: int) -> None:
    assert 2 * majority(managers) > managers
    assert 2 * (majority(managers) - 1) <= managers
    assert majority(managers) + tolerates(managers) == managers


@given(st.integers(1, 500))
def test_one_more_than_an_odd_number_tolerates_no_more(half: int) -> None:
    assert tolerates(2 * half) == tolerates(2 * half - 1)


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_usual_numbers_of_managers_pass_without_a_word(count: int) -> None:
    assert check_manager_count(count) == ()


def test_nine_managers_are_accepted_with_a_warning() -> None:
    assert check_manager_count(9) == (
        "managers.count is 9: every change waits for 5 managers; 7 tolerate the loss of 3",
    )


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "managers.count is 0: a swarm has at least one manager; use 1, 3, 5 or 7"),
        (-1, "managers.count is -1: a swarm has at least one manager; use 1, 3, 5 or 7"),
        (2, "managers.count is 2: a swarm of 2 managers tolerates no loss (majority 2); use 1, 3, 5 or 7"),
        (
            4,
            "managers.count is 4: a swarm of 4 managers tolerates the loss of 1, no more than 3 do (majority 3); "
            "use 1, 3, 5 or 7",
        ),
        (
            8,
            "managers.count is 8: a swarm of 8 managers tolerates the loss of 3, no more than 7 do (majority 5); "
            "use 1, 3, 5 or 7",
        ),
        (
            11,
            "managers.count is 11: more than 9 managers make every change slower and nothing safer; use 1, 3, 5 or 7",
        ),
    ],
)
def test_other_numbers_are_refused_with_their_arithmetic(count: int, message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        check_manager_count(count)
    assert str(refusal.value) == message


@given(counts, zone_names)
def test_managers_spread_evenly_and_the_order_of_zones_means_nothing(count: int, zones: list[str]) -> None:
    placed = spread_managers(count, zones)
    assert placed == spread_managers(count, list(reversed(zones)))
    sizes = [list(placed.values()).count(zone) for zone in zones]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1


@given(counts, counts, zone_names)
def test_more_managers_move_none_that_is_there(fewer: int, more: int, zones: list[str]) -> None:
    fewer, more = sorted((fewer, more))
    assert spread_managers(fewer, zones).items() <= spread_managers(more, zones).items()


@given(counts, zone_names)
def test_a_zone_is_warned_of_exactly_when_the_rest_is_no_majority(count: int, zones: list[str]) -> None:
    placed = spread_managers(count, zones)
    fatal = {zone for zone in placed.values() if sum(other != zone for other in placed.values()) <= count // 2}
    assert {warning.split()[1] for warning in zone_warnings(placed)} == fatal


def test_the_warning_names_the_zone_and_the_majority() -> None:
    assert zone_warnings(spread_managers(3, ["b", "a"])) == (
        "zone a holds 2 of 3 managers: losing it loses the majority of 2; spread the managers over 3 zones",
    )


def test_three_zones_need_no_warning() -> None:
    assert zone_warnings(spread_managers(5, ["a", "b", "c"])) == ()


def test_no_zone_at_all_is_refused() -> None:
    with pytest.raises(PlanError, match=r"^zones is \[\]: managers have to be in a zone; name at least one$"):
        spread_managers(3, [])
