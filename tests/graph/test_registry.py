"""What the graph of a stack with the users' own registry says: which names its certificate is for, who sees its
secrets, where it runs, and what a change of the settings changes."""

import json
from base64 import b64decode
from functools import cache
from typing import Any

import pytest

from tests.graph.graph import Graph, Resource, record

pytestmark = pytest.mark.xdist_group("graph registry")

NAMES = ["registry.example.org", "203.0.113.9"]
RENTED: dict[str, Any] = {
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
    "load_balancer": {"kind": "managed"},
}


@cache
def recorded(settings: str) -> Graph:
    return record(json.loads(settings), "applied")


def graph(registry: dict[str, Any] | None = None, /, **sections: Any) -> Graph:
    services = {"web": None, "wordpress": None, "registry": registry or {}}
    return recorded(json.dumps({"services": services, **sections}))


def server(found: Graph) -> Resource:
    return found.named("registry-server-service")


def container(found: Graph) -> dict[str, Any]:
    return server(found).inputs["taskSpec"]["containerSpec"]


def changed(before: Graph, after: Graph) -> list[str]:
    assert set(before.by_urn) == set(after.by_urn)
    return [r.name for r in after.resources if r.inputs != before.by_urn[r.urn].inputs]


def test_the_certificate_is_for_every_name_that_a_client_has_for_it() -> None:
    request = graph({"names": NAMES}, load_balancer={"address": "192.0.2.7"}).named("registry-request").inputs
    assert request["ipAddresses"] == ["127.0.0.1", "192.0.2.7", "203.0.113.9"]
    assert request["dnsNames"] == ["localhost", "registry", "registry.example.org"]


def test_names_in_another_order_or_said_twice_change_nothing() -> None:
    assert changed(graph({"names": NAMES}), graph({"names": [*reversed(NAMES), "localhost", NAMES[0]]})) == []


def test_a_balancer_on_all_addresses_is_no_name() -> None:
    request = graph(load_balancer={"address": "0.0.0.0"}).named("registry-request").inputs
    assert request["ipAddresses"] == ["127.0.0.1"]


def test_another_name_is_another_certificate_of_the_same_authority() -> None:
    """Clients go on trusting it, and the key stays."""
    assert changed(graph(), graph({"names": NAMES})) == ["registry-request"]


def test_another_word_is_another_password_and_nothing_else() -> None:
    assert changed(graph(), graph({"rotation": "2"})) == ["registry-password"]


def test_a_worker_more_leaves_the_registry_alone() -> None:
    """No node's address is in the certificate: every node calls the registry 127.0.0.1."""
    few, many = graph(workers={"count": 2}), graph(workers={"count": 3})
    registry = [r for r in few.resources if r.name.startswith("registry")]
    assert registry
    assert [r.name for r in registry if many.by_urn[r.urn].inputs != r.inputs] == []


def test_secrets_are_files_of_the_registrys_user_alone() -> None:
    secrets = container(graph())["secrets"]
    assert {one["fileName"] for one in secrets} == {
        f"/run/secrets/registry-{name}" for name in ("password", "http", "key")
    }
    assert {(one["fileMode"], one["fileUid"], one["fileGid"]) for one in secrets} == {(0o400, "5000", "5000")}
    assert "env" not in container(graph())


def test_the_container_can_change_nothing_but_its_volume_and_memory() -> None:
    found = container(graph())
    assert (found["readOnly"], found["capDrops"]) == (True, ["ALL"])
    assert [(mount["type"], mount["target"]) for mount in found["mounts"]] == [
        ("volume", "/var/lib/registry"),
        ("tmpfs", "/run/registry"),
    ]


def test_one_task_stays_at_its_volume_and_the_old_one_stops_first() -> None:
    inputs = server(graph({"node": "worker-2"})).inputs
    assert inputs["mode"]["replicated"]["replicas"] == 1
    assert inputs["updateConfig"]["order"] == "stop-first"
    assert "node.hostname == worker-2" in inputs["taskSpec"]["placement"]["constraints"]
    assert changed(graph(), graph({"node": "worker-2"})) == ["registry-server-service"]


def test_proxies_pass_tls_on_and_ask_for_health_over_it() -> None:
    """Plain TCP on the whole way, so that TLS ends in the task."""
    found = graph()
    (balancer,) = found.named("load-balancer-container").inputs["uploads"]
    edge = b64decode(found.named("edge-haproxy-configuration").inputs["data"]).decode()
    for configuration in (balancer["content"], edge):
        frontend, _, backend = configuration.partition("\n\nbackend registry\n")
        assert "mode tcp" in frontend.partition("frontend registry\n")[2]
        assert "option httpchk GET /\n" in backend
        assert "check check-ssl verify none" in backend


@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_managed_balancers_pass_tls_on_and_ask_for_health_over_it(cloud: str) -> None:
    found = graph({"names": NAMES}, cloud=cloud, **RENTED)
    kinds = {"aws": "aws:lb/targetGroup:TargetGroup", "openstack": "openstack:loadbalancer/monitor:Monitor"}
    (checked,) = found.of_type(kinds[cloud])
    told = checked.inputs["healthCheck"] if cloud == "aws" else checked.inputs
    assert told["protocol" if cloud == "aws" else "type"] == "HTTPS"
    listener = {"aws": "aws:lb/listener:Listener", "openstack": "openstack:loadbalancer/listener:Listener"}
    (listening,) = found.of_type(listener[cloud])
    assert listening.inputs["protocol"] == "TCP"


def test_what_a_client_has_to_know_is_an_output_of_the_stack() -> None:
    found = graph({"port": 5001, "user": "team"})
    (outputs,) = [outputs for urn, outputs in found.outputs.items() if "::pulumi:pulumi:Stack::" in urn]
    assert outputs["registry_address"] == "127.0.0.1:5001"
    assert outputs["registry_user"] == "team"
    assert outputs["registry_authority"].startswith("-----BEGIN CERTIFICATE-----")
    assert outputs["urls"]["registry"] == "https://127.0.0.1:5001/"
    assert "registry_password" in outputs
    assert container(found)["args"] == ["registry-service-start", "team"]
