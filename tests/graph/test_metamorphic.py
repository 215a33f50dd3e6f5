"""What a change of the settings changes in the graph, and above all what it does not: on every cloud adding only adds,
removing only removes, order means nothing, and another name is another thing."""

from functools import cache
from typing import Any

import pytest

from tests.graph.graph import Graph, record
from tests.graph.test_invariants import CLOUDS

every_cloud = pytest.mark.parametrize("cloud", CLOUDS)
BLOCK_VOLUMES = pytest.mark.parametrize("cloud", ["aws", "openstack"])


def recorded(cloud: str, **settings: Any) -> Graph:
    return record({**CLOUDS[cloud], **settings}, "applied")


@cache
def plain(cloud: str) -> Graph:
    return recorded(cloud, workers={"count": 3})


def changed(before: Graph, after: Graph) -> set[str]:
    """Names of resources that are in both and not alike."""
    return {
        resource.name
        for resource in before.resources
        if resource.custom and resource.urn in after.by_urn and after.by_urn[resource.urn].inputs != resource.inputs
    }


def urns(found: Graph) -> set[str]:
    return set(found.by_urn)


@every_cloud
def test_adding_a_worker_only_adds(cloud: str) -> None:
    more = recorded(cloud, workers={"count": 4})
    # The gate waits for one node more; nothing else changes.
    assert changed(plain(cloud), more) == {"swarm-readiness"}
    assert urns(plain(cloud)) < urns(more)
    assert {resource.name.rpartition("worker-")[2] for resource in more.resources if "worker-4" in resource.name}


@every_cloud
def test_removing_a_worker_only_removes(cloud: str) -> None:
    fewer = recorded(cloud, workers={"count": 2})
    assert changed(plain(cloud), fewer) == {"swarm-readiness"}
    gone = urns(plain(cloud)) - urns(fewer)
    assert gone
    assert [urn for urn in gone if "worker-3" not in urn.rpartition("::")[2]] == []


@every_cloud
def test_managers_that_are_added_move_none_that_is_there(cloud: str) -> None:
    more = recorded(cloud, workers={"count": 3}, managers={"count": 5})
    touched = changed(plain(cloud), more)
    # The connections of all managers are known to whatever talks to the swarm, and are no difference to it.
    assert [name for name in touched if not name.startswith("swarm-")] == []
    assert urns(plain(cloud)) < urns(more)


@every_cloud
def test_the_order_of_nodes_in_the_settings_changes_nothing(cloud: str) -> None:
    nodes = {"worker-1": {"labels": {"a": "1"}}, "worker-2": {"labels": {"b": "2"}}}
    one = recorded(cloud, nodes=nodes)
    other = recorded(cloud, nodes=dict(reversed(nodes.items())))
    assert {r.urn: r.inputs for r in one.resources} == {r.urn: r.inputs for r in other.resources}


@every_cloud
def test_the_order_of_volumes_and_labels_changes_nothing(cloud: str) -> None:
    volumes = {"one": {"node": "worker-1"}, "two": {"node": "worker-1", "profile": "silver"}}
    labels = {"disk": "ssd", "rack": "7"}
    first = recorded(cloud, volumes=volumes, workers={"count": 2, "labels": labels})
    second = recorded(
        cloud,
        volumes=dict(reversed(volumes.items())),
        workers={"count": 2, "labels": dict(reversed(labels.items()))},
    )
    assert {r.urn: r.inputs for r in first.resources} == {r.urn: r.inputs for r in second.resources}


@pytest.mark.parametrize(
    ("cloud", "zones"),
    [("aws", ["us-east-1a", "us-east-1b", "us-east-1c"]), ("openstack", ["az-1", "az-2", "az-3"])],
)
def test_the_order_of_zones_and_admin_networks_changes_nothing(cloud: str, zones: list[str]) -> None:
    networks = ["203.0.113.0/24", "198.51.100.0/24"]

    def graph(zones: list[str], networks: list[str]) -> dict[str, Any]:
        ssh = {"access": "bastion", "admin_networks": networks}
        return {r.urn: r.inputs for r in recorded(cloud, ssh=ssh, **{cloud: {"zones": zones}}).resources}

    assert graph(zones, networks) == graph(zones[::-1], networks[::-1])


@BLOCK_VOLUMES
def test_adding_a_volume_only_adds(cloud: str) -> None:
    more = recorded(cloud, workers={"count": 3}, volumes={"data": {"node": "worker-1"}})
    assert changed(plain(cloud), more) == set()
    added = urns(more) - urns(plain(cloud))
    assert len([urn for urn in added if "data" in urn.rpartition("::")[2]]) == len(added) >= 3


@BLOCK_VOLUMES
def test_a_volume_of_another_name_is_another_volume_and_touches_nothing_else(cloud: str) -> None:
    one = recorded(cloud, volumes={"first": {"node": "worker-1"}})
    other = recorded(cloud, volumes={"second": {"node": "worker-1"}})
    assert changed(one, other) == set()
    assert {urn.rpartition("::")[2].replace("first", "second") for urn in urns(one) - urns(other)} == {
        urn.rpartition("::")[2] for urn in urns(other) - urns(one)
    }


@BLOCK_VOLUMES
def test_an_admin_network_that_is_added_only_adds(cloud: str) -> None:
    ssh = {"access": "bastion", "admin_networks": ["203.0.113.0/24", "198.51.100.0/24"]}
    more = recorded(cloud, workers={"count": 3}, ssh=ssh)
    assert changed(plain(cloud), more) == set()
    added = urns(more) - urns(plain(cloud))
    assert len(added) == 1
    assert "198.51.100.0-24" in added.pop()


@every_cloud
def test_a_product_that_is_left_out_takes_only_its_own_along(cloud: str) -> None:
    fewer = recorded(cloud, workers={"count": 3}, services={"wordpress": None})
    assert urns(fewer) < urns(plain(cloud))
    gone = {urn.rpartition("::")[2] for urn in urns(plain(cloud)) - urns(fewer)}
    # Its own, its volume, its rule in the port table, and its place in the load balancer.
    assert [name for name in gone if "wordpress" not in name and "8081" not in name] == []


@pytest.mark.parametrize(
    ("cloud", "kind", "key"), [("aws", "m6i.large", "instanceType"), ("openstack", "m1.large", "flavorName")]
)
def test_another_type_of_managers_changes_their_machines_alone_in_place_and_none_waits_for_another(
    cloud: str, kind: str, key: str
) -> None:
    """What the guides say of it: providers stop and start a machine for another type (the SDK's own words), and it is
    for the user to take one after another."""
    after = recorded(cloud, workers={"count": 3}, managers={"type": kind})
    machines = {f"{cloud}-manager-{number}-machine" for number in (1, 2, 3)}
    assert urns(after) == urns(plain(cloud))
    assert changed(plain(cloud), after) == machines
    urns_of_machines = {after.named(name).urn for name in machines}
    for name in machines:
        before, now = plain(cloud).named(name), after.named(name)
        assert {one for one in now.inputs if now.inputs[one] != before.inputs.get(one)} == {key}
        assert not now.request.get("replaceOnChanges")
        assert key not in now.request["ignoreChanges"]
        assert not after.reachable(now.urn) & urns_of_machines
