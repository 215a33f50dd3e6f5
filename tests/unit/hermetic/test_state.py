"""State: what is written reads back the same, secrets are never in it in the clear, damage is named by its place."""

import dataclasses
import json
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermetic.secrets import PassphraseCrypter
from hermetic.state import (
    Deployment,
    MalformedStateError,
    Manifest,
    PendingOperation,
    ResourceState,
    StateError,
    deployment_from_json,
    deployment_to_json,
    encode_deployment,
    export_from_json,
    export_to_json,
    verify_integrity,
)
from hermetic.values import SECRET, SIGNATURE, UNKNOWN, secret

CRYPTER = PassphraseCrypter.new("unit tests")
PROVIDER = {"type": "passphrase", "state": {"salt": CRYPTER.salt}}
STACK = "urn:pulumi:test::unit::pulumi:pulumi:Stack::unit-test"
SENTINEL = "correct horse battery staple"

texts = st.text(max_size=8)
names = st.text(min_size=1, max_size=6).filter(lambda name: name != SIGNATURE)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(
    scalars | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3) | inner.map(secret),
    max_leaves=10,
)
properties = st.dictionaries(names, values, max_size=4)
urns = st.lists(texts, max_size=2)
unknown_keys = st.dictionaries(
    names.map(lambda name: f"later{name}"), scalars | st.lists(scalars, max_size=2), max_size=2
)


BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "str": texts,
    "list[str]": urns,
    "dict[str, Any]": properties,
    "dict[str, list[str]]": st.dictionaries(names, urns, max_size=2),
    "list[dict[str, Any]]": st.lists(st.dictionaries(names, texts, max_size=1), max_size=2),
    "list[Any]": st.lists(scalars, max_size=2),
    "Any": values,
}
BY_NAME = {
    "urn": names,
    "type": names,
    "extra": unknown_keys,
    "custom_timeouts": BY_TYPE["dict[str, list[str]]"],
}


def values_of(field: "dataclasses.Field[Any]") -> st.SearchStrategy[Any]:
    """What a field of an entry may hold, by its name or else by its type."""
    kind = field.type.__name__ if isinstance(field.type, type) and field.type in (bool, str) else str(field.type)
    return BY_NAME[field.name] if field.name in BY_NAME else BY_TYPE[kind.replace("typing.", "")]


resources = st.builds(
    ResourceState, **{each.name: values_of(each) for each in dataclasses.fields(ResourceState) if each.init}
)
deployments = st.builds(
    Deployment,
    manifest=st.just(Manifest.now()),
    secrets_provider=st.just(PROVIDER),
    resources=st.lists(resources, max_size=3),
    pending_operations=st.lists(st.builds(PendingOperation, resources, st.sampled_from(["creating", "deleting"]))),
    metadata=st.dictionaries(names, texts, max_size=1),
    extra=unknown_keys,
)


@settings(max_examples=60, deadline=None)
@given(deployments)
def test_what_is_written_reads_back_the_same(deployment: Deployment) -> None:
    document = json.loads(json.dumps(deployment_to_json(deployment, CRYPTER)))
    assert deployment_from_json(document, CRYPTER) == deployment


@settings(max_examples=40, deadline=None)
@given(deployments)
def test_the_quick_text_says_the_same_as_the_document(deployment: Deployment) -> None:
    assert json.loads(encode_deployment(deployment, CRYPTER)) == deployment_to_json(deployment, CRYPTER)


@settings(max_examples=40, deadline=None)
@given(deployments)
def test_an_export_with_secrets_shown_reads_back_the_same(deployment: Deployment) -> None:
    assert export_from_json(export_to_json(deployment, CRYPTER, show_secrets=True), CRYPTER) == deployment


@settings(max_examples=60, deadline=None)
@given(values)
def test_no_secret_is_written_in_the_clear(around: Any) -> None:
    hidden = secret({"a": [SENTINEL, secret(SENTINEL)], SENTINEL: around})
    entry = ResourceState(
        urn="u", type="t", inputs={"x": [around, {"y": hidden}]}, outputs={"z": hidden}, replacement_trigger=[hidden]
    )
    deployment = Deployment(resources=[entry], pending_operations=[PendingOperation(entry, "updating")])
    assert SENTINEL not in encode_deployment(deployment, CRYPTER)
    assert SENTINEL not in json.dumps(deployment_to_json(deployment, CRYPTER))


