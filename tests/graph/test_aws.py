"""What the program registers on Amazon EC2: network and ways out, security groups, machines, disks, the load balancer,
and the ways in."""

import base64
import gzip
import json
import re
import subprocess
import sys
from functools import cache
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from components.clouds.aws.user_data import LONGEST_USER_DATA
from components.clouds.cloud import MOST_MEMBERS
from components.plan.errors import PlanError
from tests.graph.computed_aws import AMI, public_address
from tests.graph.graph import PROJECT, Graph, Resource, leaks, plain_texts, record

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:aws"
MACHINE = "aws:ec2/instance:Instance"
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
ELASTIC_IP = "aws:ec2/eip:Eip"
SUBNET = "aws:ec2/subnet:Subnet"
RESERVATION = "aws:ec2/subnetCidrReservation:SubnetCidrReservation"
NAT = "aws:ec2/natGateway:NatGateway"
ROUTE = "aws:ec2/route:Route"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
DISK = "aws:ebs/volume:Volume"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
MEMBER = "aws:lb/targetGroupAttachment:TargetGroupAttachment"

ADMIN = "203.0.113.0/24"
OFFICE = "198.51.100.0/24"
EVERYWHERE = "0.0.0.0/0"
BASE: dict[str, Any] = {
    "cloud": "aws",
    "workers": {"count": 6},
    "ssh": {"access": "bastion", "admin_networks": [ADMIN]},
    "registry": {"address": "registry.example.com"},
}
DIRECT: dict[str, Any] = {"access": "direct", "admin_networks": [ADMIN, OFFICE]}
HAPROXY: dict[str, Any] = {"kind": "haproxy"}
SESSIONS: dict[str, Any] = {
    "ssh": {"access": "session"},
    "load_balancer": HAPROXY,
    "aws": {"region": "eu-central-1"},
}
PRODUCTION: dict[str, Any] = {
    "protect": True,
    "volumes": {"spark": {"node": "worker-1"}, "logs": {"node": "worker-1", "profile": "gold", "size": "100g"}},
}
OPENEST: dict[str, Any] = {"ssh": DIRECT, "load_balancer": HAPROXY}
CHOSEN_AMI = "ami-0fedcba9876543210"
CHOICES: dict[str, Any] = {
    "managers": {"count": 3, "disk": "30g"},
    "workers": {"count": 6, "disk": "60g"},
    "aws": {"tags": {"team": "platform"}, "image": {"ami": CHOSEN_AMI}},
    "network": {"mtu": 9001},
    "services": {"web": {"port": 9090}},
}
"""Settings that are each looked at by one test."""
POOL: dict[str, Any] = {"workers": {"count": 20, "pool": True}, "services": {"wordpress": None}}
MANAGERS = [f"manager-{number}" for number in (1, 2, 3)]
WORKERS = [f"worker-{number}" for number in range(1, 7)]
NODES = [*MANAGERS, *WORKERS]
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]

pytestmark = pytest.mark.xdist_group("aws")
"""One worker of the test run has them all, since recording takes its time."""

both_modes = pytest.mark.parametrize("mode", ["applied", "preview"])
VARIANTS: dict[str, dict[str, Any]] = {
    "bastion": {},
    "openest": OPENEST,
    "session": SESSIONS,
    "production": PRODUCTION,
    "pool": POOL,
}
every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


@cache
def _recorded(settings: str, mode: str) -> Graph:
    return record({**BASE, **json.loads(settings)}, mode)


def graph(mode: str = "applied", **settings: Any) -> Graph:
    """The platform with these settings beside the base, recorded once."""
    return _recorded(json.dumps(settings, sort_keys=True), mode)


def machine(found: Graph, name: str) -> Resource:
    return found.named(f"aws-{name}-machine")


def interface(found: Graph, name: str) -> Resource:
    return found.named(f"aws-{name}-address")


def names(found: Graph, kind: str) -> set[str]:
    return {resource.name.removeprefix("aws-") for resource in found.of_type(kind)}


def user_data(found: Graph, name: str) -> dict[str, Any]:
    return yaml.safe_load(machine(found, name).inputs["userData"])


def file(found: Graph, name: str, path: str) -> str:
    """The content of a file in a machine's user data."""
    (content,) = [item["content"] for item in user_data(found, name)["write_files"] if item["path"] == path]
    return content


def urls(found: Graph) -> dict[str, str]:
    (stack,) = found.of_type(STACK)
    return found.outputs[stack.urn].get("urls", {})


def changed(before: Graph, after: Graph) -> set[str]:
    """Names of resources that are in both and not alike."""
    return {
        resource.name
        for resource in before.resources
        if resource.urn in after.by_urn and after.by_urn[resource.urn].inputs != resource.inputs
    }


def reached(found: Graph, resource: Resource) -> set[str]:
    """Names of what a resource waits for."""
    return {found.by_urn[urn].name for urn in found.reachable(resource.urn)}


