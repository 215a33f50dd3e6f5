"""Rules over all components, whoever wrote them: how they are made, what they take and what they give."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import pulumi
import pytest

import components
from components.component import Component, DeclaredOutputsError

PROJECT = Path(__file__).resolve().parent.parent.parent


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(components.__path__, prefix="components.")
    return [importlib.import_module(module.name) for module in found]


def classes() -> list[type]:
    """Every public class that is defined in `components/`."""
    return [
        item
        for module in modules()
        for name, item in inspect.getmembers(module, inspect.isclass)
        if item.__module__ == module.__name__ and not name.startswith("_")
    ]


COMPONENTS = [item for item in classes() if issubclass(item, Component) and item is not Component]
ARGUMENTS = [item for item in classes() if item.__name__.endswith("Args") and dataclasses.is_dataclass(item)]

every_component = pytest.mark.parametrize("component", COMPONENTS, ids=lambda item: item.__name__)
every_args = pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda item: item.__name__)


def test_there_are_components_to_check() -> None:
    assert len(COMPONENTS) >= 10
    assert len(ARGUMENTS) >= 10


@every_component
def test_a_component_has_a_type_token_of_its_own(component: type[Component]) -> None:
    assert re.fullmatch(r"flotilla:[a-z]+:[A-Z][A-Za-z]+", component.token)
    assert [other for other in COMPONENTS if other.token == component.token] == [component]


@every_component
def test_a_component_declares_three_to_six_outputs_with_their_types(component: type[Component]) -> None:
    assert 3 <= len(component.declares) <= 6
    assert set(component.declares) == set(component.declared_types)


@every_component
def test_a_component_takes_a_name_its_args_and_options_and_nothing_else(component: type[Component]) -> None:
    parameters = list(inspect.signature(component.__init__).parameters)
    assert parameters == ["self", "name", "args", "opts"]


@every_component
def test_a_component_and_its_args_say_what_they_are(component: type[Component]) -> None:
    assert component.__doc__
    args = inspect.signature(component.__init__).parameters["args"].annotation
    assert args in ARGUMENTS
    assert args.__doc__
    assert not args.__doc__.startswith(f"{args.__name__}(")


@every_args
def test_args_are_frozen_and_by_keyword_only(arguments: type) -> None:
    parameters: Any = arguments.__dataclass_params__  # type: ignore[attr-defined]
    assert parameters.frozen
    assert all(field.kw_only for field in dataclasses.fields(arguments))


@every_args
def test_a_value_that_shapes_the_graph_is_never_an_input(arguments: type) -> None:
    """Counts, switches and choices decide which resources exist, so they are plain values; only text may flow."""
    # The SDK writes Input[T] with forward references to these two names.
    names = {"Output": pulumi.Output, "T": typing.TypeVar("T")}
    for name, annotation in typing.get_type_hints(arguments, localns=names).items():
        for inside in inputs_in(annotation):
            # Whether there is a value at all is decided in the plan: None is no Input's.
            assert inside in (str, type(None)), f"{arguments.__name__}.{name} is Input of {inside}"


def inputs_in(annotation: Any) -> list[Any]:
    """The T of every Input[T] inside an annotation: Input is a union that holds an awaitable T and Output[T]."""
    arguments = typing.get_args(annotation)
    if any("Output" in str(item) for item in arguments) and len(arguments) > 1:
        return [item for item in arguments if isinstance(item, type) and typing.get_origin(item) is None]
    return [found for item in arguments for found in inputs_in(item)]


def test_inputs_are_found_inside_annotations() -> None:
    hints = {"a": pulumi.Input[int], "b": dict[str, pulumi.Input[str]]}
    assert inputs_in(hints["a"]) == [int]
    assert inputs_in(hints["b"]) == [str]


def test_publishing_other_outputs_than_declared_is_an_error() -> None:
    class Wrong(Component):
        """Declares one thing."""

        token = "flotilla:test:Wrong"
        declares = ("one",)

        def __init__(self) -> None:  # the base class would ask the engine
            pass

    with pytest.raises(DeclaredOutputsError, match=r"declares \['one'\] but publishes \['two'\]"):
        Wrong().publish(two=1)


@pytest.mark.parametrize("folder", ["components/plan", "components/machine.py"])
def test_the_plan_and_the_machine_contract_import_no_pulumi(folder: str) -> None:
    code = (
        "import sys, importlib, pathlib\n"
        f"path = pathlib.Path({folder!r})\n"
        "files = [path] if path.suffix else sorted(path.glob('*.py'))\n"
        "assert files\n"
        "for file in files: importlib.import_module('.'.join(file.with_suffix('').parts).removesuffix('.__init__'))\n"
        "assert not [name for name in sys.modules if name.startswith('pulumi')]\n"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


IMPORT = re.compile(r"^\s*(?:from|import) (stacks|hermetic|labs)\b", re.MULTILINE)


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("components", {"stacks", "hermetic", "labs"}),
        ("stacks", {"hermetic", "labs"}),
        ("plugins", {"stacks", "hermetic", "labs"}),
        ("images", {"stacks", "hermetic", "labs"}),
    ],
)
def test_imports_run_one_way(room: str, forbidden: set[str]) -> None:
    found = {
        (str(path.relative_to(PROJECT)), name)
        for path in (PROJECT / room).rglob("*.py")
        for name in IMPORT.findall(path.read_text())
        if name in forbidden
    }
    assert found == set()
