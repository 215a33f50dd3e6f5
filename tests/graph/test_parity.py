"""AWS and OpenStack are the same platform: both graphs, projected to the roles of their resources, are equal; and
both render the one port table."""

from functools import cache
from typing import Any

import pytest

from components.plan.ports import Rule
from stacks.load import parse_settings
from stacks.plan import make_plan
from tests.graph.graph import Graph, Resource, record
from tests.graph.test_invariants import CLOUDS, DEV, DIRECT, HAPROXY, HUNDRED, PRODUCTION

VARIANTS: dict[str, dict[str, Any]] = {
    "dev": DEV,
    "production": {**PRODUCTION, "storage": {"flocker_control": True}},
    "direct": DIRECT,
    "haproxy": HAPROXY,
    "hundred": HUNDRED,
}
AWS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OPENSTACK_RULE = "openstack:networking/secGroupRule:SecGroupRule"
ROLES = {
    "aws:ec2/vpc:Vpc": "network",
    "openstack:networking/network:Network": "network",
    "aws:ec2/securityGroup:SecurityGroup": "group",
    "openstack:networking/secGroup:SecGroup": "group",
    AWS_RULE: "rule",
    OPENSTACK_RULE: "rule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "rule",
    "aws:ec2/keyPair:KeyPair": "key",
    "openstack:compute/keypair:Keypair": "key",
    "aws:ec2/networkInterface:NetworkInterface": "address",
    "openstack:networking/port:Port": "address",
    "aws:ec2/instance:Instance": "machine",
    "openstack:compute/instance:Instance": "machine",
    "aws:ebs/volume:Volume": "volume",
    "openstack:blockstorage/volume:Volume": "volume",
    "aws:ec2/volumeAttachment:VolumeAttachment": "attachment",
    "openstack:compute/volumeAttach:VolumeAttach": "attachment",
    "aws:lb/loadBalancer:LoadBalancer": "balancer",
    "openstack:loadbalancer/loadBalancer:LoadBalancer": "balancer",
    "aws:lb/targetGroup:TargetGroup": "pool",
    "openstack:loadbalancer/pool:Pool": "pool",
    "aws:lb/listener:Listener": "listener",
    "openstack:loadbalancer/listener:Listener": "listener",
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": "member",
    "openstack:loadbalancer/member:Member": "member",
}
"""What a resource is for; what is not here is how one cloud goes about it (a router, a route table)."""

THE_SAME = ("swarm:", "docker:", "random:")
"""Packages whose resources have to be the same, word by word."""


@cache
def graph(cloud: str, variant: str, mode: str = "applied") -> Graph:
    return record({**CLOUDS[cloud], **VARIANTS[variant]}, mode)


def role(resource: Resource) -> tuple[str, str] | None:
    """Role and name without the cloud's; None for what only one cloud has."""
    name = resource.name.removeprefix("aws-").removeprefix("openstack-")
    kind = ROLES.get(resource.type)
    if kind == "address" and "manager-" not in name:
        # Every machine of OpenStack has a port; AWS gives all but managers an address as a property.
        return None
    if kind in ("network", "key"):
        return kind, ""
    if kind is not None:
        return kind, name
    return (resource.type, name) if resource.type.startswith(THE_SAME) else None


def projected(found: Graph) -> tuple[set[tuple[str, str]], set[tuple[tuple[str, str], tuple[str, str]]]]:
    """Roles, and which role reaches which: through whatever only one cloud has, as if it were not there."""
    roles = {resource.urn: role(resource) for resource in found.resources if resource.custom}
    nodes = {known for known in roles.values() if known is not None}
    edges: set[tuple[tuple[str, str], tuple[str, str]]] = set()
    for urn, own in roles.items():
        if own is not None:
            reached = (roles.get(other) for other in found.reachable(urn))
            edges |= {(own, other) for other in reached if other is not None and other[0] in LASTING}
    return nodes, edges


LASTING = ("machine", "volume", "attachment", "swarm:index:Cluster", "swarm:index:Node", "swarm:index:Host")
"""Roles whose order is asked for: what waits for machines, volumes and membership must do so on both clouds."""

every_variant = pytest.mark.parametrize("variant", VARIANTS)


@every_variant
def test_both_clouds_have_the_same_roles(variant: str) -> None:
    aws, _ = projected(graph("aws", variant))
    openstack, _ = projected(graph("openstack", variant))
    assert len(aws) > 40
    assert aws - openstack == set()
    assert openstack - aws == set()


