"""The typed classes and the plugin say the same."""

import inspect
import re
from typing import Any

import pytest
from pulumi import _types

from components.swarm import resources
from plugins.swarm.server import RESOURCES


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


@pytest.mark.parametrize("token", RESOURCES)
def test_a_class_takes_the_properties_of_its_resource_and_gives_its_outputs(token: str) -> None:
    name, served = token.rpartition(":")[2], RESOURCES[token]
    written: Any = getattr(resources, name)
    parameters = set(inspect.signature(written).parameters) - {"resource_name", "opts"}
    assert {camel(parameter) for parameter in parameters} == set(served.fields)
    wired = _types.input_type_py_to_pulumi_names(getattr(resources, f"_{name}Properties"))
    assert set(wired.values()) == set(served.fields)
    assert set(_types.resource_py_to_pulumi_names(written).values()) == set(served.computed)


def test_required_properties_have_no_default() -> None:
    for token, served in RESOURCES.items():
        parameters = inspect.signature(getattr(resources, token.rpartition(":")[2])).parameters
        for name, parameter in parameters.items():
            if camel(name) in served.fields:
                required = parameter.default is inspect.Parameter.empty
                assert required == served.fields[camel(name)].required, f"{token}.{name}"
