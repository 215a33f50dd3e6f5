"""Rules for all that is refused: what a line begins with is a setting that there is, so that whoever reads it finds the
place, and a value that a line proposes is one that ends the refusal."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import make_plan
from stacks.settings import Settings
from tests.unit.stacks import (
    test_bad_cloud_settings,
    test_bad_compose_settings,
    test_bad_hadoop_settings,
    test_bad_monitoring_settings,
    test_bad_mvc_settings,
    test_bad_registry_settings,
    test_bad_settings,
    test_bad_spark_settings,
    test_bad_ui_settings,
)

COMPOSE = {"compose": {"blog": {"file": "blog.yaml"}}}
"""What the rows of Compose files have beside their settings."""

Row = tuple[dict[str, Any], str]


def rows() -> Iterator[Row]:
    for module in (
        test_bad_cloud_settings,
        test_bad_hadoop_settings,
        test_bad_monitoring_settings,
        test_bad_mvc_settings,
        test_bad_registry_settings,
        test_bad_settings,
        test_bad_spark_settings,
        test_bad_ui_settings,
    ):
        yield from module.CASES
    for _, settings, _, message in test_bad_compose_settings.REFUSALS:
        yield {**COMPOSE, **settings}, message


ROWS = list(rows())
SCHEMA = Settings.model_json_schema()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; of a choice with null the other side."""
    inner = next((one for one in schema.get("anyOf", []) if one.get("type") != "null"), schema)
    return resolved(SCHEMA["$defs"][inner["$ref"].rpartition("/")[2]]) if "$ref" in inner else inner


def is_setting(path: str) -> bool:
    """Whether the schema has this path; a key of a mapping is any name, of a list any number."""
    section = SCHEMA
    for part in path.split("."):
        by_name = section.get("additionalProperties") or next(iter(section.get("patternProperties", {}).values()), None)
        by_number = section.get("items") if part.isdigit() else None
        found = section.get("properties", {}).get(part) or by_name or by_number
        if not isinstance(found, dict):
            return False
        section = resolved(found)
    return True


def subject(message: str) -> str:
    """What a line is about: the text before its value, without what it says of a part of it."""
    return re.split(r" is |: ", message, maxsplit=1)[0]


def is_in_compose_file(settings: dict[str, Any], named: str) -> bool:
    """Whether a Compose file is named, or a service or a network that only such a file has."""
    files = settings.get("compose", {})
    kind, _, name = named.partition(" ")
    return named in [one["file"] for one in files.values()] or (
        kind in ("service", "overlay") and name.partition("_")[0] in files
    )


def is_service_of_a_product(named: str) -> bool:
    """Whether a swarm service is named by its own name, which begins with its product's key below `services`: several
    settings, or none, say where it may run."""
    kind, _, name = named.partition(" ")
    return kind == "service" and is_setting(f"services.{name.partition('-')[0]}")


@pytest.mark.parametrize(("settings", "message"), ROWS, ids=[message[:70] for _, message in ROWS])
def test_a_refusal_begins_with_a_setting_that_there_is(settings: dict[str, Any], message: str) -> None:
    named = subject(message)
    if message.startswith(f"{named} is not a setting"):
        assert not is_setting(named)
        named = named.rpartition(".")[0] or "cloud"
    aspect = message.removeprefix(named).partition(" is ")[0]
    assert (
        is_setting(named)
        or is_in_compose_file(settings, named)
        or (aspect.startswith(": constraint") and is_service_of_a_product(named))
    )


def test_what_is_no_setting_is_told_from_what_is() -> None:
    assert all(map(is_setting, ("aws.bastion_type", "volumes.data.ebs.iops", "ssh.admin_networks.0", "compose.a.file")))
    assert not any(map(is_setting, ("aws.bastion.type", "volumes.data.iops", "ssh.admin_networks.first", "zone")))


@pytest.mark.parametrize(
    ("product", "size"),
    [
        ("wordpress", "database_size"),
        ("hadoop", "namenode_size"),
        ("hadoop", "datanode_size"),
        ("registry", "size"),
        ("mvc", "database_size"),
        ("monitoring", "size"),
    ],
)
def test_the_size_of_a_products_own_volume_is_refused_by_the_name_of_its_setting(product: str, size: str) -> None:
    services = {"web": None, "wordpress": None, product: {size: "4.5g"}}
    workers = {"count": 3, "memory": "4g", "labels": {"type": "mvc"}}
    with pytest.raises(SettingsError) as refusal:
        make_plan("dev", parse_settings({"services": services, "workers": workers}))
    assert str(refusal.value) == f"services.{product}.{size} is '4.5g': not in whole GiB; use 5g"


def proposed(message: str) -> int | str | None:
    """The value that the plan's fix begins with, when it is one: a number, a size, a network or a zone."""
    value = re.search(
        r"; use (?:at most )?(\d+(?=,| or|$)|\d+[gm]\b|\d+ GiB|[\d.]+/\d+|[a-z]+-[a-z]+-\d[a-z]\b)", message
    )
    if value is None:
        return None
    return int(value[1]) if value[1].isdigit() else value[1].replace(" GiB", "g")


def corrected(section: Any, path: str, value: int | str) -> Any:
    """The settings with another value at a path."""
    first, _, rest = path.partition(".")
    if isinstance(section, list):
        own: list[Any] = section
        return [value if number == int(first) else one for number, one in enumerate(own)]
    return {**(section or {}), first: corrected((section or {}).get(first), rest, value) if rest else value}


def refusal_of(settings: dict[str, Any]) -> str:
    """The line that the settings are refused with, empty when they are not."""
    try:
        make_plan("production", parse_settings(settings))
    except SettingsError as refusal:
        return str(refusal)
    return ""


PROPOSALS = [
    (settings, subject(message), value, message)
    for settings, message in ROWS
    if is_setting(subject(message)) and "compose" not in settings and (value := proposed(message)) is not None
]


@pytest.mark.parametrize(
    ("settings", "path", "value", "message"), PROPOSALS, ids=[f"{row[3][:50]} {row[2]}" for row in PROPOSALS]
)
def test_a_value_that_a_refusal_proposes_ends_that_refusal(
    settings: dict[str, Any], path: str, value: int | str, message: str
) -> None:
    """Something else may be wrong then, which is about another setting."""
    assert subject(message) == path
    assert subject(refusal_of(corrected(settings, path, value))) != path


def test_values_of_every_kind_are_proposed_and_tried() -> None:
    assert len(PROPOSALS) >= 50
    assert {type(value) for _, _, value, _ in PROPOSALS} == {int, str}