# Network.


@both_modes
def test_machines_with_public_addresses_need_neither_nat_nor_subnets_of_their_own(mode: str) -> None:
    found = graph(mode, ssh=DIRECT)
    assert names(found, SUBNET) == {f"network-public-{zone}" for zone in ZONES}
    assert names(found, NAT) == set()
    assert names(found, ELASTIC_IP) == {f"{name}-public" for name in MANAGERS}
    assert names(found, ROUTE) == {"network-public-route"}


@both_modes
def test_private_machines_share_the_nat_gateway_of_the_first_zone(mode: str) -> None:
    found = graph(mode)
    assert names(found, NAT) == {"network-nat-us-east-1a"}
    for zone in ZONES:
        route = found.named(f"aws-network-private-route-{zone}")
        assert "aws-network-nat-us-east-1a" in reached(found, route)
    assert interface(found, "manager-1").inputs.get("associatePublicIpAddress") is None
    assert [name for name in WORKERS if machine(found, name).inputs["associatePublicIpAddress"]] == []


@both_modes
def test_with_nat_per_zone_no_zone_goes_through_another(mode: str) -> None:
    found = graph(mode, aws={"nat": "per_zone"})
    for zone in ZONES:
        gateways = {
            name for name in reached(found, found.named(f"aws-network-private-route-{zone}")) if "-nat-u" in name
        }
        assert gateways == {f"aws-network-nat-{zone}"}


def test_without_nat_private_machines_have_no_way_to_the_internet() -> None:
    found = graph(aws={"nat": "none", "image": {"engine": "included"}})
    assert names(found, NAT) == set()
    assert names(found, ROUTE) == {"network-public-route"}


@every_variant
def test_every_machine_waits_for_its_way_out_since_its_first_boot_installs_packages(variant: dict[str, Any]) -> None:
    found = graph(**variant)
    machines = found.of_type(MACHINE)
    assert machines
    for resource in machines:
        waits = reached(found, resource)
        assert waits & {name for name in waits if re.search(r"-(private|public)-route(-|$)", name)}, resource.name
        assert any("-firewall-egress-" in name for name in waits), resource.name
        address = resource.name.replace("-machine", "-public")
        assert address in waits or f"{address}" not in {other.name for other in found.of_type(ELASTIC_IP)}


def test_s3_is_reached_without_a_nat_gateway_from_every_subnet() -> None:
    found = graph()
    endpoint = found.named("aws-network-s3")
    tables = {f"{table.name}-id" for table in found.of_type("aws:ec2/routeTable:RouteTable")}
    assert set(endpoint.inputs["routeTableIds"]) == tables
    assert len(tables) == 1 + len(ZONES)
    assert endpoint.inputs["serviceName"] == "com.amazonaws.us-east-1.s3"


def test_another_zone_replaces_nothing() -> None:
    one: dict[str, Any] = {"managers": {"count": 1}, "workers": {"count": 1}, "services": {"wordpress": None}}
    before = graph(**one, aws={"zones": ZONES[:1], "nat": "per_zone"})
    after = graph(**one, aws={"zones": ZONES, "nat": "per_zone"})
    # Both take another list in place.
    assert changed(before, after) == {"aws-network-s3", "aws-load-balancer-balancer"}
    assert set(before.by_urn) < set(after.by_urn)


def test_subnets_are_apart_and_inside_the_vpc() -> None:
    found = graph()
    vpc = ip_network(found.named("aws-network-vpc").inputs["cidrBlock"])
    subnets = [ip_network(subnet.inputs["cidrBlock"]) for subnet in found.of_type(SUBNET)]
    assert len(subnets) == 6
    assert all(subnet.subnet_of(vpc) for subnet in subnets)  # pyright: ignore[reportArgumentType]  both are IPv4
    assert [1 for one in subnets for other in subnets if one is not other and one.overlaps(other)] == []


@pytest.mark.parametrize(("settings", "kept"), [({}, 2048), (POOL, 64), ({"ssh": DIRECT}, 2048)])
def test_addresses_that_belong_to_names_are_given_to_nothing_else(settings: dict[str, Any], kept: int) -> None:
    found = graph(**settings)
    ranges = {one.inputs["subnetId"]: ip_network(one.inputs["cidrBlock"]) for one in found.of_type(RESERVATION)}
    assert set(ranges) == {f"{subnet.name}-id" for subnet in found.of_type(SUBNET)}
    assert {network.num_addresses for network in ranges.values()} == {kept}
    fixed = [(one, one.inputs["privateIps"]) for one in found.of_type(INTERFACE)]
    fixed += [(one, [one.inputs["privateIp"]]) for one in found.of_type(MACHINE) if "privateIp" in one.inputs]
    assert len(fixed) == len(found.of_type(MACHINE))
    for holder, addresses in fixed:
        assert all(ip_address(address) in ranges[holder.inputs["subnetId"]] for address in addresses), holder.name


