"""The pure rules of the engine: which step for which resource."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.property_paths import PathError, contains, parse_path, with_old_values
from hermetic.steps import (
    NO_DIFF,
    Case,
    Change,
    Deletion,
    Diff,
    Op,
    PropertyDiff,
    case_of,
    change_of,
    compare,
    deletion_of,
    settled,
    with_replace_on_changes,
)
from hermetic.values import UNKNOWN, secret, strip_secrets

KEYS = st.text(alphabet='abc.[]"é', min_size=1, max_size=3)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=3))
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=8
)
MAPS = st.dictionaries(KEYS, VALUES, max_size=4)
DIFFS = st.builds(
    Diff,
    changes=st.booleans(),
    replace_keys=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
    delete_before_replace=st.booleans(),
)


def _case(**facts: Any) -> Case:
    known: dict[str, Any] = {
        "exists": False,
        "custom": True,
        "external": False,
        "recreating": False,
        "targeted": True,
        "import_id": "",
        "known_id": "",
    }
    return case_of(**(known | facts))


@pytest.mark.parametrize(
    ("facts", "case"),
    [
        ({}, Case.CREATE),
        ({"targeted": False}, Case.SKIP),
        ({"exists": True}, Case.COMPARE),
        ({"exists": True, "targeted": False}, Case.KEEP),
        ({"exists": True, "external": True}, Case.ADOPT),
        ({"exists": True, "recreating": True}, Case.RECREATE),
        ({"import_id": "x"}, Case.IMPORT),
        ({"import_id": "x", "exists": True, "known_id": "x"}, Case.COMPARE),
        ({"import_id": "x", "exists": True, "known_id": "y"}, Case.IMPORT_REPLACEMENT),
        ({"import_id": "x", "exists": True, "known_id": "y", "recreating": True}, Case.IMPORT),
        ({"import_id": "x", "exists": True, "known_id": "x", "external": True}, Case.IMPORT_REPLACEMENT),
        ({"import_id": "x", "custom": False}, Case.CREATE),
    ],
)
def test_what_is_known_before_the_provider_is_asked(facts: dict[str, Any], case: Case) -> None:
    assert _case(**facts) is case


@given(
    exists=st.booleans(),
    custom=st.booleans(),
    external=st.booleans(),
    recreating=st.booleans(),
    targeted=st.booleans(),
    import_id=st.sampled_from(["", "x", "y"]),
    known_id=st.sampled_from(["", "x", "y"]),
)
def test_what_is_no_target_is_never_changed_and_what_does_not_exist_is_never_compared(**facts: Any) -> None:
    case = case_of(**facts)
    if not facts["exists"]:
        assert case not in {Case.COMPARE, Case.KEEP, Case.ADOPT, Case.IMPORT_REPLACEMENT}
    if not facts["targeted"] and not facts["import_id"] and not facts["external"] and not facts["recreating"]:
        assert case in {Case.KEEP, Case.SKIP}


@given(diff=DIFFS, unhealthy=st.booleans(), option=st.sampled_from([None, True, False]))
def test_a_change_follows_from_the_difference_alone(diff: Diff, unhealthy: bool, option: bool | None) -> None:
    change = change_of(diff, unhealthy=unhealthy, delete_before_replace=option)
    if not diff.changes:
        assert change is (Change.UPDATE if unhealthy else Change.NONE)
    elif not diff.replace_keys:
        assert change is Change.UPDATE
    else:
        first = diff.delete_before_replace if option is None else option
        assert change is (Change.REPLACE_DELETE_FIRST if first else Change.REPLACE)


def test_the_option_goes_over_what_the_provider_says_about_deleting_first() -> None:
    asks = Diff(changes=True, replace_keys=("a",), delete_before_replace=True)
    assert change_of(asks, unhealthy=False, delete_before_replace=False) is Change.REPLACE


def test_a_replacement_in_the_details_alone_is_a_replacement() -> None:
    diff = Diff(changes=True, detailed={"a.b": PropertyDiff("update-replace")})
    assert change_of(diff, unhealthy=False, delete_before_replace=None) is Change.REPLACE


@given(old=MAPS)
def test_nothing_differs_from_itself(old: dict[str, Any]) -> None:
    assert compare(old, old) == {}


@given(old=MAPS, new=MAPS)
def test_a_difference_is_found_whenever_there_is_one_and_reverses(old: dict[str, Any], new: dict[str, Any]) -> None:
    forward, backward = compare(old, new), compare(new, old)
    opposite = {"add": "delete", "delete": "add", "update": "update"}
    assert {path: opposite[each.kind] for path, each in forward.items()} == {
        path: each.kind for path, each in backward.items()
    }
    for path in forward:
        assert parse_path(path)


@given(old=MAPS)
def test_secretness_is_a_part_of_a_value_and_hides_what_is_inside(old: dict[str, Any]) -> None:
    hidden = {key: secret(value) for key, value in old.items()}
    assert compare(hidden, hidden) == {}
    assert set(compare(old, hidden)) == set(compare({}, hidden))
    assert strip_secrets(hidden) == old
    assert set(compare({"a": secret({"b": 1})}, {"a": secret({"b": 2})})) == {"a"}


def test_a_null_is_as_good_as_nothing() -> None:
    assert compare({"a": None}, {"b": None}) == {}
    assert {key: each.kind for key, each in compare({"a": None, "b": 1}, {"a": 1, "b": None}).items()} == {
        "a": "add",
        "b": "delete",
    }


def test_an_unknown_always_differs_and_true_is_not_one() -> None:
    assert set(compare({"a": UNKNOWN, "b": 1}, {"a": UNKNOWN, "b": True})) == {"a", "b"}


@given(old=MAPS, new=MAPS)
def test_where_the_provider_does_not_know_the_inputs_decide(old: dict[str, Any], new: dict[str, Any]) -> None:
    unknown = Diff(changes=None)
    assert settled(unknown, old, old).changes is False
    assert settled(unknown, old, new).changes is bool(compare(old, new))
    assert settled(NO_DIFF, old, new) is NO_DIFF


def test_replace_on_changes_turns_the_change_of_a_member_into_a_replacement() -> None:
    diff = Diff(
        changes=True, changed_keys=("tags",), detailed={"tags.x": PropertyDiff("update"), "tags.y": PropertyDiff("add")}
    )
    found = with_replace_on_changes(diff, ["tags.x"])
    assert found.replaces
    assert found.replace_keys == ()  # `tags` as a whole is no reason
    assert {path: each.kind for path, each in found.detailed.items()} == {"tags.x": "update-replace", "tags.y": "add"}


def test_replace_on_changes_leaves_other_members_and_no_changes_alone() -> None:
    diff = Diff(changes=True, changed_keys=("tags",), detailed={"tags.y": PropertyDiff("update")})
    assert not with_replace_on_changes(diff, ["tags.x"]).replaces
    assert with_replace_on_changes(diff, ["*"]).replaces
    assert with_replace_on_changes(NO_DIFF, ["*"]) is NO_DIFF


@given(news=MAPS, olds=MAPS)
def test_ignoring_everything_gives_the_old_inputs(news: dict[str, Any], olds: dict[str, Any]) -> None:
    assert with_old_values(news, olds, ["*"]) == olds


@given(news=MAPS, olds=MAPS, key=st.sampled_from(["a", "b", "c"]))
def test_an_ignored_property_is_as_it_was_and_the_others_are_new(
    news: dict[str, Any], olds: dict[str, Any], key: str
) -> None:
    found = with_old_values(news, olds, [key])
    assert found.get(key, "absent") == olds.get(key, "absent")
    assert {each: value for each, value in found.items() if each != key} == {
        each: value for each, value in news.items() if each != key
    }


def test_ignored_members_are_found_in_maps_lists_and_secrets() -> None:
    news = {"tags": {"x": "new", "y": "new"}, "parts": ["new", "new"], "hidden": secret({"x": "new", "y": "new"})}
    olds = {"tags": {"x": "old", "y": "old"}, "parts": ["old", "old"], "hidden": secret({"x": "old", "y": "old"})}
    found = with_old_values(news, olds, ["tags.x", "parts[0]", "hidden.x"])
    assert found["tags"] == {"x": "old", "y": "new"}
    assert found["parts"] == ["old", "new"]
    assert found["hidden"] == secret({"x": "old", "y": "new"})


def test_a_path_through_a_text_cannot_be_ignored_and_says_so() -> None:
    with pytest.raises(
        PathError, match=r'ignore_changes names "a\.b", but one or more elements of the path are missing'
    ):
        with_old_values({"a": "text"}, {"a": {"b": 1}}, ["a.b"])


def test_what_was_secret_stays_secret_when_its_change_is_ignored() -> None:
    assert with_old_values({"a": {"b": "new"}}, {"a": secret({"b": "old"})}, ["a.b"]) == {"a": {"b": secret("old")}}
    assert with_old_values({"a": {"b": "new"}}, {"a": secret({"b": "old"})}, ["a.*"]) == {"a": {"b": secret("old")}}


@pytest.mark.parametrize(
    ("new", "old", "path"),
    [
        ([1], [1, 2], "a[1]"),  # an item cannot be added
        ([1, 2], [1], "a[1]"),  # nor removed
        ([1], [1, 2], "a[*]"),
        ([{"x": 1}], [{"x": 1}, {"x": 2}], "a[*].x"),
        ({"y": {"x": 1}}, {"z": {"x": 1}}, "a.*.x"),
        ("text", "text", "a[*]"),
        ({}, {"x": {"y": 1}}, "a.x.y"),
        ([1], {"x": 1}, "a[0]"),
    ],
)
def test_a_path_that_only_one_of_the_two_has_cannot_be_ignored(new: object, old: object, path: str) -> None:
    with pytest.raises(PathError):
        with_old_values({"a": new}, {"a": old}, [path])


@pytest.mark.parametrize(
    ("new", "old", "path", "found"),
    [
        ([1], [2], "a[3]", [1]),  # neither has it
        ([1, 2], [3, 4], "a[*]", [3, 4]),
        ([{"x": 1, "y": 1}], [{"x": 2, "y": 2}], "a[*].x", [{"x": 2, "y": 1}]),
        ({"x": 1}, "text", "a.*", {"x": 1}),  # old values of another shape
        ({"x": 1}, {"y": 2}, "a.x", {}),
        ({"x": 1}, {"y": 2}, "a.*", {"y": 2}),
        ("text", "other", "a[0]", "text"),
    ],
)
def test_an_ignored_path_takes_the_old_value_and_nothing_else(
    new: object, old: object, path: str, found: object
) -> None:
    assert with_old_values({"a": new}, {"a": old}, [path]) == {"a": found}


def test_an_object_that_is_already_deleted_is_made_anew_whatever_its_difference() -> None:
    change = change_of(NO_DIFF, unhealthy=False, delete_before_replace=True, pending_replacement=True)
    assert change is Change.REPLACE_DELETE_FIRST
    change = change_of(NO_DIFF, unhealthy=False, delete_before_replace=None, pending_replacement=True)
    assert change is Change.REPLACE


@pytest.mark.parametrize(("paths", "replaces"), [(["*"], True), (["#initerror"], True), (["tags"], False), ([], False)])
def test_an_object_that_failed_to_initialise_counts_as_a_change_of_its_own(paths: list[str], replaces: bool) -> None:
    assert with_replace_on_changes(NO_DIFF, paths, unhealthy=True).replaces is replaces
    assert not with_replace_on_changes(NO_DIFF, paths).replaces


def test_paths_are_read_as_options_write_them() -> None:
    assert parse_path('tags.x[0]["a.b"].*') == ("tags", "x", 0, "a.b", "*")
    assert contains(parse_path("tags"), parse_path("tags.x"))
    assert contains(parse_path("tags.*"), parse_path("tags.x"))
    assert not contains(parse_path("tags.x"), parse_path("tags"))
    with pytest.raises(PathError):
        parse_path("a[")


@pytest.mark.parametrize(
    ("entry", "op"),
    [
        (Deletion(marked=False, seen=True, pending_replacement=False), None),
        (Deletion(marked=False, seen=True, pending_replacement=True), None),
        (Deletion(marked=False, seen=False, pending_replacement=False), Op.DELETE),
        (Deletion(marked=False, seen=False, pending_replacement=True), Op.REMOVE_PENDING_REPLACE),
        (Deletion(marked=False, seen=False, pending_replacement=False, external=True), Op.DISCARD),
        (Deletion(marked=True, seen=True, pending_replacement=False, external=True), Op.DISCARD_REPLACED),
        (Deletion(marked=True, seen=True, pending_replacement=False), Op.DELETE_REPLACED),
        (Deletion(marked=True, seen=False, pending_replacement=False), Op.DELETE_REPLACED),
    ],
)
def test_what_is_left_of_the_old_state_is_deleted_unless_the_program_has_it(entry: Deletion, op: Op | None) -> None:
    assert deletion_of(entry) is op
