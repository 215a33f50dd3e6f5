"""Rules that hold for every graph that the program can make, each a sentence and a test."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from tests.graph.graph import Graph, Resource, leaks, record, record_in

RENTED: dict[str, Any] = {
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
}
CLOUDS: dict[str, dict[str, Any]] = {
    "local": {},
    "aws": {"cloud": "aws", **RENTED},
    "openstack": {"cloud": "openstack", **RENTED},
}
DEV: dict[str, Any] = {}
PRODUCTION: dict[str, Any] = {
    "protect": True,
    "managers": {"count": 5},
    "workers": {"count": 9, "labels": {"disk": "ssd"}},
    "swarm": {"autolock": True},
    "nodes": {"worker-2": {"availability": "drain"}},
    "volumes": {"spark": {"node": "worker-3"}, "archive": {"node": "worker-3", "profile": "silver", "size": "200g"}},
}
HUNDRED: dict[str, Any] = {"workers": {"count": 100}}
SIZES = {"dev": DEV, "production": PRODUCTION, "hundred": HUNDRED}
MESH: dict[str, Any] = {"network": {"publish_mode": "ingress"}}
NOTHING: dict[str, Any] = {"web": None, "wordpress": None}
BARE: dict[str, Any] = {"services": NOTHING, "workers": {"count": 0}, "managers": {"count": 1}}
HAPROXY: dict[str, Any] = {"load_balancer": {"kind": "haproxy"}}
DIRECT: dict[str, Any] = {"ssh": {"access": "direct", "admin_networks": ["203.0.113.0/24", "198.51.100.0/24"]}}
POOL: dict[str, Any] = {"workers": {"count": 50, "pool": True}, "services": {"wordpress": None}}
SPARK: dict[str, Any] = {
    "services": {
        "web": {},
        "wordpress": None,
        "spark": {
            "workers": 5,
            "jobs": {
                "pi": {"application": "/opt/spark/examples/pi.py", "args": ["20"]},
                "mine": {"application": "mine.py", "where": "driver"},
            },
        },
    }
}
HADOOP: dict[str, Any] = {
    "workers": {"count": 4},
    "services": {
        "web": None,
        "wordpress": None,
        "hadoop": {
            "datanodes": 4,
            "spark_history": {},
            "jobs": {"pi": {"args": ["pi", "2", "10"]}, "mine": {"engine": "spark", "application": "mine.py"}},
        },
    },
}
REGISTRY: dict[str, Any] = {
    "services": {"web": {}, "wordpress": None, "registry": {"names": ["registry.example.org", "203.0.113.9"]}}
}
UI: dict[str, Any] = {"services": {"web": None, "wordpress": None, "ui": {}}}
PORTAINER: dict[str, Any] = {
    "services": {"web": None, "wordpress": None, "ui": {"access": "write"}},
    "images": {"portainer": "portainer/portainer-ce@sha256:" + "1" * 64},
}
MVC: dict[str, Any] = {
    "services": {"web": {}, "wordpress": None, "mvc": {"publish_database": 3306}},
    "workers": {"count": 3, "labels": {"type": "mvc"}},
}
MVC_GLOBAL: dict[str, Any] = {**MVC, "services": {**NOTHING, "mvc": {"mode": "global", "version": "1.1"}}}
MONITORING: dict[str, Any] = {
    "services": {
        "web": {},
        "wordpress": None,
        "monitoring": {"alerts": {"url": "https://hooks.example/sentinel-secret"}},
    },
    "images": {name: f"registry.example.com/{name}@sha256:" + "0" * 64 for name in ("cadvisor", "grafana")},
}
COMPOSE: dict[str, Any] = {
    "volumes": {"blog": {"node": "worker-1"}},
    "compose": {
        "blog": {
            "file": "examples/compose/blog.yaml",
            "images": {"mysql:5.6": "mariadb", "wordpress:latest": "wordpress"},
            "volumes": {"data": "blog"},
            "health_paths": {"wordpress": "/wp-login.php"},
            "generated": ["db_password", "root_password", "admin_password", "salt"],
        }
    },
}
STACKS: dict[str, dict[str, Any]] = {
    **{f"{cloud} {size}": {**base, **settings} for cloud, base in CLOUDS.items() for size, settings in SIZES.items()},
    "local mesh": MESH,
    "local bare": BARE,
    "local spark": SPARK,
    "local spark mesh": {**SPARK, **MESH},
    "local hadoop": HADOOP,
    **{f"{cloud} registry": {**base, **REGISTRY} for cloud, base in CLOUDS.items()},
    "local registry mesh": {**REGISTRY, **MESH},
    "local ui": UI,
    "local ui mesh": {**UI, **MESH},
    **{f"{cloud} mvc": {**base, **MVC} for cloud, base in CLOUDS.items()},
    "local mvc mesh": {**MVC, **MESH},
    "local mvc global": MVC_GLOBAL,
    "local monitoring": MONITORING,
    "local monitoring mesh": {**MONITORING, **MESH},
    **{f"{cloud} compose": {**base, **COMPOSE} for cloud, base in CLOUDS.items()},
    "aws bare": {**CLOUDS["aws"], **BARE},
    "aws direct haproxy": {**CLOUDS["aws"], **HAPROXY, **DIRECT},
    "aws session pool": {**CLOUDS["aws"], **POOL, "ssh": {"access": "session"}},
    "aws zones": {**CLOUDS["aws"], **MESH, "aws": {"nat": "per_zone"}, "storage": {"flocker_control": True}},
    "aws spark": {**CLOUDS["aws"], **SPARK},
    "aws ui": {**CLOUDS["aws"], **PORTAINER},
    "openstack ui": {**CLOUDS["openstack"], **UI},
    "aws monitoring": {**CLOUDS["aws"], **MONITORING},
    "openstack monitoring": {**CLOUDS["openstack"], **MONITORING},
    "openstack spark": {**CLOUDS["openstack"], **SPARK},
    "aws hadoop": {**CLOUDS["aws"], **HADOOP},
    "openstack hadoop": {**CLOUDS["openstack"], **HADOOP},
    "openstack bare": {**CLOUDS["openstack"], **BARE},
    "openstack direct haproxy": {**CLOUDS["openstack"], **HAPROXY, **DIRECT},
}
ON_RENTED_MACHINES = [name for name in STACKS if not name.startswith("local")]
INSTANCES = {
    "docker:index/container:Container",
    "aws:ec2/instance:Instance",
    "openstack:compute/instance:Instance",
}
MODES = ("applied", "preview")
THREE_ZONES = {"aws": ["us-east-1a", "us-east-1b", "us-east-1c"], "openstack": ["az-1", "az-2", "az-3"]}

STACK = "pulumi:pulumi:Stack"
LEDGERS = Path(__file__).with_name("ledgers")
DOCKER_KINDS_IN_SWARM = {
    "docker:index/network:Network",
    "docker:index/service:Service",
    "docker:index/secret:Secret",
    "docker:index/serviceConfig:ServiceConfig",
}


@cache
def graph(stack: str, mode: str) -> Graph:
    return record(STACKS[stack], mode)


def case(*values: str) -> ParameterSet:
    """A parameter set; a hundred workers take their time."""
    marks = [pytest.mark.xdist_group(f"graph {values[0]}")]
    return pytest.param(*values, marks=[*marks, pytest.mark.slow] if "hundred" in values[0] else marks)


def graphs(stacks: Iterable[str]) -> pytest.MarkDecorator:
    """Every mode of these stacks; one worker of the test run has all of a stack, since recording takes its time."""
    return pytest.mark.parametrize(("stack", "mode"), [case(stack, mode) for stack in stacks for mode in MODES])


every_graph = graphs(STACKS)
every_stack = pytest.mark.parametrize("stack", [case(stack) for stack in STACKS])
local_graphs = graphs(name for name in STACKS if name.startswith("local"))
rented_graphs = graphs(ON_RENTED_MACHINES)


def in_swarm(found: Graph) -> list[Resource]:
    """Docker resources that live in the swarm, not on the user's own Docker."""
    return [
        resource
        for resource in found.resources
        if resource.type in DOCKER_KINDS_IN_SWARM and "::swarm-docker::" in resource.provider
    ]