def test_what_takes_an_automatic_address_comes_after_the_reservation_and_outlives_another() -> None:
    found = graph(**POOL)
    automatic = [one for kind in (NAT, BALANCER, "aws:autoscaling/group:Group") for one in found.of_type(kind)]
    assert len(automatic) == 3
    reservations = {one.urn for one in found.of_type(RESERVATION)}
    for one in automatic:
        assert reservations & found.reachable(one.urn), one.name
    assert all(found.by_urn[urn].request["deleteBeforeReplace"] for urn in reservations)
    # A property that depends on one that is replaced is unknown, and its resource would be replaced as well.
    for one in found.resources:
        for field, dependencies in one.request.get("propertyDependencies", {}).items():
            assert reservations.isdisjoint(dependencies.get("urns", [])), f"{one.name}.{field}"


# Machines.


@both_modes
@every_variant
def test_every_machine_gives_credentials_to_sessions_on_it_alone(mode: str, variant: dict[str, Any]) -> None:
    for resource in graph(mode, **variant).of_type(MACHINE):
        assert resource.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }, resource.name


@both_modes
@every_variant
def test_every_root_disk_is_encrypted(mode: str, variant: dict[str, Any]) -> None:
    machines = graph(mode, **variant).of_type(MACHINE)
    assert machines
    for resource in machines:
        root = resource.inputs["rootBlockDevice"]
        assert (root["encrypted"], root["volumeType"]) == (True, "gp3"), resource.name


def test_root_disks_are_as_large_as_the_settings_say() -> None:
    found = graph(**CHOICES)
    sizes = {name: machine(found, name).inputs["rootBlockDevice"]["volumeSize"] for name in NODES}
    assert sizes == {**dict.fromkeys(MANAGERS, 30), **dict.fromkeys(WORKERS, 60)}


@both_modes
def test_a_manager_has_an_interface_of_its_own_that_outlives_the_machine(mode: str) -> None:
    found = graph(mode)
    for number, name in enumerate(MANAGERS):
        address, resource = interface(found, name), machine(found, name)
        assert address.inputs["privateIps"] == [f"10.60.{16 * number}.{11 + number}"]
        assert resource.urn not in found.reachable(address.urn)
        assert address.urn in resource.dependencies
        assert set(resource.inputs["primaryNetworkInterface"]) == {"networkInterfaceId"}
        assert not {"subnetId", "privateIp", "vpcSecurityGroupIds", "associatePublicIpAddress"} & set(resource.inputs)


@both_modes
def test_a_worker_is_one_resource_with_a_fixed_address(mode: str) -> None:
    found = graph(mode)
    assert names(found, INTERFACE) == {f"{name}-address" for name in (*MANAGERS, "bastion")}
    assert [machine(found, name).inputs["privateIp"] for name in WORKERS[:3]] == [
        "10.60.0.51",
        "10.60.16.52",
        "10.60.32.53",
    ]


def test_machines_are_in_the_subnets_of_their_zones() -> None:
    found = graph()
    for node in found.of_type("swarm:index:Node"):
        name = node.name.removeprefix("swarm-node-")
        holder = interface(found, name) if name in MANAGERS else machine(found, name)
        assert holder.inputs["subnetId"] == f"aws-network-private-{node.inputs['labels']['zone']}-id"
        subnet = found.named(holder.inputs["subnetId"].removesuffix("-id"))
        assert ip_address(node.inputs["advertiseAddress"]) in ip_network(subnet.inputs["cidrBlock"])


@every_variant
def test_whatever_has_a_fixed_address_goes_before_its_successor_comes(variant: dict[str, Any]) -> None:
    found = graph(**variant)
    fixed = [*found.of_type(MACHINE), *found.of_type(INTERFACE)]
    assert fixed
    assert [resource.name for resource in fixed if not resource.request.get("deleteBeforeReplace")] == []


def test_a_public_address_is_on_the_interface_and_stays_when_the_machine_is_replaced() -> None:
    found = graph(**OPENEST)
    elastic = [address for address in found.of_type(ELASTIC_IP) if "nat" not in address.name]
    assert {address.name for address in elastic} == {f"aws-{name}-public" for name in (*MANAGERS, "load-balancer")}
    for address in elastic:
        assert address.inputs["networkInterface"] == address.name.replace("-public", "-address") + "-id"
        assert found.named(address.name.replace("-public", "-machine")).urn not in found.reachable(address.urn)


def test_a_newer_public_image_replaces_no_machine_that_runs() -> None:
    found = graph(**OPENEST)
    for resource in found.of_type(MACHINE):
        assert resource.inputs["ami"] == AMI
        assert "ami" in resource.request["ignoreChanges"], resource.name


def test_another_ami_by_its_id_replaces_machines_beside_the_swarm_and_no_node() -> None:
    resources = graph(**CHOICES).of_type(MACHINE)
    kept = {resource.name for resource in resources if "ami" in resource.request.get("ignoreChanges", [])}
    assert {resource.inputs["ami"] for resource in resources} == {CHOSEN_AMI}
    assert kept == {resource.name for resource in resources if re.search("manager|worker", resource.name)}
    assert len(kept) < len(resources)


