"""Bad settings of the users' own registry: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports


def stack(registry: dict[str, Any], /, **sections: Any) -> dict[str, Any]:
    return {"services": {"web": None, "wordpress": None, "registry": registry}, **sections}


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"port": 0}), "services.registry.port is 0: use at least 1"),
    (
        stack({"port": 2377}),
        "services.registry.port is 2377/tcp: nodes use it for swarm management; publish another port, such as 8080",
    ),
    (
        stack({"port": 8404}),
        "load_balancer.statistics_port is 8404: services.registry.port has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    (
        stack({"user": "two words"}),
        "services.registry.user is 'two words': use up to 32 small letters, digits and . _ -, a letter or digit first, such as flotilla",
    ),
    (
        stack({"names": ["registry.example.org:5000"]}),
        "services.registry.names.0 is 'registry.example.org:5000': use a host name or an IPv4 address, without a port, such as registry.example.org",
    ),
    (
        stack({"names": ["10.0.0.300"]}),
        "services.registry.names.0 is '10.0.0.300': use a host name or an IPv4 address, without a port, such as registry.example.org",
    ),
    (
        stack({"node": "worker-9"}),
        "services.registry.node is 'worker-9': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (
        stack({}, nodes={"worker-1": {"availability": "drain"}}),
        "services.registry.node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-2",
    ),
    (
        stack({"node": "the first"}),
        "services.registry.node is 'the first': use a node's name, such as manager-1 or worker-2",
    ),
    (
        stack({"memory": "much"}),
        "services.registry.memory is 'much': no size; write a number with a unit, such as 512m or 2g",
    ),
    (
        stack({"memory": "32m"}),
        "services.registry.memory is '32m': too little while images are pushed; use 64m or more",
    ),
    (
        stack({}, volumes={"registry": {"node": "worker-2"}}),
        "volumes.registry is {'node': 'worker-2'}: the registry has a volume of this name; use services.registry.node, size and profile, or another name",
    ),
    (
        stack({"password": "secret"}),
        "services.registry.password is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
]


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_of_the_registry_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("registry", parse_settings(settings))
    assert str(refusal.value) == message


def test_the_registry_is_off_unless_a_stack_file_asks_for_it() -> None:
    settings = parse_settings({})
    assert settings.services.registry is None
    assert "registry-service" not in built_images(settings)


def test_a_stack_with_a_registry_builds_its_image_publishes_one_port_and_has_one_volume() -> None:
    settings = parse_settings(stack({"size": "20g", "profile": "silver", "node": "worker-2"}))
    assert built_images(settings) == ("haproxy", "registry-service")
    assert published_ports(settings) == {"registry": 5000}
    plan = make_plan("registry", settings)
    (volume,) = plan.volumes
    assert (volume.name, volume.node, volume.size_gib, volume.profile) == ("registry", "worker-2", 20, "silver")
    assert plan.warnings == ()


@pytest.mark.parametrize(("names", "warnings"), [([], 1), (["registry.example.org"], 0)])
def test_a_certificate_for_no_name_of_the_balancer_is_a_warning_on_a_rented_cloud(
    names: list[str], warnings: int
) -> None:
    rented = {"cloud": "aws", "ssh": {"admin_networks": ["203.0.113.0/24"]}, "registry": {"address": "r.example.org"}}
    plan = make_plan("registry", parse_settings(stack({"names": names}, **rented)))
    found = [warning for warning in plan.warnings if warning.startswith("services.registry.names is []: who pushes")]
    assert len(found) == warnings
