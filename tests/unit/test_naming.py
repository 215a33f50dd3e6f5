"""Names: stable, unique and never too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.naming import (
    logical_name,
    node_name,
    node_names,
    node_order,
    parse_node_name,
    physical_name,
    stack_prefix,
)
from components.plan.errors import PlanError

keys = st.text("abcXYZ019", min_size=1, max_size=120)


def test_four_nodes_are_numbered_one_to_four() -> None:
    assert node_names("worker", 4) == ("worker-1", "worker-2", "worker-3", "worker-4")


@given(st.sampled_from(["manager", "worker"]), st.integers(0, 50), st.integers(0, 50))
def test_one_more_node_only_adds(role: str, count: int, more: int) -> None:
    before = node_names(role, count)  # pyright: ignore[reportArgumentType]
    assert node_names(role, count + more)[:count] == before  # pyright: ignore[reportArgumentType]


@given(st.integers(1, 10_000))
def test_a_nodes_name_says_its_role_and_number(number: int) -> None:
    assert parse_node_name(node_name("worker", number)) == ("worker", number)


@pytest.mark.parametrize("name", ["worker", "worker-0", "worker-01", "node-1", "worker-1 ", "Worker-1", ""])
def test_what_is_no_nodes_name_is_refused(name: str) -> None:
    with pytest.raises(PlanError) as refusal:
        parse_node_name(name, field="nodes")
    assert str(refusal.value) == (f"nodes is {name!r}: no name of a node; use manager-<number> or worker-<number>")


def test_nodes_sort_managers_first_and_by_number() -> None:
    names = ["worker-10", "worker-2", "manager-3", "manager-1"]
    assert sorted(names, key=node_order) == ["manager-1", "manager-3", "worker-2", "worker-10"]


def test_a_name_that_fits_is_left_as_it_is() -> None:
    assert physical_name("flotilla-dev", "manager-1") == "flotilla-dev-manager-1"


@given(keys, st.integers(10, 63))
def test_a_physical_name_never_exceeds_its_limit(key: str, limit: int) -> None:
    assert len(physical_name(key, limit=limit)) <= limit


@given(st.sets(keys, min_size=2, max_size=2), st.integers(16, 63))
def test_two_names_do_not_become_one(pair: set[str], limit: int) -> None:
    one, other = pair
    assert physical_name(one, limit=limit) != physical_name(other, limit=limit)


def test_names_that_differ_only_at_their_end_stay_apart_when_cut() -> None:
    prefix = "flotilla-production-with-a-rather-long-name-of-the-stack"
    first, second = (physical_name(prefix, f"worker-{number}", limit=40) for number in (1, 2))
    assert first == "flotilla-production-with-a-rath-500ada8c"
    assert first != second


def test_a_limit_without_room_for_a_hash_is_refused() -> None:
    with pytest.raises(PlanError, match=r"^limit is 9: too short for the name flotilla-dev; allow 10 or more$"):
        physical_name("flotilla-dev", limit=9)


@pytest.mark.parametrize("key", ["", "-a", "a-", "a b", "a/b", "ä", "a\n"])
def test_a_key_that_apis_refuse_is_refused_here(key: str) -> None:
    with pytest.raises(PlanError, match="not usable in a name"):
        logical_name("flotilla", key)


def test_an_organization_is_no_part_of_the_prefix() -> None:
    assert stack_prefix("flotilla", "dev") == "flotilla-dev"
    assert stack_prefix("flotilla", "acme/dev") == "flotilla-dev"