@every_variant
def test_no_node_is_replaced_for_other_user_data_or_another_key(variant: dict[str, Any]) -> None:
    found = graph(**variant)
    for resource in found.of_type(MACHINE):
        if re.search("manager|worker", resource.name):
            assert {"userData", "userDataBase64", "keyName"} <= set(resource.request["ignoreChanges"]), resource.name
            assert not resource.inputs["userDataReplaceOnChange"]


def test_a_machine_beside_the_swarm_is_replaced_with_its_user_data_which_is_all_that_it_has() -> None:
    for found, name in ((graph(), "bastion"), (graph(**OPENEST), "load-balancer")):
        assert machine(found, name).inputs["userDataReplaceOnChange"]
        assert machine(found, name).request["ignoreChanges"] == ["ami"]


def test_another_key_is_there_before_the_old_one_goes() -> None:
    (pair,) = graph().of_type("aws:ec2/keyPair:KeyPair")
    assert re.fullmatch(r"flotilla-dev-[0-9a-f]{8}", pair.inputs["keyName"])
    assert pair.request.get("deleteBeforeReplace") is not True
    assert len(pair.inputs["publicKey"].split()) == 2


def test_production_refuses_to_replace_or_terminate_managers_alone() -> None:
    found = graph(**PRODUCTION)
    for resource in found.of_type(MACHINE):
        manager = "manager" in resource.name
        assert resource.inputs["disableApiTermination"] == manager, resource.name
        # Else the provider could not end a machine that Pulumi may delete, after `pulumi state unprotect`.
        assert resource.inputs["forceDestroy"] == manager, resource.name
        assert bool(resource.request.get("protect")) == manager, resource.name
    assert [
        r.name for r in graph().of_type(MACHINE) if r.inputs["disableApiTermination"] or r.request.get("protect")
    ] == []


# User data and tags.


@every_variant
def test_user_data_fits_and_holds_nothing_secret(variant: dict[str, Any]) -> None:
    for mode in ("applied", "preview"):
        for resource in graph(mode, **variant).of_type(MACHINE):
            if "userData" in resource.inputs:
                assert len(resource.inputs["userData"].encode()) <= LONGEST_USER_DATA
            texts = list(plain_texts({key: resource.inputs.get(key) for key in ("userData", "userDataBase64", "tags")}))
            assert texts
            assert not [text for text in texts if re.search("PRIVATE KEY|SWMTKN|SWMKEY|sentinel-secret", text)]
            assert not leaks(resource.inputs)


def test_every_node_boots_under_its_own_name_and_is_else_like_its_fellows() -> None:
    found = graph()
    texts = {name: machine(found, name).inputs["userData"] for name in NODES}
    assert {name: user_data(found, name)["hostname"] for name in NODES} == {name: name for name in NODES}
    alike = {text.replace(f"\nhostname: {name}\n", "\n") for name, text in texts.items()}
    assert len(alike) == 1


@pytest.mark.slow
def test_what_is_too_long_for_ec2_goes_compressed() -> None:
    found = graph(**OPENEST, workers={"count": 150}, network={"overlay_prefix": 22})
    balancer = machine(found, "load-balancer")
    compressed = base64.b64decode(balancer.inputs["userDataBase64"])
    text = gzip.decompress(compressed).decode()
    assert len(compressed) <= LONGEST_USER_DATA < len(text)
    assert text.startswith("#cloud-config")
    assert "server worker-150 " in text
    assert "userData" not in balancer.inputs
    assert "userDataBase64" not in machine(found, "manager-1").inputs


def test_tags_are_said_once_on_the_provider() -> None:
    found = graph(**CHOICES)
    (provider,) = found.of_type(PROVIDER)
    assert json.loads(provider.inputs["defaultTags"]) == {
        "tags": {"flotilla.stack": "flotilla-dev", "team": "platform"}
    }
    assert provider.inputs["region"] == "us-east-1"
    tagged = [
        resource for resource in found.resources if resource.type.startswith("aws:") and "tags" in resource.inputs
    ]
    assert len(tagged) > 20
    assert [resource.name for resource in tagged if set(resource.inputs["tags"]) != {"Name"}] == []
    assert [r.name for r in tagged if not r.inputs["tags"]["Name"].startswith("flotilla-dev")] == []