@every_variant
def test_on_both_clouds_the_same_waits_for_the_same(variant: str) -> None:
    _, aws = projected(graph("aws", variant))
    _, openstack = projected(graph("openstack", variant))
    assert len(aws) > 100
    assert aws - openstack == set()
    assert openstack - aws == set()


@every_variant
@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_a_cloud_renders_the_port_table_and_nothing_more(cloud: str, variant: str) -> None:
    settings = parse_settings({**CLOUDS[cloud], **VARIANTS[variant]})
    plan = make_plan("dev", settings)
    assert plan.rented is not None
    wanted = {opening for rule in plan.rules for opening in openings(rule, plan.rented.admin_networks)}
    assert wanted
    assert rendered(cloud, graph(cloud, variant)) == wanted


def openings(rule: Rule, admin_networks: tuple[str, ...]) -> list[tuple[str, int, int, str, str]]:
    """(protocol, first, last, group or CIDR that may, group that lets it)."""
    sources = {"admin": admin_networks, "public": ("0.0.0.0/0",)}.get(rule.source, (rule.source,))
    return [(rule.protocol, rule.first, rule.last, source, rule.target) for source in sources]


def rendered(cloud: str, found: Graph) -> set[tuple[str, int, int, str, str]]:
    """The openings of a recorded graph; the id of a group ends in its key."""
    if cloud == "aws":
        return {
            (
                "esp" if rule.inputs["ipProtocol"] == "50" else rule.inputs["ipProtocol"],
                int(rule.inputs.get("fromPort", 0)),
                int(rule.inputs.get("toPort", 0)),
                rule.inputs.get("cidrIpv4") or group_key(rule.inputs["referencedSecurityGroupId"]),
                group_key(rule.inputs["securityGroupId"]),
            )
            for rule in found.of_type(AWS_RULE)
        }
    return {
        (
            rule.inputs["protocol"],
            int(rule.inputs.get("portRangeMin", 0)),
            int(rule.inputs.get("portRangeMax", 0)),
            rule.inputs.get("remoteIpPrefix") or group_key(rule.inputs["remoteGroupId"]),
            group_key(rule.inputs["securityGroupId"]),
        )
        for rule in found.of_type(OPENSTACK_RULE)
        if rule.inputs["direction"] == "ingress"
    }


def group_key(identity: str) -> str:
    """`aws-firewall-group-nodes-id` → `nodes`."""
    return identity.removesuffix("-id").rpartition("-group-")[2]


@every_variant
@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_swarm_ports_open_to_the_swarms_own_groups_alone(cloud: str, variant: str) -> None:
    swarm_ports = {2377, 7946, 4789}
    opened = rendered(cloud, graph(cloud, variant))
    assert {last for _, _, last, _, _ in opened} >= swarm_ports
    for protocol, first, last, source, target in opened:
        inside = set(range(first, last + 1))
        assert not inside & {2375, 2376}, (protocol, first, last)
        if inside & swarm_ports or protocol == "esp":
            assert source in ("nodes", "manager", "worker"), (protocol, first, last, source)
            assert target in ("nodes", "manager", "worker")


@every_variant
@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_the_first_preview_shows_whoever_reads_it_the_same_openings(cloud: str, variant: str) -> None:
    """Groups have no ids yet: a source that is no network is one of them."""

    def shown(mode: str) -> set[tuple[str, int, int, str]]:
        return {
            (protocol, first, last, source if "/" in source else "a group")
            for protocol, first, last, source, _ in rendered(cloud, graph(cloud, variant, mode))
        }

    assert shown("preview") == shown("applied")


@every_variant
@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_the_whole_internet_reaches_published_ports_alone(cloud: str, variant: str) -> None:
    services = {8080, 8081}
    opened = {first for _, first, _, source, _ in rendered(cloud, graph(cloud, variant)) if source == "0.0.0.0/0"}
    assert opened == services


@pytest.mark.parametrize("cloud", ["aws", "openstack"])
def test_flockers_ports_open_only_when_its_control_service_is_declared(cloud: str) -> None:
    def flocker(variant: str) -> set[int]:
        return {first for _, first, _, _, _ in rendered(cloud, graph(cloud, variant))} & {4523, 4524}

    assert flocker("dev") == set()
    assert flocker("production") == {4523, 4524}