@every_graph
def test_urns_are_unique(stack: str, mode: str) -> None:
    counts = Counter(resource.urn for resource in graph(stack, mode).resources)
    assert [urn for urn, count in counts.items() if count > 1] == []


@every_graph
def test_every_resource_is_under_a_component(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    top = [resource for resource in found.resources if resource.type != STACK and f"::{STACK}::" in resource.parent]
    assert top
    assert [resource.name for resource in top if resource.custom] == []


@every_graph
def test_every_component_registers_its_outputs(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    components = [resource for resource in found.resources if not resource.custom and resource.type != STACK]
    assert [resource.name for resource in components if resource.urn not in found.outputs] == []
    assert [r.name for r in components if not 3 <= len(found.outputs[r.urn]) <= 6] == []


@every_graph
def test_no_resource_uses_a_default_provider(stack: str, mode: str) -> None:
    custom = [r for r in graph(stack, mode).resources if r.custom and not r.type.startswith("pulumi:providers:")]
    assert custom
    assert [resource.name for resource in custom if not resource.provider] == []


@every_stack
def test_the_first_preview_registers_the_same_resources_as_the_update(stack: str) -> None:
    assert {r.urn for r in graph(stack, "preview").resources} == {r.urn for r in graph(stack, "applied").resources}


@every_graph
def test_everything_in_the_swarm_reaches_the_cluster_and_goes_away_with_it(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    (cluster,) = found.of_type("swarm:index:Cluster")
    assert {service.urn for service in found.of_type("docker:index/service:Service")} <= {
        r.urn for r in in_swarm(found)
    }
    for resource in in_swarm(found):
        assert cluster.urn in found.reachable(resource.urn), resource.name
        assert resource.deleted_with == cluster.urn, resource.name


@every_graph
def test_every_join_waits_for_the_cluster_and_its_own_host_and_no_other_join(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    (cluster,) = found.of_type("swarm:index:Cluster")
    nodes = found.of_type("swarm:index:Node")
    joins = {node.urn for node in nodes}
    for node in nodes:
        reached = found.reachable(node.urn)
        assert cluster.urn in reached
        assert found.named(node.name.replace("swarm-node-", "swarm-host-")).urn in reached
        assert not reached & joins


@every_graph
def test_services_wait_until_every_node_has_joined(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    joins = {node.urn for node in found.of_type("swarm:index:Node")}
    for service in found.of_type("docker:index/service:Service"):
        assert joins <= found.reachable(service.urn), service.name


@every_graph
def test_the_cluster_takes_nothing_from_an_instance_id(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    (cluster,) = found.of_type("swarm:index:Cluster")
    direct = [found.by_urn[urn] for urn in cluster.request.get("dependencies", [])]
    assert direct
    assert [resource.name for resource in direct if resource.type in INSTANCES] == []


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("mode", MODES)
def test_depth_does_not_grow_with_the_cluster_and_edges_grow_with_its_nodes_only(cloud: str, mode: str) -> None:
    small, large = graph(f"{cloud} dev", mode), graph(f"{cloud} hundred", mode)
    assert large.depth == small.depth
    added = len(large.of_type("swarm:index:Node")) - len(small.of_type("swarm:index:Node"))
    assert (large.edges - small.edges) / added <= 30


@every_graph
def test_a_secret_is_never_outside_a_secret_wrapper(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    assert [resource.name for resource in found.resources if leaks(resource.inputs)] == []
    assert [urn for urn, outputs in found.outputs.items() if leaks(outputs)] == []


def test_the_program_does_handle_secrets_that_could_leak() -> None:
    found = graph("local dev", "applied")
    assert "sentinel-secret" in str([secret.inputs for secret in found.of_type("docker:index/secret:Secret")]) or [
        container
        for container in found.of_type("docker:index/container:Container")
        if "sentinel-secret" in str(container.inputs)
    ]


@every_graph
def test_services_have_image_digest_limits_healthcheck_and_rollback(stack: str, mode: str) -> None:
    for service in graph(stack, mode).of_type("docker:index/service:Service"):
        container = service.inputs["taskSpec"]["containerSpec"]
        assert container["healthcheck"]["tests"][0] == "CMD", service.name
        assert service.inputs["taskSpec"]["resources"]["limits"]["memoryBytes"] >= 4 * 2**20, service.name
        assert service.inputs["updateConfig"]["failureAction"] == "rollback", service.name
        assert container["stopGracePeriod"], service.name
        if mode == "applied":
            assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"]), service.name


@every_graph
def test_no_environment_variable_looks_like_a_password(stack: str, mode: str) -> None:
    for service in graph(stack, mode).of_type("docker:index/service:Service"):
        names = service.inputs["taskSpec"]["containerSpec"].get("env", {})
        assert [n for n in names if re.search("PASSWORD|SECRET|TOKEN|KEY", n) and not n.endswith("_FILE")] == []


@every_graph
def test_managers_are_odd(stack: str, mode: str) -> None:
    roles = [node.inputs["role"] for node in graph(stack, mode).of_type("swarm:index:Node")]
    assert roles.count("manager") % 2 == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [case(size) for size in SIZES])
@pytest.mark.parametrize("cloud", THREE_ZONES)
def test_no_zone_has_more_than_its_share_of_the_managers(cloud: str, size: str, mode: str) -> None:
    found = record({**CLOUDS[cloud], **SIZES[size], cloud: {"zones": THREE_ZONES[cloud]}}, mode)
    managers = [node for node in found.of_type("swarm:index:Node") if node.inputs["role"] == "manager"]
    shares = Counter(node.inputs["labels"]["zone"] for node in managers)
    assert set(shares) == set(THREE_ZONES[cloud])
    assert max(shares.values()) - min(shares.values()) <= 1


@local_graphs
def test_only_loopback_is_published_on_the_users_computer(stack: str, mode: str) -> None:
    for container in graph(stack, mode).of_type("docker:index/container:Container"):
        assert [port for port in container.inputs.get("ports", []) if port["ip"] != "127.0.0.1"] == []
        assert not container.inputs.get("privileged")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_production_protects_what_holds_data(cloud: str) -> None:
    kinds = {
        "local": "docker:index/volume:Volume",
        "aws": "aws:ebs/volume:Volume",
        "openstack": "openstack:blockstorage/volume:Volume",
    }
    found = graph(f"{cloud} production", "applied")
    volumes = found.of_type(kinds[cloud])
    assert volumes
    assert [volume.name for volume in volumes if not volume.request.get("protect")] == []
    (cluster,) = found.of_type("swarm:index:Cluster")
    assert cluster.request.get("protect")


@cache
def in_hash_seed(seed: str) -> dict[str, Graph]:
    """What every cloud's production stack registers under an interpreter of this seed."""
    settings = [STACKS[f"{cloud} production"] for cloud in CLOUDS]
    return dict(zip(CLOUDS, record_in({"PYTHONHASHSEED": seed}, "applied", *settings), strict=True))


@pytest.mark.xdist_group("hash seeds")
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_graph_is_the_same_in_any_hash_seed(cloud: str) -> None:
    first, second = in_hash_seed("1")[cloud], in_hash_seed("4711")[cloud]
    assert {r.urn: r.inputs for r in first.resources} == {r.urn: r.inputs for r in second.resources}


@every_stack
def test_a_second_update_registers_what_the_first_did(stack: str) -> None:
    first = graph(stack, "applied")
    second = record(STACKS[stack], "applied", earlier=first)
    assert {r.urn: r.inputs for r in second.resources} == {r.urn: r.inputs for r in first.resources}
    assert second.outputs == first.outputs


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_urn_once_released_is_still_there_or_has_an_alias(cloud: str) -> None:
    """The ledgers list the URNs of production; what is renamed needs an alias, or users lose their data.

    A new one is added by `RENEW_LEDGERS=1`, which takes nothing away: what a release no longer makes on purpose is
    struck out by hand.
    """
    found, ledger = graph(f"{cloud} production", "applied"), LEDGERS / f"{cloud}.txt"
    aliases = {
        alias["urn"] for resource in found.resources for alias in resource.request.get("aliases", []) if "urn" in alias
    }
    if os.environ.get("RENEW_LEDGERS"):
        ledger.write_text("".join(f"{urn}\n" for urn in sorted({*ledger.read_text().split(), *found.by_urn})))
    released = ledger.read_text().split()
    assert [urn for urn in released if urn not in found.by_urn and urn not in aliases] == []
    assert set(found.by_urn) - set(released) == set()


@rented_graphs
def test_every_machine_that_was_replaced_is_a_new_node(stack: str, mode: str) -> None:
    """Nothing of a rented machine outlives it: its node leaves before the machine goes, and the new one joins."""
    found = graph(stack, mode)
    for node in found.of_type("swarm:index:Node"):
        assert "machine" in node.inputs["triggers"], node.name
        assert {found.by_urn[urn].type for urn in node.dependencies} & INSTANCES, node.name


@rented_graphs
def test_a_jump_host_is_there_exactly_where_the_way_in_is_a_bastion(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    reached_through = {"bastion": 1, "direct": 0, "session": 0}[STACKS[stack]["ssh"]["access"]]
    assert len(found.of_type("flotilla:swarm:JumpHost")) == reached_through


def test_no_graph_on_a_rented_cloud_asks_for_the_users_docker() -> None:
    for stack in ON_RENTED_MACHINES:
        if "hundred" not in stack:
            assert graph(stack, "applied").of_type("docker:index/container:Container") == []