def cloud_args(*, tags: dict[str, str], public_key: str) -> None:
    """The cloud's arguments, of which only these are looked at."""
    from components.clouds.aws.cloud import AwsCloudArgs, AwsImage

    rented: Any = SimpleNamespace(ssh_public_key=public_key)
    AwsCloudArgs(
        rented=rented,
        network="10.60.0.0/16",
        zones={},
        region="us-east-1",
        subnets="private",
        nat="one",
        image=AwsImage(parameter="/image", ami=None),
        mtu=None,
        pool=None,
        tags=tags,
    )


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:team": "x"}, "aws.tags is 'aws:team': not a tag for you to set; use another key"),
        ({"flotilla.stack": "x"}, "aws.tags is 'flotilla.stack': not a tag for you to set; use another key"),
        ({f"k{n}": "x" for n in range(49)}, "aws.tags is '49 tags': more than EC2 takes; use at most 48"),
    ],
    ids=["reserved", "ours", "too many"],
)
def test_tags_that_ec2_would_refuse_are_refused_with_a_fix(tags: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=f"^{re.escape(message)}$"):
        cloud_args(tags=tags, public_key="ssh-ed25519 AAAA")


def test_a_key_that_ec2_would_refuse_is_refused_with_a_fix() -> None:
    cloud_args(tags={f"k{n}": "x" for n in range(48)}, public_key="ssh-rsa AAAA me@home")
    with pytest.raises(
        PlanError, match=r"^ssh.identity_file is 'ecdsa-sha2-nistp256': no type of key that EC2 takes; "
    ):
        cloud_args(tags={}, public_key="ecdsa-sha2-nistp256 AAAA")


# Security groups.


def group_key(identity: str) -> str:
    """`aws-firewall-group-nodes-id` → `nodes`."""
    return identity.removesuffix("-id").rpartition("-group-")[2]


def openings(found: Graph) -> set[tuple[str, int, str, str]]:
    """(protocol, port, who may, who lets in) of a recorded graph; every rule opens one port."""
    opened: set[tuple[str, int, str, str]] = set()
    for rule in found.of_type(INGRESS):
        assert rule.inputs["fromPort"] == rule.inputs["toPort"], rule.name
        source = rule.inputs.get("cidrIpv4") or group_key(rule.inputs["referencedSecurityGroupId"])
        target = group_key(rule.inputs["securityGroupId"])
        opened.add((rule.inputs["ipProtocol"], int(rule.inputs["fromPort"]), source, target))
    return opened


@every_variant
def test_swarm_ports_are_open_from_group_to_group_and_dockers_own_never(variant: dict[str, Any]) -> None:
    swarm = {
        (protocol, port, source, target)
        for protocol, port, source, target in openings(graph(**variant))
        if port in (2377, 7946, 4789)
    }
    assert swarm == {
        ("tcp", 2377, "nodes", "manager"),
        ("tcp", 7946, "nodes", "nodes"),
        ("udp", 7946, "nodes", "nodes"),
        ("udp", 4789, "nodes", "nodes"),
    }
    assert not {port for _, port, _, _ in openings(graph(**variant))} & {2375, 2376}


def test_ssh_is_open_to_administrators_on_the_way_that_they_take() -> None:
    def ssh(found: Graph) -> set[tuple[str, str]]:
        return {(source, target) for _, port, source, target in openings(found) if port == 22}

    assert ssh(graph()) == {(ADMIN, "bastion"), ("bastion", "nodes")}
    assert ssh(graph(ssh=DIRECT)) == {(ADMIN, "nodes"), (OFFICE, "nodes")}
    assert ssh(graph(**OPENEST)) == {(cidr, target) for cidr in (ADMIN, OFFICE) for target in ("nodes", "balancer")}
    assert ssh(graph(**SESSIONS)) == set()


def test_administrators_networks_reach_ssh_and_statistics_alone() -> None:
    for found in (graph(), graph(**OPENEST)):
        assert {port for _, port, source, _ in openings(found) if source in (ADMIN, OFFICE)} <= {22, 8404}


@both_modes
def test_a_rule_is_a_resource_of_its_own_and_groups_have_none_inline(mode: str) -> None:
    found = graph(mode)
    for group in found.of_type(GROUP):
        assert not {"ingress", "egress"} & set(group.inputs)
        assert not group.inputs["name"].startswith("sg-")
    assert names(found, GROUP) == {f"firewall-group-{key}" for key in ("nodes", "manager", "bastion")}
    assert names(found, EGRESS) == {f"firewall-egress-{key}" for key in ("nodes", "manager", "bastion")}
    assert "firewall-rule-tcp-22-admin-bastion-203.0.113.0-24" in names(found, INGRESS)
    assert "firewall-rule-tcp-2377-nodes-manager" in names(found, INGRESS)


@every_variant
def test_ec2_takes_the_description_of_every_rule(variant: dict[str, Any]) -> None:
    found = graph(**variant)
    rules = [*found.of_type(INGRESS), *found.of_type(EGRESS)]
    allowed = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
    assert [rule.name for rule in rules if not allowed.fullmatch(rule.inputs["description"])] == []


