"""The tables of settings in the documents, made from the settings themselves: `make schema` renews them, and a test
tells when one is not current."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stacks.load import PROJECT_FOLDER
from stacks.settings import Settings

_TABLE = re.compile(r"(<!-- settings of (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}

_SEALED = {"secure"}
"""The properties of a value that the stack file has encrypted."""


def renewed(text: str) -> str:
    """A document with each table between `<!-- settings of SECTION -->` and `<!-- end -->` as the code has it."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def table(section: str) -> str:
    """The settings below a section, such as `services.spark`, as Markdown."""
    schema = Settings.model_json_schema()
    rows = "".join(
        f"| `{name}` | {kind} | {default} | {text} |\n" for name, kind, default, text in _rows(schema, section)
    )
    return f"| setting | type | default | what it is |\n|---|---|---|---|\n{rows}"


def _rows(schema: dict[str, Any], section: str) -> Iterator[tuple[str, str, str, str]]:
    found = schema
    for part in section.split("."):
        found = _resolved(schema, found["properties"][part])
    yield from _settings(schema, found, "")


def _settings(schema: dict[str, Any], section: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, written in section["properties"].items():
        setting = _resolved(schema, written)
        own = setting.get("additionalProperties")
        if isinstance(own, dict):
            yield (f"{prefix}{name}", "by name", "none", written.get("description", ""))
            inner = _resolved(schema, own)
            yield from _settings(schema, inner, f"{prefix}{name}.NAME.") if "properties" in inner else ()
        elif "properties" in setting and set(setting["properties"]) != _SEALED:
            yield from _settings(schema, setting, f"{prefix}{name}.")
        else:
            needed = name in section.get("required", [])
            default = "needed" if needed else _default(setting)
            yield (f"{prefix}{name}", _kind(setting), default, written.get("description", "").replace("|", "\\|"))


def _resolved(schema: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; of a choice with null the other side."""
    choice = [one for one in written.get("anyOf", []) if one.get("type") != "null"]
    inner = choice[0] if choice else written
    reference = inner.get("$ref")
    if reference is None:
        return {**inner, **{key: value for key, value in written.items() if key != "anyOf"}}
    return schema["$defs"][reference.rpartition("/")[2]]


def _kind(setting: dict[str, Any]) -> str:
    if "properties" in setting:
        return "encrypted text"
    if "enum" in setting:
        return " or ".join(f"`{one}`" for one in setting["enum"])
    if setting.get("type") == "array":
        return "list"
    bounds = [f"{word} {setting[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in setting]
    return " ".join((_KINDS[setting["type"]], *bounds))


def _default(setting: dict[str, Any]) -> str:
    value = setting.get("default")
    return "none" if value in (None, [], {}) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def documents() -> list[Path]:
    """The documents that hold such a table."""
    return [path for path in sorted((PROJECT_FOLDER / "docs").glob("*.md")) if _TABLE.search(path.read_text())]


def main() -> int:
    """Renew every table."""
    for path in documents():
        path.write_text(renewed(path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
