"""The arithmetic of managers, and the decision between adopting and initialising."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.swarm.daemon import SwarmView
from plugins.swarm.discovery import Adopt, Look, decide
from plugins.swarm.errors import SwarmError
from plugins.swarm.quorum import Manager, majority, refusal

reachabilities = st.lists(st.booleans(), min_size=1, max_size=9)


def managers_of(reachable: list[bool]) -> list[Manager]:
    return [Manager(f"id-{index}", f"manager-{index}", one) for index, one in enumerate(reachable)]


@pytest.mark.parametrize(("managers", "needed"), [(1, 1), (2, 2), (3, 2), (5, 3), (7, 4), (9, 5)])
def test_the_majority_is_more_than_half(managers: int, needed: int) -> None:
    assert majority(managers) == needed


@given(reachabilities, st.data())
def test_who_may_go_leaves_a_majority_that_answers(reachable: list[bool], data: st.DataObject) -> None:
    managers = managers_of(reachable)
    leaving = data.draw(st.sampled_from(managers))
    rest = [one for one in managers if one is not leaving]
    allowed = refusal(managers, leaving.node_id) is None
    assert allowed == (bool(rest) and sum(one.reachable for one in rest) >= majority(len(rest)))


@given(reachabilities)
def test_a_dead_manager_may_always_leave_a_swarm_that_decides(reachable: list[bool]) -> None:
    managers = managers_of(reachable)
    if sum(reachable) >= majority(len(reachable)):
        assert all(refusal(managers, one.node_id) is None for one in managers if not one.reachable)


@given(reachabilities, st.permutations(range(9)))
def test_one_after_another_the_swarm_can_always_decide(reachable: list[bool], order: list[int]) -> None:
    managers = managers_of(reachable)
    if sum(reachable) < majority(len(reachable)):
        return
    for number in order:
        if any(one.node_id == f"id-{number}" for one in managers) and refusal(managers, f"id-{number}") is None:
            managers = [one for one in managers if one.node_id != f"id-{number}"]
        assert sum(one.reachable for one in managers) >= majority(len(managers))


def test_a_refusal_shows_the_arithmetic_and_the_fix() -> None:
    managers = managers_of([True, True, False])
    assert refusal(managers, "id-1") == (
        "removing manager-1 leaves 1 reachable of 2 managers; majority is 2: bring manager-2 back first, "
        "or remove what is dead first"
    )
    assert refusal(managers_of([True]), "id-0", "demoting") == (
        "demoting manager-0 leaves 0 reachable of 0 managers; majority is 1: add another manager first"
    )


views = st.one_of(
    st.none(),
    st.just(SwarmView("inactive")),
    st.builds(SwarmView, state=st.sampled_from(["pending", "error", "locked"])),
    st.just(SwarmView("active", "n", "", False)),
    st.builds(lambda id_: SwarmView("active", "n", id_, True), st.sampled_from(["a", "b"])),
)


@given(st.lists(views, min_size=1, max_size=5))
def test_a_swarm_is_initialised_only_where_everybody_says_that_there_is_none(found: list[SwarmView | None]) -> None:
    looks = [Look(f"m{index}", view, "silent") for index, view in enumerate(found)]
    ids = {view.cluster_id for view in found if view and view.is_manager}
    if len(ids) > 1 or (not ids and any(view is None or view.state != "inactive" for view in found)):
        with pytest.raises(SwarmError) as refused:
            decide(looks)
        assert all(look.name in str(refused.value) for look in looks)
        return
    decision = decide(looks)
    assert decision == "initialise" if not ids else isinstance(decision, Adopt) and {decision.cluster_id} == ids