def test_a_node_is_in_the_group_of_all_nodes_and_in_that_of_its_role() -> None:
    found = graph()
    nodes, managers = "aws-firewall-group-nodes-id", "aws-firewall-group-manager-id"
    assert interface(found, "manager-1").inputs["securityGroups"] == [nodes, managers]
    assert machine(found, "worker-1").inputs["vpcSecurityGroupIds"] == [nodes]
    assert interface(found, "bastion").inputs["securityGroups"] == ["aws-firewall-group-bastion-id"]


ESP_PROGRAM = """
import asyncio, json
import pulumi, pulumi_aws as aws
from components.clouds.aws.firewall import Firewall, FirewallArgs
from components.component import Component
from components.plan.ports import port_table
from tests.graph.record import Recorder, configure

class Holder(Component):
    token = "flotilla:test:Holder"
    declares = ()
    def __init__(self):
        super().__init__("test")
        api = aws.Provider("test-provider", region="us-east-1", opts=self.child())
        rules = port_table(encrypted=True)
        args = FirewallArgs(prefix="test", vpc_id="vpc-1", rules=rules, admin_networks=(), provider=api)
        Firewall("test-firewall", args, self.child())
        self.publish()

recorder = Recorder(preview=False, earlier={})
configure(recorder)
asyncio.run(pulumi.runtime.run_in_stack(lambda: Holder()))
print(json.dumps({"requests": recorder.requests, "outputs": recorder.outputs}))
"""


def test_traffic_of_encrypted_overlays_passes_among_nodes_as_a_protocol_without_ports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ESP_PROGRAM], capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    rule = Graph(json.loads(done.stdout)).named("test-firewall-rule-esp-nodes-nodes")
    assert rule.inputs["ipProtocol"] == "50"
    assert not {"fromPort", "toPort", "cidrIpv4"} & set(rule.inputs)
    assert group_key(rule.inputs["referencedSecurityGroupId"]) == group_key(rule.inputs["securityGroupId"]) == "nodes"


# Ways in, and what machines may do.


def hosts(found: Graph) -> dict[str, str]:
    """Where each node is reached."""
    return {
        host.name.removeprefix("swarm-host-"): host.inputs["connection"]["address"]
        for host in found.of_type("swarm:index:Host")
        if host.name.startswith("swarm-host-")
    }


def test_nodes_behind_a_bastion_are_reached_at_their_private_addresses_through_it() -> None:
    found = graph()
    assert hosts(found) == {
        node.name.removeprefix("swarm-node-"): node.inputs["advertiseAddress"]
        for node in found.of_type("swarm:index:Node")
    }
    assert interface(found, "bastion").inputs["subnetId"] == "aws-network-public-us-east-1a-id"
    assert found.named("aws-bastion-public").inputs["networkInterface"] == "aws-bastion-address-id"
    jump = found.named("aws-jump-host")
    assert jump.inputs["connection"]["address"] == public_address("aws-bastion-public")
    assert machine(found, "bastion").urn in jump.dependencies


def test_nodes_that_are_reached_directly_have_public_addresses() -> None:
    found = graph(ssh=DIRECT)
    assert hosts(found) == {
        **{name: public_address(f"aws-{name}-public") for name in MANAGERS},
        **{name: public_address(f"aws-{name}-machine") for name in WORKERS},
    }
    assert [name for name in WORKERS if not machine(found, name).inputs["associatePublicIpAddress"]] == []


def test_nodes_that_are_reached_by_sessions_go_by_the_ids_of_their_instances() -> None:
    found = graph(**SESSIONS)
    assert hosts(found) == {name: f"aws-{name}-machine-id" for name in NODES}
    (stack,) = found.of_type(STACK)
    assert found.outputs[stack.urn]["proxy_command"] == (
        "aws ssm start-session --target %h --document-name AWS-StartSSHSession "
        "--parameters portNumber=%p --region eu-central-1"
    )
    assert names(found, ELASTIC_IP) == {"network-nat-address-eu-central-1a", "load-balancer-public"}


def test_a_machine_for_sessions_gets_amazons_agent_from_the_bucket_of_its_region_unless_it_has_it() -> None:
    found = graph(**SESSIONS)
    for name in (*NODES, "load-balancer"):
        install = user_data(found, name)["runcmd"][-1]
        assert install.startswith("if ! systemctl list-unit-files --no-legend '*amazon-ssm-agent*'")
        assert "https://s3.eu-central-1.amazonaws.com/amazon-ssm-eu-central-1/latest/debian_$(dpkg" in install
        assert "curl" in user_data(found, name)["packages"]
    assert "amazon-ssm-agent" not in machine(graph(), "worker-1").inputs["userData"]


def test_machines_that_use_nothing_of_aws_may_do_nothing() -> None:
    for found in (graph(), graph(**OPENEST)):
        assert names(found, ROLE) == set()
        assert [r.name for r in found.of_type(MACHINE) if "iamInstanceProfile" in r.inputs] == []


