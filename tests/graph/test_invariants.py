"""Rules that hold for every graph that the program can make, each a sentence and a test."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from tests.graph.graph import Graph, Resource, leaks, record

DEFAULT: dict[str, Any] = {}
PRODUCTION: dict[str, Any] = {
    "protect": True,
    "managers": {"count": 5},
    "workers": {"count": 9, "labels": {"disk": "ssd"}},
    "swarm": {"autolock": True},
    "nodes": {"worker-2": {"availability": "drain"}},
}
HUNDRED: dict[str, Any] = {"workers": {"count": 100}}
MESH: dict[str, Any] = {"network": {"publish_mode": "ingress"}}
BARE: dict[str, Any] = {"services": {"web": None, "wordpress": None}, "workers": {"count": 0}, "managers": {"count": 1}}
STACKS = {"default": DEFAULT, "production": PRODUCTION, "hundred": HUNDRED, "mesh": MESH, "bare": BARE}
MODES = ("applied", "preview")

STACK = "pulumi:pulumi:Stack"
LEDGER = Path(__file__).with_name("ledger.txt")
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
    return pytest.param(*values, marks=[pytest.mark.slow] if values[0] == "hundred" else [])


every_graph = pytest.mark.parametrize(("stack", "mode"), [case(stack, mode) for stack in STACKS for mode in MODES])
every_stack = pytest.mark.parametrize("stack", [case(stack) for stack in STACKS])


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
    (cluster,) = graph(stack, mode).of_type("swarm:index:Cluster")
    direct = cluster.request.get("dependencies", [])
    assert [urn for urn in direct if "container" in urn.rpartition("::")[2]] == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_depth_does_not_grow_with_the_cluster_and_edges_grow_with_its_nodes_only(mode: str) -> None:
    small, large = graph("default", mode), graph("hundred", mode)
    assert large.depth == small.depth
    added = len(large.of_type("swarm:index:Node")) - len(small.of_type("swarm:index:Node"))
    assert (large.edges - small.edges) / added <= 30


@every_graph
def test_a_secret_is_never_outside_a_secret_wrapper(stack: str, mode: str) -> None:
    found = graph(stack, mode)
    assert [resource.name for resource in found.resources if leaks(resource.inputs)] == []
    assert [urn for urn, outputs in found.outputs.items() if leaks(outputs)] == []


def test_the_program_does_handle_secrets_that_could_leak() -> None:
    found = graph("default", "applied")
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
def test_managers_are_odd_and_first(stack: str, mode: str) -> None:
    roles = [node.inputs["role"] for node in graph(stack, mode).of_type("swarm:index:Node")]
    assert roles.count("manager") % 2 == 1


@every_graph
def test_only_loopback_is_published_on_the_users_computer(stack: str, mode: str) -> None:
    for container in graph(stack, mode).of_type("docker:index/container:Container"):
        assert [port for port in container.inputs.get("ports", []) if port["ip"] != "127.0.0.1"] == []
        assert not container.inputs.get("privileged")


def test_production_protects_what_holds_data() -> None:
    found = graph("production", "applied")
    volumes = found.of_type("docker:index/volume:Volume")
    assert volumes
    assert [volume.name for volume in volumes if not volume.request.get("protect")] == []


def test_the_graph_is_the_same_in_any_hash_seed() -> None:
    first = record(PRODUCTION, "applied", PYTHONHASHSEED="1")
    second = record(PRODUCTION, "applied", PYTHONHASHSEED="4711")
    assert {r.urn: r.inputs for r in first.resources} == {r.urn: r.inputs for r in second.resources}


@every_stack
def test_a_second_update_registers_what_the_first_did(stack: str) -> None:
    first = graph(stack, "applied")
    second = record(STACKS[stack], "applied", earlier=first)
    assert {r.urn: r.inputs for r in second.resources} == {r.urn: r.inputs for r in first.resources}
    assert second.outputs == first.outputs


def test_a_urn_once_released_is_still_there_or_has_an_alias() -> None:
    """`ledger.txt` lists the URNs of the default stack; what is renamed needs an alias, or users lose their data."""
    found = graph("default", "applied")
    aliases = {
        alias["urn"] for resource in found.resources for alias in resource.request.get("aliases", []) if "urn" in alias
    }
    released = LEDGER.read_text().split()
    assert len(released) > 50
    assert [urn for urn in released if urn not in found.by_urn and urn not in aliases] == []


def test_adding_a_worker_only_adds() -> None:
    fewer = record({"workers": {"count": 2}}, "applied")
    more = record({"workers": {"count": 3}}, "applied")
    changed = {
        resource.name
        for resource in fewer.resources
        if resource.custom and more.by_urn[resource.urn].inputs != resource.inputs
    }
    # The gate waits for one node more; nothing else changes.
    assert changed == {"swarm-readiness"}
    assert {r.urn for r in fewer.resources} < {r.urn for r in more.resources}


def test_the_order_of_nodes_in_the_settings_changes_nothing() -> None:
    nodes = {"worker-1": {"labels": {"a": "1"}}, "worker-2": {"labels": {"b": "2"}}}
    one = record({"nodes": nodes}, "applied")
    other = record({"nodes": dict(reversed(nodes.items()))}, "applied")
    assert {r.urn: r.inputs for r in one.resources} == {r.urn: r.inputs for r in other.resources}
