"""Rules of the planner that need an old state: which steps it makes of a registration, and what it refuses."""

from collections.abc import Sequence
from typing import Any

import pytest

from hermetic.events import Severity
from hermetic.executor import Failures
from hermetic.goals import Alias, Goal, PlanError, Targets
from hermetic.planner import Planner
from hermetic.state import ResourceState
from hermetic.steps import Diff, Op
from hermetic.urns import make_urn
from hermetic.values import PropertyMap

THING, GROUP, PROVIDER = "probe:index:Thing", "probe:index:Group", "pulumi:providers:probe"
OTHER_GROUP = "probe:index:OtherGroup"
OF_PROVIDER = f"urn:pulumi:test::conf::{PROVIDER}::default"


class Provider:
    """Replaces for `replace_key` and `dbr_key`, the latter by deleting first, as the suite's plugin does."""

    def __init__(self) -> None:
        self.diffs: list[str] = []

    def check(self, urn: str, olds: PropertyMap | None, news: PropertyMap) -> PropertyMap:
        return news

    def diff(
        self, urn: str, identity: str, old_inputs: PropertyMap, olds: PropertyMap, news: PropertyMap, ignored: list[str]
    ) -> Diff:
        self.diffs.append(urn)
        changed = {key for key in {*old_inputs, *news} if old_inputs.get(key) != news.get(key)}
        replacing = tuple(sorted(changed & {"replace_key", "dbr_key"}))
        return Diff(changes=bool(changed), replace_keys=replacing, delete_before_replace="dbr_key" in changed)