def test_for_sessions_machines_have_that_permission_and_no_other() -> None:
    found = graph(**SESSIONS)
    (role,) = found.of_type(ROLE)
    trust = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"Service": "ec2.amazonaws.com"}]
    (policy,) = found.of_type(ROLE_POLICY)
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert sorted(statement["Action"]) == [
        "ssm:UpdateInstanceInformation",
        *(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")),
    ]
    for name in NODES:
        assert policy.urn in found.reachable(machine(found, name).urn), name
        assert machine(found, name).inputs["iamInstanceProfile"] == "flotilla-dev-machine"


def test_managers_of_a_pool_may_look_after_it_and_nobody_else() -> None:
    found = graph(**POOL)
    policy = found.named("aws-identity-manager-policy")
    actions = {
        action
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert "autoscaling:CompleteLifecycleAction" in actions
    assert not [action for action in actions if action.endswith("*") or action.startswith("iam:")]
    for name in MANAGERS:
        assert machine(found, name).inputs["iamInstanceProfile"] == "flotilla-dev-manager"
        assert policy.urn in found.reachable(machine(found, name).urn)
    assert "iamInstanceProfile" not in machine(found, "bastion").inputs


# Volumes.


def test_volumes_have_the_type_of_their_profile_and_are_encrypted() -> None:
    found = graph(**PRODUCTION)
    disks = {
        disk.name: {key: disk.inputs.get(key) for key in ("type", "size", "iops", "encrypted", "availabilityZone")}
        for disk in found.of_type(DISK)
    }
    common = {"encrypted": True, "availabilityZone": "us-east-1a"}
    assert disks == {
        "aws-volume-spark-disk": {"type": "standard", "size": 75, "iops": None, **common},
        "aws-volume-logs-disk": {"type": "io1", "size": 100, "iops": 3000, **common},
        "aws-volume-wordpress-database-disk": {"type": "standard", "size": 20, "iops": None, **common},
    }


def test_production_keeps_disks_and_others_may_go() -> None:
    for found, kept in ((graph(**PRODUCTION), True), (graph(volumes=PRODUCTION["volumes"]), False)):
        assert len(found.of_type(DISK)) == 3
        for disk in found.of_type(DISK):
            assert bool(disk.request.get("protect")) == kept
            assert bool(disk.request.get("retainOnDelete")) == kept


def test_attachment_and_mount_go_with_the_machine_and_the_disk_stays() -> None:
    found = graph(**PRODUCTION)
    attachment, mount = found.named("aws-volume-spark-attachment"), found.named("aws-volume-spark-mount")
    worker = machine(found, "worker-1")
    assert attachment.deleted_with == worker.urn
    assert mount.deleted_with == worker.urn
    assert attachment.request.get("deleteBeforeReplace")
    assert worker.urn not in found.reachable(found.named("aws-volume-spark-disk").urn)


def test_a_volume_is_mounted_by_its_serial_where_its_service_looks_for_it() -> None:
    mount = graph(**PRODUCTION).named("aws-volume-spark-mount")
    assert mount.inputs["serial"] == "aws-volume-spark-disk-id"
    assert mount.inputs["path"] == "/var/lib/flotilla/volumes/spark"
    assert mount.inputs["triggers"] == {"attachment": "aws-volume-spark-attachment-id"}
    assert mount.inputs["sizeGib"] == 75


def test_volumes_of_a_node_are_different_devices() -> None:
    found = graph(**PRODUCTION)
    devices = [r.inputs["deviceName"] for r in found.of_type("aws:ec2/volumeAttachment:VolumeAttachment")]
    assert len(set(devices)) == 3
    assert [device for device in devices if not re.fullmatch("/dev/xvd[bc][a-z]", device)] == []


def test_adding_a_volume_only_adds_in_a_preview_too() -> None:
    before, after = graph("preview"), graph("preview", volumes={"spark": {"node": "worker-1"}})
    assert changed(before, after) == set()
    added = {resource.name for urn, resource in after.by_urn.items() if urn not in before.by_urn}
    parts = ("", "-disk", "-attachment", "-mount")
    assert added == {f"aws-volume-spark{part}" for part in parts}


def test_adding_a_worker_only_adds_in_a_preview_too() -> None:
    before, after = graph("preview"), graph("preview", workers={"count": 7})
    # The gate waits for one node more.
    assert changed(before, after) == {"swarm-readiness"}
    assert set(before.by_urn) < set(after.by_urn)


# Load balancers.


def members(found: Graph) -> dict[str, list[str]]:
    """Nodes behind the load balancer, by service."""
    listed: dict[str, list[str]] = {}
    for member in found.of_type(MEMBER):
        service, _, node = member.name.removeprefix("aws-load-balancer-member-").partition("-")
        listed.setdefault(service, []).append(node)
    return {service: sorted(nodes) for service, nodes in listed.items()}


def test_members_of_the_load_balancer_are_the_first_workers_and_never_many() -> None:
    found = graph(workers={"count": 20})
    first = sorted(f"worker-{number}" for number in range(1, MOST_MEMBERS + 1))
    assert members(found) == {"web": first, "wordpress": first}


def test_managers_are_members_where_there_is_nobody_else() -> None:
    found = graph(workers={"count": 0}, services={"wordpress": None})
    assert members(found) == {"web": MANAGERS}


def test_machines_of_a_pool_are_members_by_their_group() -> None:
    found = graph(**POOL)
    assert members(found) == {}
    (attachment,) = found.of_type("aws:autoscaling/attachment:Attachment")
    assert attachment.name == "aws-load-balancer-member-web-pool"
    assert attachment.inputs["autoscalingGroupName"] == "flotilla-dev-workers"


@both_modes
def test_the_load_balancer_is_in_every_zone_and_leads_to_all_of_them(mode: str) -> None:
    found = graph(mode)
    (balancer,) = found.of_type(BALANCER)
    assert balancer.inputs["loadBalancerType"] == "network"
    assert balancer.inputs["enableCrossZoneLoadBalancing"]
    assert len(balancer.inputs["subnets"]) == len(ZONES)
    assert {name for name in reached(found, balancer) if "network-public-us" in name} == {
        f"aws-network-public-{zone}" for zone in ZONES
    }
    assert balancer.inputs["enableDeletionProtection"] is False
    assert names(found, LISTENER) == {"load-balancer-listener-web", "load-balancer-listener-wordpress"}


def test_production_protects_the_load_balancer_from_deletion() -> None:
    (balancer,) = graph(**PRODUCTION).of_type(BALANCER)
    assert balancer.inputs["enableDeletionProtection"]


def test_a_published_port_is_checked_as_a_client_would_use_it() -> None:
    found = graph()
    web = found.named("aws-load-balancer-pool-web").inputs
    assert (web["protocol"], web["port"], web["targetType"], web["preserveClientIp"]) == (
        "TCP",
        8080,
        "instance",
        "true",
    )
    assert (web["healthCheck"]["protocol"], web["healthCheck"]["path"]) == ("HTTP", "/healthz")
    assert web["healthCheck"]["port"] == "traffic-port"
    assert found.named("aws-load-balancer-listener-web").inputs["port"] == 8080


def test_another_port_has_its_pool_before_the_old_one_goes() -> None:
    """A target group that a listener uses cannot be deleted, and its port cannot be changed."""
    before = graph().named("aws-load-balancer-pool-web")
    after = graph(**CHOICES).named("aws-load-balancer-pool-web")
    assert before.urn == after.urn
    assert before.inputs["name"] != after.inputs["name"]
    assert not after.request.get("deleteBeforeReplace")
    assert [r.name for r in graph().of_type(TARGET_GROUP) if len(r.inputs["name"]) > 32] == []


def test_urls_lead_through_the_load_balancer() -> None:
    name = "aws-load-balancer-balancer.elb.us-east-1.amazonaws.com"
    assert urls(graph()) == {"web": f"http://{name}:8080/", "wordpress": f"http://{name}:8081/"}


def test_haproxy_is_a_machine_with_fixed_addresses_and_every_node_behind_it() -> None:
    found = graph(load_balancer=HAPROXY)
    assert names(found, BALANCER) | names(found, TARGET_GROUP) == set()
    assert interface(found, "load-balancer").inputs["privateIps"] == ["10.60.128.4"]
    assert interface(found, "load-balancer").inputs["subnetId"] == "aws-network-public-us-east-1a-id"
    configuration = file(found, "load-balancer", "/etc/haproxy/haproxy.cfg")
    addresses = {node.inputs["advertiseAddress"] for node in found.of_type("swarm:index:Node")}
    assert set(re.findall(r"server \S+ ([0-9.]+):8080 check", configuration)) == addresses
    assert user_data(found, "load-balancer")["packages"] == ["haproxy"]
    address = public_address("aws-load-balancer-public")
    assert urls(found) == {
        "web": f"http://{address}:8080/",
        "wordpress": f"http://{address}:8081/",
        "statistics": f"http://{address}:8404/",
    }
    published = {(source, target) for _, port, source, target in openings(found) if port in (8080, 8081)}
    assert published == {(EVERYWHERE, "balancer"), ("balancer", "nodes")}


def test_without_a_load_balancer_or_anything_to_balance_there_is_none() -> None:
    nothing = {"web": None, "wordpress": None}
    for found in (graph(load_balancer={"kind": "none"}), graph(services=nothing, **OPENEST)):
        assert names(found, BALANCER) == set()
        assert "load-balancer-machine" not in names(found, MACHINE)
        assert urls(found) == {}


def test_the_mtu_of_the_settings_reaches_engines_and_overlays() -> None:
    found = graph(**CHOICES)
    assert json.loads(file(found, "worker-1", "/etc/docker/daemon.json"))["mtu"] == 9001
    overlays = found.of_type("docker:index/network:Network")
    assert {overlay.inputs["options"]["com.docker.network.driver.mtu"] for overlay in overlays} == {"9001"}