def entry(name: str, **fields: Any) -> ResourceState:
    return ResourceState(urn=f"urn:pulumi:test::unit::probe:index:Thing::{name}", type="probe:index:Thing", **fields)


def test_an_unchanged_secret_keeps_its_ciphertext_and_a_changed_one_gets_a_new() -> None:
    thing = entry("a", inputs={"password": secret("one"), "other": secret("one")})
    first = deployment_to_json(Deployment(resources=[thing]), CRYPTER)["resources"][0]["inputs"]
    thing.outputs["more"] = 1
    again = deployment_to_json(Deployment(resources=[thing]), CRYPTER)["resources"][0]["inputs"]
    assert again == first
    assert first["password"] != first["other"], "equal ciphertexts would tell that two secrets are equal"
    thing.inputs["password"] = secret("two")
    changed = deployment_to_json(Deployment(resources=[thing]), CRYPTER)["resources"][0]["inputs"]
    assert changed["password"] != first["password"]
    assert changed["other"] == first["other"]


def test_a_change_deep_inside_an_entry_is_seen_by_the_quick_text() -> None:
    thing = entry("a", inputs={"deep": {"list": [1, {"leaf": "old"}]}})
    deployment = Deployment(resources=[thing])
    encode_deployment(deployment, CRYPTER)
    thing.inputs["deep"]["list"][1]["leaf"] = "new"
    assert '"leaf":"new"' in encode_deployment(deployment, CRYPTER)
    thing.protect = True
    assert '"protect":true' in encode_deployment(deployment, CRYPTER)


def test_an_entry_that_another_thread_changes_is_written_as_it_was_at_one_moment() -> None:
    outputs: dict[str, Any] = {str(number): 0 for number in range(10_000)}
    thing = entry("a", outputs=outputs)
    stop = threading.Event()

    def change() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            outputs[str(turn + 9_999)] = outputs.pop(str(turn - 1))

    changing = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    changing.start()
    try:
        for _ in range(20):
            written = json.loads(encode_deployment(Deployment(resources=[thing]), CRYPTER))["resources"][0]["outputs"]
            assert len(written) in {9_999, 10_000}
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        changing.join()


def test_an_entry_written_with_another_crypter_is_encrypted_anew() -> None:
    deployment = Deployment(resources=[entry("a", inputs={"password": secret("one")})])
    encode_deployment(deployment, CRYPTER)
    other = PassphraseCrypter.new("another")
    assert (
        deployment_from_json(json.loads(encode_deployment(deployment, other)), other).resources == deployment.resources
    )


def test_a_component_has_custom_false_and_no_empty_field() -> None:
    document = deployment_to_json(Deployment(resources=[ResourceState(urn=STACK, type="pulumi:pulumi:Stack")]), CRYPTER)
    assert document["resources"] == [{"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack"}]
    assert "pending_operations" not in document


def test_a_null_inside_properties_stays_and_empty_property_dependencies_stay_lists() -> None:
    thing = entry("a", outputs={"echo": None}, property_dependencies={"value": []})
    document = deployment_to_json(Deployment(resources=[thing]), CRYPTER)["resources"][0]
    assert document["outputs"] == {"echo": None}
    assert document["propertyDependencies"] == {"value": []}


def test_a_deployment_of_another_salt_is_read_with_the_same_passphrase_and_written_with_ours() -> None:
    other = PassphraseCrypter.new("unit tests")
    foreign = deployment_to_json(Deployment(resources=[entry("a", inputs={"p": secret("x")})]), other)
    deployment = deployment_from_json(foreign, CRYPTER)
    assert deployment.resources[0].inputs == {"p": secret("x")}
    assert deployment_to_json(deployment, CRYPTER)["secrets_providers"] == PROVIDER


