"""YAML as Docker reads and writes it. Docker's reader is neither YAML 1.1 (where `22:22` is a number and `on` is true)
nor 1.2 (where a mode of `0440` is decimal), so both directions are said here."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import yaml

from components.plan.errors import PlanError
from components.services.compose.model import ComposeError

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0o?[0-7]+|0x[0-9a-fA-F]+|0b[01]+)$")
_FLOAT = re.compile(
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9_]+|[0-9][0-9_]*\.)(?:[eE][-+]?[0-9]+)?$|^[-+]?[0-9]+[eE][-+]?[0-9]+$"
)
_OCTAL = re.compile(r"^([-+]?)0o?([0-7]+)$")
_PLAIN = re.compile(r"^[A-Za-z/_][A-Za-z0-9_./-]*$")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


class _Loader(yaml.SafeLoader):
    """A loader with Docker's own reading of plain scalars, which refuses a key that is there twice."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # pyright: ignore[reportIncompatibleVariableOverride]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        own = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in own:
            if own.count(key) > 1:
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {key} is there twice")
        return super().construct_mapping(node, deep)


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    octal = _OCTAL.match(text)
    return int(octal[1] + octal[2], 8) if octal else int(text, 0)


def _decimal(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node).replace("_", ""))


for _tag, _form in (
    ("null", _NULL),
    ("bool", _BOOL),
    ("int", _INT),
    ("float", _FLOAT),
    ("merge", re.compile("^<<$")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _form, None)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def load(text: str) -> dict[str, Any]:
    """The document, which is a mapping; ComposeError in one line for what is no YAML."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise ComposeError(f"no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ComposeError("no Compose file: write a mapping with the key services")
    return document


class Octal(int):
    """A file mode, which people read in octal."""


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes every text that some reader of YAML could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: Any, text: str) -> Any:
    plain = _PLAIN.match(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _octal(dumper: Any, mode: Octal) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:int", f"0{mode:o}")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Octal, _octal)


def dump(document: Mapping[str, Any]) -> str:
    """The document as text, in the order that it has; `$` is doubled, since readers fill in variables."""
    escaped = map_texts(document, lambda text, _: text.replace("$", "$$"))
    return yaml.dump(escaped, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def map_texts(value: Any, change: Callable[[str, str], str], where: str = "") -> Any:
    """The value with every text in it changed, keys left alone; `change` is told where it is (`services.a.image`)."""
    if isinstance(value, str):
        return change(value, where)
    if isinstance(value, Mapping):
        return {key: map_texts(item, change, f"{where}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [map_texts(item, change, where) for item in value]
    return value


_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|"
    r"\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<operand>[^}]*))?\}|(?P<wrong>))"
)


def interpolate(document: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The document with `${NAME}`, `${NAME:-default}`, `${NAME:?words}` and `${NAME:+words}` filled in.

    A variable without a value and without a default is refused: Docker would make it empty, with a warning.
    """

    def fill(text: str, where: str) -> str:
        return _VARIABLE.sub(lambda found: _value(found, variables, text, where), text)

    # Keys that begin with x- mean nothing by themselves; what merges them in is filled in where it stands.
    return {
        key: value if str(key).startswith("x-") else map_texts(value, fill, str(key)) for key, value in document.items()
    }


def _value(found: re.Match[str], variables: Mapping[str, str], text: str, where: str) -> str:
    if found["escaped"]:
        return "$"
    name = found["bare"] or found["name"]
    if name is None:
        raise PlanError(field=where, value=text, problem="$ begins no variable", fix="write $$ for a plain $")
    operator, operand = found["operator"] or "", found["operand"] or ""
    value = variables.get(name)
    there = value is not None and not (operator.startswith(":") and not value)
    if operator.endswith("+"):
        return operand if there else ""
    if there:
        return value or ""
    if operator.endswith("-"):
        return operand
    raise PlanError(
        field=where,
        value=text,
        problem=f"variable {name} has no value" + (f" ({operand})" if operand else ""),
        fix=f"give it under variables, or write a default: ${{{name}:-value}}",
    )