class Registry:
    """One provider that everything is made with."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.known = {OF_PROVIDER + "::id"}
        self.replaced_providers: list[str] = []

    def client(self, reference: str) -> Provider:
        return self.provider

    def prepare(self, reference: str) -> None:
        """It is always ready."""

    def inputs(self, reference: str) -> PropertyMap | None:
        return {} if reference in self.known else None

    def changed(self, old: str, new: str) -> bool:
        return False

    def diff_old(self, state: ResourceState, news: PropertyMap) -> Diff:
        self.replaced_providers.append(state.urn)
        return Diff(changes=True, replace_keys=("region",))


class Messages:
    """A display that keeps what it is told."""

    failed = False

    def __init__(self) -> None:
        self.lines: list[tuple[Severity, str]] = []

    def message(self, severity: Severity, urn: str, text: str, *, ephemeral: bool = False) -> None:
        self.lines.append((severity, text))

    def has(self, severity: Severity, words: str) -> bool:
        return any(each is severity and words in text for each, text in self.lines)


class Plans:
    """A planner over an old state, and what it says."""

    def __init__(
        self, olds: Sequence[ResourceState] = (), *, preview: bool = False, targets: Targets | None = None
    ) -> None:
        self.registry = Registry()
        self.messages = Messages()
        self.failures = Failures(continue_on_error=False)
        stand_ins: Any = {"registry": self.registry, "listener": self.messages}
        self.planner = Planner(
            stack="test", project="conf", olds=olds, failures=self.failures, targets=targets or Targets(),
            preview=preview, **stand_ins,
        )  # fmt: skip

    def register(self, name: str, **fields: Any) -> list[tuple[Op, str]]:
        return _shown(self.planner.plan(_goal(name, **fields)).steps)


def _goal(name: str, **fields: Any) -> Goal:
    known: dict[str, Any] = {"type": THING, "custom": True, "provider": OF_PROVIDER + "::id"}
    return Goal(name=name, **(known | fields))


def _urn(name: str, token: str = THING, parent: str = "") -> str:
    return make_urn(stack="test", project="conf", parent=parent, type_token=token, name=name)


def _old(name: str, **fields: Any) -> ResourceState:
    known: dict[str, Any] = {
        "urn": _urn(name, fields.get("type", THING), fields.get("parent", "")),
        "type": THING,
        "custom": True,
        "id": f"{name}-1",
        "provider": OF_PROVIDER + "::id",
    }
    return ResourceState(**(known | fields))


def _shown(steps: Sequence[Any]) -> list[tuple[Op, str]]:
    return [(step.op, step.urn.rpartition("::")[2]) for step in steps]


REPLACED = [(Op.CREATE_REPLACEMENT, "a"), (Op.REPLACE, "a")]


def test_one_update_may_take_the_protection_off_and_replace() -> None:
    old = _old("a", protect=True, inputs={"replace_key": 1})
    assert Plans([old]).register("a", protect=False, inputs={"replace_key": 2}) == REPLACED
    with pytest.raises(PlanError, match="cannot be replaced because it is protected"):
        Plans([old]).register("a", protect=True, inputs={"replace_key": 2})
    assert Plans([_old("a", inputs={"replace_key": 1})]).register("a", protect=True, inputs={"replace_key": 2})


def test_a_preview_shows_the_replacement_of_a_protected_resource_and_fails() -> None:
    plans = Plans([_old("a", protect=True, inputs={"replace_key": 1})], preview=True)
    assert plans.register("a", protect=True, inputs={"replace_key": 2}) == REPLACED
    assert plans.failures.any


@pytest.mark.parametrize("preview", [True, False])
def test_a_protected_dependent_holds_the_deletion_of_what_it_needs(preview: bool) -> None:
    dependent = _old(
        "b", protect=True, inputs={"replace_key": 1}, dependencies=[_urn("a")],
        property_dependencies={"replace_key": [_urn("a")]},
    )  # fmt: skip
    plans = Plans([_old("a", inputs={"dbr_key": 1}), dependent], preview=preview)
    with pytest.raises(PlanError, match=r'"urn:.*::b" cannot be replaced as part of replacing "urn:.*::a"'):
        plans.register("a", inputs={"dbr_key": 2})


def test_what_was_deleted_and_not_made_again_is_made_even_when_nothing_changed() -> None:
    old = _old("a", pending_replacement=True)
    made = [(Op.REPLACE, "a"), (Op.CREATE_REPLACEMENT, "a")]
    assert Plans([old]).register("a", delete_before_replace=True) == made
    assert Plans([old]).register("a") == REPLACED


def test_an_imported_resource_is_not_replaced_as_long_as_it_names_its_object() -> None:
    old = _old("a", import_id="a-1", inputs={"replace_key": 1})
    with pytest.raises(PlanError, match="may not be replaced"):
        Plans([old]).register("a", import_id="a-1", inputs={"replace_key": 2})
    preview = Plans([old], preview=True)
    assert preview.register("a", import_id="a-1", inputs={"replace_key": 2}) == REPLACED
    assert preview.messages.has(Severity.WARNING, "may not be replaced")


def test_a_component_that_becomes_a_resource_is_replaced_and_the_other_way_round() -> None:
    component = _old("a", custom=False, id="", provider="")
    assert Plans([component]).register("a") == REPLACED
    assert Plans([_old("a")]).register("a", custom=False, provider="") == REPLACED
    assert Plans([component]).register("a", custom=False, provider="") == [(Op.SAME, "a")]


def test_a_component_ignores_changes_too() -> None:
    old = _old("a", custom=False, id="", provider="", inputs={"x": 1})
    plans = Plans([old])
    plan = plans.planner.plan(_goal("a", custom=False, provider="", inputs={"x": 2}, ignore_changes=["x"]))
    assert _shown(plan.steps) == [(Op.SAME, "a")]
    assert plan.state is not None
    assert plan.state.inputs == {"x": 1}


def test_an_alias_under_a_parent_with_a_new_name_means_its_old_name() -> None:
    old_parent = _old("group", type=OTHER_GROUP, custom=False, id="", provider="")
    plans = Plans([old_parent, _old("a", parent=old_parent.urn)])
    plans.register("group", type=GROUP, custom=False, provider="", aliases=[Alias(type=OTHER_GROUP)])
    assert plans.register("a", aliases=[Alias(parent=_urn("group", GROUP))]) == [(Op.SAME, "a")]


def test_what_is_only_read_takes_over_nothing_under_another_name() -> None:
    old_parent = _old("group", type=OTHER_GROUP, custom=False, id="", provider="")
    plans = Plans([old_parent, _old("a", parent=old_parent.urn, external=True)])
    plans.register("group", type=GROUP, custom=False, provider="", aliases=[Alias(type=OTHER_GROUP)])
    plan = plans.planner.plan_read(_goal("a", parent=_urn("group", GROUP)), "a-1")
    assert [step.old for step in plan.steps] == [None]
    assert _shown(plans.planner.plan_deletions()) == [(Op.DISCARD, "a")]


def test_a_provider_that_would_be_replaced_takes_all_that_it_made_with_it() -> None:
    explicit = _old(
        "p", type=PROVIDER, provider="", inputs={"region": 1}, dependencies=[_urn("a")],
        property_dependencies={"region": [_urn("a")]},
    )  # fmt: skip
    made = _old("b", provider=f"{explicit.urn}::p-1")
    plans = Plans([_old("a", inputs={"dbr_key": 1}), explicit, made])
    assert plans.register("a", inputs={"dbr_key": 2})[:3] == [
        (Op.DELETE_REPLACED, "b"),
        (Op.DELETE_REPLACED, "p"),
        (Op.DELETE_REPLACED, "a"),
    ]
    assert plans.registry.replaced_providers == [explicit.urn]


def test_an_old_object_that_is_still_to_be_deleted_goes_before_what_it_needs_and_only_once() -> None:
    needs = {"dependencies": [_urn("a")], "property_dependencies": {"replace_key": [_urn("a")]}}
    left = _old("b", id="b-0", inputs={"replace_key": 1}, delete=True, **needs)
    plans = Plans([_old("a", inputs={"dbr_key": 1}), left])
    assert plans.register("a", inputs={"dbr_key": 2})[:2] == [(Op.DELETE, "b"), (Op.DELETE_REPLACED, "a")]
    assert plans.planner.plan_deletions() == []


def test_what_a_failed_resource_needs_stays() -> None:
    plans = Plans([_old("x"), _old("a", dependencies=[_urn("x")]), _old("b", dependencies=[_urn("a")]), _old("c")])
    plans.register("b")
    plans.failures.urns.add(_urn("b"))
    assert _shown(plans.planner.plan_deletions()) == [(Op.DELETE, "c")]


# -- targets
def _only(*urns: str, dependents: bool = False) -> Targets:
    return Targets(frozenset(urns), with_dependents=dependents)


def test_what_depends_on_a_target_with_a_star_is_meant_too() -> None:
    olds = [_old("a", inputs={"x": 1}), _old("b", inputs={"x": 1}), _old("c", inputs={"x": 1})]
    plans = Plans(olds, targets=_only("**::a", dependents=True))
    assert plans.register("a", inputs={"x": 2}) == [(Op.UPDATE, "a")]
    assert plans.register("b", inputs={"x": 2}, dependencies=[_urn("a")]) == [(Op.UPDATE, "b")]
    assert plans.register("c", inputs={"x": 2}) == [(Op.SAME, "c")]


def test_what_goes_with_a_target_depends_on_it() -> None:
    olds = [_old("a"), _old("b", inputs={"x": 1})]
    plans = Plans(olds, targets=_only(_urn("a"), dependents=True))
    plans.register("a")
    assert plans.register("b", inputs={"x": 2}, deleted_with=_urn("a")) == [(Op.UPDATE, "b")]


def test_what_stays_keeps_before_it_what_the_program_has_no_more() -> None:
    removed = [_old("x"), _old("y", dependencies=[_urn("x")])]
    plans = Plans([*removed, _old("b", dependencies=[_urn("y")]), _old("c")], targets=_only(_urn("c"), _urn("x")))
    assert plans.register("b") == [(Op.SAME, "x"), (Op.SAME, "y"), (Op.SAME, "b")]
    assert plans.register("c") == [(Op.SAME, "c")]
    assert plans.planner.plan_deletions() == []


def test_what_stays_needs_its_provider_in_the_program() -> None:
    plans = Plans([_old("b", provider=OF_PROVIDER + "::other"), _old("c")], targets=_only(_urn("c")))
    with pytest.raises(PlanError, match="change of providers cannot be mixed with --target"):
        plans.register("b")


def test_nothing_unnamed_goes_with_a_target() -> None:
    olds = [_old("a"), _old("b", dependencies=[_urn("a")])]
    plans = Plans(olds, targets=_only(_urn("a")))
    assert plans.planner.plan_deletions() == []
    assert plans.failures.any
    assert plans.messages.has(Severity.ERROR, "::b' would be destroyed")
    preview = Plans(olds, targets=_only(_urn("a")), preview=True)
    assert _shown(preview.planner.plan_destroy()) == [(Op.DELETE, "b"), (Op.DELETE, "a")]
    assert preview.failures.any
    both = Plans(olds, targets=_only(_urn("a"), dependents=True))
    assert _shown(both.planner.plan_destroy()) == [(Op.DELETE, "b"), (Op.DELETE, "a")]


def test_a_target_that_is_nowhere_fails_the_run_and_the_others_are_dealt_with() -> None:
    plans = Plans([_old("a")], targets=_only(_urn("a"), _urn("nowhere")))
    assert _shown(plans.planner.plan_destroy()) == [(Op.DELETE, "a")]
    assert plans.messages.has(Severity.ERROR, "::nowhere' could not be found in the stack (a $")
    assert plans.failures.any


def test_what_needs_something_that_is_not_made_is_refused_and_told_in_previews() -> None:
    def needing(plans: Plans) -> list[tuple[Op, str]]:
        plans.register("a")
        plans.register("c", dependencies=[_urn("a")])
        return plans.register("b", dependencies=[_urn("a")])

    with pytest.raises(PlanError, match="not specified in --target list"):
        needing(Plans(targets=_only(_urn("b"))))
    preview = Plans(targets=_only(_urn("b")), preview=True)
    assert needing(preview) == [(Op.CREATE, "b")]
    assert preview.messages.has(Severity.ERROR, "not specified in --target list")
    assert preview.failures.any
