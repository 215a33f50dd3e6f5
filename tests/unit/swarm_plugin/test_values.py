"""Values on the wire and differences between them."""

from typing import Any

from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from plugins.swarm.differences import differences
from plugins.swarm.fields import TEXTS, Change, Field
from plugins.swarm.values import (
    OUTPUT_MARK,
    REFERENCE_MARK,
    SIGNATURE,
    UNKNOWN,
    Secret,
    decode,
    encode,
    has_secret,
    is_known,
    plain,
    secret_texts,
)

leaves = st.one_of(st.text(max_size=5), st.booleans(), st.integers(-(2**40), 2**40), st.just(UNKNOWN))
keys = st.text(min_size=1, max_size=4).filter(lambda key: not key.startswith("__"))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3), st.builds(Secret, inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(keys, values, max_size=4))
def test_values_come_back_as_they_went(properties: dict[str, Any]) -> None:
    assert decode(encode(properties)) == properties


@given(st.dictionaries(keys, values, max_size=4))
def test_plain_values_hold_no_mark_of_a_secret(properties: dict[str, Any]) -> None:
    assert not has_secret(plain(properties))
    assert is_known(plain(properties)) == is_known(properties)


def test_outputs_and_references_are_read_as_what_they_stand_for() -> None:
    struct = Struct()
    struct.update(
        {
            "known": {SIGNATURE: OUTPUT_MARK, "value": "v", "dependencies": []},
            "hidden": {SIGNATURE: OUTPUT_MARK, "value": "s", "secret": True},
            "unknown": {SIGNATURE: OUTPUT_MARK},
            "resource": {SIGNATURE: REFERENCE_MARK, "urn": "urn:x", "id": "i"},
            "component": {SIGNATURE: REFERENCE_MARK, "urn": "urn:x"},
            "__defaults": [],
        }
    )
    assert decode(struct) == {
        "known": "v",
        "hidden": Secret("s"),
        "unknown": UNKNOWN,
        "resource": "i",
        "component": "urn:x",
    }


def test_a_secret_shows_nothing_of_itself() -> None:
    assert "token" not in repr({"a": [Secret("token")]})
    assert list(secret_texts({"a": [Secret({"b": "token", "c": 1})], "d": "plain"})) == ["token"]


def test_secretness_alone_is_no_difference() -> None:
    fields = {"labels": Field(TEXTS)}
    assert differences(fields, {"labels": {"a": Secret("1")}}, {"labels": {"a": "1"}}) == []


def test_nothing_and_an_empty_map_are_the_same() -> None:
    assert differences({"labels": Field(TEXTS)}, {"labels": {}}, {}) == []


def test_ignored_paths_and_ways_are_no_difference() -> None:
    fields = {"labels": Field(TEXTS), "managers": Field(TEXTS, change=Change.NOTHING)}
    olds, news = {"labels": {"a": "1", "b": "1"}, "managers": "x"}, {"labels": {"a": "2", "b": "2"}, "managers": "y"}
    (one,) = differences(fields, olds, news, ["labels.a"])
    assert (one.path, one.property, one.kind) == ("labels.b", "labels", "update")
    assert differences(fields, olds, news, ["labels"]) == []
