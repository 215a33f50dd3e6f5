"""Bad settings of the MVC application, one line of the table each: what the user wrote and the one line that he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import built_images, make_plan, published_ports

LABELLED = {"count": 3, "labels": {"type": "mvc"}}
DIGEST = "registry.example.com/shop@sha256:" + "0" * 64


def stack(mvc: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"services": {"web": None, "wordpress": None, "mvc": mvc}, "workers": LABELLED, **sections}


CASES: list[tuple[dict[str, Any], str]] = [
    (stack({"version": "2.0"}), "services.mvc.version is '2.0': use '1.0' or '1.1'"),
    (stack({"version": 1.1}), "services.mvc.version is 1.1: use '1.0' or '1.1'"),
    (stack({"mode": "job"}), "services.mvc.mode is 'job': use 'replicated' or 'global'"),
    (stack({"replicas": -1}), "services.mvc.replicas is -1: use at least 0"),
    (
        stack({"mode": "global", "replicas": 5}),
        "services.mvc.replicas is 5: mode global is one task on every node that the constraints match; leave it out, or use mode: replicated",
    ),
    (stack({"port": 0}), "services.mvc.port is 0: use at least 1"),
    (
        stack({"memory": "128"}),
        "services.mvc.memory is 128: bytes, and less than the 4 MiB that a task needs at least; write the unit, such as 128m",
    ),
    (
        stack({"database_memory": "much"}),
        "services.mvc.database_memory is 'much': no size; write a number with a unit, such as 512m or 2g",
    ),
    (stack({"cpus": 0}), "services.mvc.cpus is 0: use at least 0.001"),
    (
        stack({}, workers={"count": 3}),
        "service mvc: constraints is ['node.labels.type == mvc']: no active node matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        stack({"replicas": 0}, workers={"count": 3}),
        "service mvc-migration: constraints is ['node.labels.type == mvc']: no active node matches all of them; label a node so that it matches, or change the constraints",
    ),
    (
        stack({"constraints": ["node.type == mvc"]}),
        "service mvc: constraint is 'node.type == mvc': node.type is no constraint key and would never match; use node.labels.type == mvc",
    ),
    (
        stack({"database_node": "dbhost"}),
        "services.mvc.database_node is 'dbhost': use a node's name, such as manager-1 or worker-2",
    ),
    (
        stack({"database_node": "worker-4"}),
        "services.mvc.database_node is 'worker-4': the stack has no such active node; use one of manager-1, manager-2, manager-3, worker-1, worker-2, worker-3",
    ),
    (
        stack({}, volumes={"mvc-database": {"node": "worker-1"}}),
        "volumes.mvc-database is {'node': 'worker-1'}: the MVC application has a volume of this name; use services.mvc.database_node, database_size and database_profile, or another name",
    ),
    (stack({"update": {"parallelism": 0}}), "services.mvc.update.parallelism is 0: use at least 1"),
    (
        stack({"update": {"delay": "10"}}),
        "services.mvc.update.delay is '10': no duration; write numbers with units, such as 10s, 1m30s or 2160h",
    ),
    (
        stack({"restart": {"condition": "always"}}),
        "services.mvc.restart.condition is 'always': use 'any', 'on-failure' or 'none'",
    ),
    (stack({"publish_database": 70000}), "services.mvc.publish_database is 70000: use at most 65535"),
    (
        stack({"publish_database": 3000}),
        "services.mvc.publish_database is 3000/tcp: service mvc publishes it already; publish another port with one of the two",
    ),
    (
        stack({"publish_database": 8405}),
        "services.mvc.publish_database is 8405: HAProxy's own health port; use another port",
    ),
    (
        stack({"publish_database": 8404}),
        "load_balancer.statistics_port is 8404: services.mvc.publish_database has this port on 127.0.0.1 already; use another port for one of the two",
    ),
    (
        stack({"replicas": 300}),
        "network.overlay_prefix is 24: the overlay of service mvc has 253 usable addresses, but 310 tasks, 1 virtual addresses and 6 nodes need 317; use 23 or fewer tasks",
    ),
    (
        stack({"image": "shop:1.0"}),
        "services.mvc.image is not a setting; see the schema stacks/settings.schema.json for those that there are",
    ),
    (
        stack({}, cloud="aws", ssh={"admin_networks": ["203.0.113.0/24"]}, network={"publish_mode": "ingress"}),
        "registry.address is None: the nodes have no registry to pull mariadb from, which services.mvc runs; name a registry that holds the built images, or images.mariadb by digest, or leave services.mvc out (null)",
    ),
]


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_a_bad_setting_of_the_application_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("mvc", parse_settings(settings))
    assert str(refusal.value) == message


def test_the_application_is_off_unless_a_stack_file_asks_for_it() -> None:
    settings = parse_settings({})
    assert settings.services.mvc is None
    assert not {"mvc", "mvc-1.1"} & set(built_images(settings))


def test_a_stack_has_both_releases_at_hand_and_publishes_one_port() -> None:
    """An update finds the next release, and one that failed finds the way back."""
    for version in ("1.0", "1.1"):
        settings = parse_settings(stack({"version": version}))
        assert built_images(settings) == ("haproxy", "mariadb", "mvc", "mvc-1.1")
        assert published_ports(settings) == {"mvc": 3000}
        assert make_plan("mvc", settings).warnings == ()


def test_an_application_of_ones_own_needs_no_built_one() -> None:
    own = parse_settings(stack({}, images={"mvc": DIGEST}))
    assert built_images(own) == ("haproxy", "mariadb")


def test_a_published_database_is_a_port_and_on_a_rented_cloud_a_warning() -> None:
    settings = parse_settings(stack({"publish_database": 3306}))
    assert published_ports(settings) == {"mvc": 3000, "mvc.publish_database": 3306}
    assert make_plan("mvc", settings).warnings == ()
    rented = {"cloud": "aws", "registry": {"address": "registry.example.com"}}
    rented |= {"ssh": {"admin_networks": ["203.0.113.0/24"]}}
    warnings = make_plan("mvc", parse_settings(stack({"publish_database": 3306}, **rented))).warnings
    assert [one for one in warnings if one.startswith("services.mvc.publish_database is 3306: everybody may try")]


def test_the_volume_is_on_the_node_of_the_database() -> None:
    settings = stack({"database_node": "worker-2", "database_size": "40g", "database_profile": "gold"})
    (volume,) = make_plan("mvc", parse_settings(settings)).volumes
    assert (volume.name, volume.node, volume.size_gib, volume.profile) == ("mvc-database", "worker-2", 40, "gold")


def test_global_mode_takes_every_labelled_node() -> None:
    make_plan("mvc", parse_settings(stack({"mode": "global"})))
