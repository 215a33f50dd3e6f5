"""What the user sees: counts, hints, and values without their secrets."""

import io

from hermetic.display import Message, ProgressDisplay, Tally, View, diagnostics, output_lines, summary_lines
from hermetic.events import Severity, Step
from hermetic.plan_display import property_lines, worth_showing
from hermetic.shown import masked, shown
from hermetic.state import ResourceState
from hermetic.steps import Diff, Op, PropertyDiff
from hermetic.values import UNKNOWN, secret

ROOT = "urn:pulumi:dev::small::pulumi:pulumi:Stack::small-dev"
THING = "urn:pulumi:dev::small::probe:index:Thing::a"
DEFAULT = "urn:pulumi:dev::small::pulumi:providers:probe::default_1_2_3"


def _state(urn: str = THING, **fields: object) -> ResourceState:
    state = ResourceState(urn=urn, type=urn.split("::")[2], custom=True)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def test_one_kind_of_change_needs_no_total() -> None:
    assert summary_lines({"update": 2, "same": 1}, preview=True) == ["~ 2 to update", "1 unchanged"]


def test_several_kinds_of_change_are_added_up() -> None:
    lines = summary_lines({"create": 1, "replace": 2, "same": 3}, preview=False)
    assert lines == ["+ 1 created", "+-2 replaced", "3 changes. 3 unchanged"]


def test_parts_of_a_replacement_and_default_providers_are_not_counted() -> None:
    tally = Tally()
    tally.count(Step(Op.CREATE_REPLACEMENT, THING, _state(), _state()))
    tally.count(Step(Op.REPLACE, THING, _state(), _state()))
    tally.count(Step(Op.CREATE, DEFAULT, None, _state(DEFAULT)))
    assert dict(tally.changes) == {"replace": 1}
    assert tally.changed


def test_a_refresh_counts_what_it_found() -> None:
    tally = Tally(refreshing=True)
    old = _state(outputs={"a": 1})
    tally.count(Step(Op.REFRESH, THING, old, old))
    tally.count(Step(Op.REFRESH, THING, old, _state(outputs={"a": 2})))
    tally.count(Step(Op.REFRESH, THING, old, None))
    assert dict(tally.changes) == {"same": 1, "update": 1, "delete": 1}


def test_messages_stand_under_their_resource_with_errors_marked() -> None:
    messages = [Message(Severity.ERROR, THING, "no\nway"), Message(Severity.INFO, ROOT, "hello")]
    assert diagnostics(messages) == [
        "Diagnostics:",
        "  probe:index:Thing (a):",
        "    error: no",
        "    way",
        "",
        "  pulumi:pulumi:Stack (small-dev):",
        "    hello",
        "",
    ]


def test_a_secret_is_shown_by_its_name_wherever_it_hides() -> None:
    value = {"open": 1, "list": [secret("hush"), UNKNOWN], "map": {"k": secret({"deep": "hush"})}}
    assert "hush" not in shown(value)
    assert "hush" not in str(masked(value))
    assert shown(value) == "{list: [[secret], [unknown]], map: {k: [secret]}, open: 1}"
    assert "hush" in shown(value, show_secrets=True)


def test_a_value_that_becomes_secret_is_hidden_before_and_after() -> None:
    step = Step(Op.UPDATE, THING, _state(inputs={"a": "was open"}), _state(inputs={"a": secret("now hidden")}))
    assert property_lines(step) == ["~ a: [secret] => [secret]"]


def test_changed_outputs_are_marked() -> None:
    old, new = {"a": 1, "b": 1, "c": 1}, {"b": 1, "c": 2, "d": secret("hush")}
    assert output_lines(old, new, show_secrets=False) == ["  - a: 1", "    b: 1", "  ~ c: 1 => 2", "  + d: [secret]"]


def test_same_resources_are_worth_showing_when_their_protection_changes() -> None:
    assert not worth_showing(Step(Op.SAME, THING, _state(), _state()))
    assert worth_showing(Step(Op.SAME, THING, _state(protect=True), _state()))
    assert worth_showing(Step(Op.SAME, ROOT, _state(ROOT), _state(ROOT)))
    assert not worth_showing(Step(Op.CREATE, DEFAULT, None, _state(DEFAULT)))


def test_an_update_says_which_properties_are_the_reason() -> None:
    out = io.StringIO()
    display = ProgressDisplay(View("Updating", "dev", ROOT, preview=False), colour=False, out=out)
    detailed = {"tags.x": PropertyDiff("add"), "value": PropertyDiff("update"), "old": PropertyDiff("delete")}
    step = Step(Op.UPDATE, THING, _state(), _state(), Diff(changes=True, changed_keys=("tags",), detailed=detailed))
    display.step_begins(step)
    display.message(Severity.INFO, THING, "half way", ephemeral=True)
    display.step_ends(step)
    lines = out.getvalue().splitlines()
    assert " ~  probe:index:Thing a updating (0s) [diff: -old,~tags,~value] " in lines
    assert any(line.endswith(") half way") for line in lines)
    assert display.messages == []


def test_what_is_said_of_nothing_is_said_of_the_stack() -> None:
    display = ProgressDisplay(View("Updating", "dev", ROOT, preview=False), colour=False, out=io.StringIO())
    display.program_line("hello")
    display.message(Severity.DEBUG, "", "only with --debug")
    assert display.messages == [Message(Severity.INFO, ROOT, "hello")]