def test_a_feature_of_version_4_makes_the_export_version_4() -> None:
    hooked = Deployment(resources=[entry("a", resource_hooks={"BeforeCreate": ["check"]}, taint=True)])
    export = export_to_json(hooked, CRYPTER)
    assert (export["version"], export["features"]) == (4, ["hooks", "taint"])
    assert export_from_json(export, CRYPTER).resources == hooked.resources


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({}, 'the deployment has no object "deployment": it must be the output of `stack export`'),
    ({"version": 2, "deployment": {}}, "the deployment has version 2: versions 3 and 4 are known"),
    ({"version": 4, "features": ["dreams"], "deployment": {}}, "the deployment uses unsupported features: dreams"),
    (
        {"version": 3, "deployment": {"secrets_providers": {"type": "cloud"}}},
        "secrets_providers.type is 'cloud': this engine has only the passphrase provider",
    ),
    ({"version": 3, "deployment": {"manifest": {"version": "v1", "magic": "x"}}}, "magic cookie mismatch"),
    ({"version": 3, "deployment": {"resources": {}}}, "deployment.resources is an object: a list is needed"),
    ({"version": 3, "deployment": {"resources": [7]}}, r"resources\[0\] is a number: an object is needed"),
    ({"version": 3, "deployment": {"resources": [{"type": "t"}]}}, r"resources\[0\].urn is missing"),
    (
        {"version": 3, "deployment": {"resources": [{"urn": "u", "type": "t", "inputs": []}]}},
        r"resources\[0\].inputs is a list: an object is needed",
    ),
    (
        {"version": 3, "deployment": {"pending_operations": [{"type": "creating"}]}},
        r"pending_operations\[0\].resource is null: an object is needed",
    ),
]


@pytest.mark.parametrize(("document", "message"), REFUSALS)
def test_what_is_no_deployment_is_refused_by_name(document: dict[str, Any], message: str) -> None:
    with pytest.raises(StateError, match=message):
        export_from_json(document, CRYPTER)


def test_a_secret_without_crypter_names_the_variable_on_both_ways() -> None:
    deployment = Deployment(resources=[entry("a", inputs={"p": secret("x")})])
    with pytest.raises(StateError, match=r"::a/inputs.p and no passphrase: set PULUMI_CONFIG_PASSPHRASE"):
        deployment_to_json(deployment, None)
    with pytest.raises(StateError, match=r"::a/inputs.p and no passphrase: set PULUMI_CONFIG_PASSPHRASE"):
        deployment_from_json(deployment_to_json(deployment, CRYPTER), None)


def test_a_secret_that_holds_no_json_is_named_without_its_text() -> None:
    document = deployment_to_json(Deployment(resources=[entry("a")]), CRYPTER)
    document["resources"][0]["inputs"] = {"p": {SIGNATURE: SECRET, "ciphertext": CRYPTER.encrypt(SENTINEL)}}
    with pytest.raises(MalformedStateError, match="does not hold JSON") as error:
        deployment_from_json(document, CRYPTER)
    assert SENTINEL not in str(error.value)
    assert error.value.__cause__ is None


def test_what_is_no_json_value_is_refused_with_the_urn() -> None:
    with pytest.raises(StateError, match="::a: a field holds what is no plain JSON value"):
        encode_deployment(Deployment(resources=[entry("a", inputs={"x": object()})]), CRYPTER)


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(StateError, match="cannot be written as JSON"):
        encode_deployment(Deployment(resources=[entry("a", inputs={"x": float("nan")})]), CRYPTER)


def test_a_state_in_order_passes_the_integrity_check() -> None:
    stack = ResourceState(urn=STACK, type="pulumi:pulumi:Stack")
    provider = ResourceState(urn="urn:p", type="pulumi:providers:probe", custom=True, id="7")
    thing = entry("a", parent=STACK, provider="urn:p::7")
    verify_integrity([stack, provider, thing, entry("b", dependencies=[thing.urn]), entry("a", delete=True)])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([entry("a", parent=STACK)], "refers to missing parent"),
        ([entry("a", dependencies=["urn:x"])], "refers to missing dependency urn:x"),
        ([entry("a", provider="urn:p::7")], "refers to unknown provider urn:p::7"),
        ([entry("a"), entry("a")], "duplicate resource"),
    ],
)
def test_a_broken_reference_is_refused(broken: list[ResourceState], message: str) -> None:
    with pytest.raises(StateError, match=f"snapshot integrity failure; refusing to use it: .*{message}"):
        verify_integrity(broken)
