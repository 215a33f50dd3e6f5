"""What the program registers on OpenStack: machines and their addresses, security groups, disks, and the way in."""

import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.clouds.cloud import MOST_MEMBERS
from components.clouds.openstack.user_data import LONGEST_USER_DATA, fitting
from components.plan.errors import PlanError
from tests.graph.computed_openstack import MTU, public_address
from tests.graph.graph import PROJECT, SECRET, Graph, Resource, leaks, record, record_in

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
STACK = "pulumi:pulumi:Stack"
SERVER = "openstack:compute/instance:Instance"
SERVER_GROUP = "openstack:compute/serverGroup:ServerGroup"
PORT = "openstack:networking/port:Port"
FLOATING_IP = "openstack:networking/floatingIp:FloatingIp"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
DISK = "openstack:blockstorage/volume:Volume"
BALANCER = "openstack:loadbalancer/loadBalancer:LoadBalancer"
MEMBER = "openstack:loadbalancer/member:Member"
MONITOR = "openstack:loadbalancer/monitor:Monitor"
PROVIDER = "pulumi:providers:openstack"

BASE: dict[str, Any] = {
    "cloud": "openstack",
    "workers": {"count": 6},
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
}
DIRECT: dict[str, Any] = {"access": "direct", "admin_networks": ["203.0.113.0/24", "198.51.100.0/24"]}
OPENEST: dict[str, Any] = {"ssh": DIRECT, "load_balancer": {"kind": "haproxy"}}
NODES = [*(f"manager-{number}" for number in range(1, 4)), *(f"worker-{number}" for number in range(1, 7))]

both_modes = pytest.mark.parametrize("mode", ["applied", "preview"])


@cache
def _recorded(settings: str, mode: str) -> Graph:
    return record({**BASE, **json.loads(settings)}, mode)


def graph(mode: str = "applied", **settings: Any) -> Graph:
    """The platform with these settings beside the base, recorded once."""
    return _recorded(json.dumps(settings, sort_keys=True), mode)


def server(found: Graph, name: str) -> Resource:
    return found.named(f"openstack-{name}-machine")


def port(found: Graph, name: str) -> Resource:
    return found.named(f"openstack-{name}-address")


def user_data(found: Graph, name: str) -> dict[str, Any]:
    return yaml.safe_load(server(found, name).inputs["userData"])


def file(found: Graph, name: str, path: str) -> str:
    """The content of a file in a machine's user data."""
    (content,) = [item["content"] for item in user_data(found, name)["write_files"] if item["path"] == path]
    return content


def engine_mtu(found: Graph, name: str) -> int | None:
    return json.loads(file(found, name, "/etc/docker/daemon.json")).get("mtu")


def overlay_mtus(found: Graph) -> set[str]:
    overlays = found.of_type("docker:index/network:Network")
    assert overlays
    return {overlay.inputs["options"]["com.docker.network.driver.mtu"] for overlay in overlays}


def urls(found: Graph) -> dict[str, str]:
    (stack,) = found.of_type(STACK)
    return found.outputs[stack.urn]["urls"]


def changed(before: Graph, after: Graph) -> set[str]:
    """Names of resources that are in both and not alike."""
    return {
        resource.name
        for resource in before.resources
        if resource.urn in after.by_urn and after.by_urn[resource.urn].inputs != resource.inputs
    }


# Machines.


@both_modes
def test_no_two_managers_are_on_one_host(mode: str) -> None:
    found = graph(mode)
    group = found.named("openstack-servers-managers")
    assert group.inputs["policies"] == "anti-affinity"
    for number in range(1, 4):
        manager = server(found, f"manager-{number}")
        assert group.urn in manager.dependencies
        assert manager.inputs["schedulerHints"] == [{"group": UNKNOWN if mode == "preview" else f"{group.name}-id"}]


def test_a_site_with_fewer_hosts_than_managers_says_so() -> None:
    policy = "soft-anti-affinity"
    found = graph(openstack={"manager_policy": policy})
    assert found.named("openstack-servers-managers").inputs["policies"] == policy


def test_workers_are_apart_where_that_can_be_in_groups_that_the_default_quota_allows() -> None:
    found = graph(workers={"count": 23})
    workers = [resource for resource in found.of_type(SERVER) if "-worker-" in resource.name]
    members = Counter(worker.inputs["schedulerHints"][0]["group"] for worker in workers)
    assert members == {
        "openstack-servers-workers-1-10-id": 10,
        "openstack-servers-workers-11-20-id": 10,
        "openstack-servers-workers-21-30-id": 3,
    }
    policies = {group.inputs["policies"] for group in found.of_type(SERVER_GROUP) if "workers" in group.name}
    assert policies == {"soft-anti-affinity"}


def test_a_single_manager_stays_the_same_machine_when_it_gets_company() -> None:
    alone, three = graph(managers={"count": 1}), graph()
    assert server(alone, "manager-1").inputs == server(three, "manager-1").inputs
    assert port(alone, "manager-1").inputs == port(three, "manager-1").inputs


@both_modes
def test_an_address_belongs_to_a_port_that_outlives_the_machine(mode: str) -> None:
    found = graph(mode)
    addresses = {name: port(found, name).inputs["fixedIps"][0]["ipAddress"] for name in NODES}
    assert addresses["manager-1"] == "10.60.0.11"
    assert addresses["worker-6"] == "10.60.0.56"
    for name in NODES:
        own_port, machine = port(found, name), server(found, name)
        assert own_port.urn in machine.dependencies
        assert machine.urn not in found.reachable(own_port.urn)
        # The port is on the old machine until that is gone, and the address on the old port.
        assert machine.request["deleteBeforeReplace"]
        assert own_port.request["deleteBeforeReplace"]


def test_a_node_is_where_its_zone_is_and_a_machine_beside_the_swarm_with_the_first_manager() -> None:
    found = graph(openstack={"zones": ["az-1", "az-2", "az-3"]})
    zones = [server(found, name).inputs["availabilityZone"] for name in (*NODES[:3], "bastion")]
    assert zones == ["az-1", "az-2", "az-3", "az-1"]


@both_modes
def test_a_node_keeps_what_it_booted_with(mode: str) -> None:
    """A newer image, another key or another MTU is for new machines: the managers would else all go at once."""
    found = graph(mode)
    for name in NODES:
        ignored = server(found, name).request["ignoreChanges"]
        assert ignored == ["userData", "keyPair", "imageName", "blockDevices"]
    assert server(found, "bastion").request["ignoreChanges"] == ["imageName", "blockDevices"]


def test_another_key_is_there_before_the_old_one_goes() -> None:
    """One that went first would take along every machine that names it."""
    pair = graph().named("openstack-key")
    assert re.fullmatch(r"flotilla-dev-[0-9a-f]{8}", pair.inputs["name"])
    assert pair.request["deleteBeforeReplaceDefined"]
    assert not pair.request.get("deleteBeforeReplace")


@pytest.mark.parametrize("protect", [True, False])
def test_in_production_managers_are_protected(protect: bool) -> None:
    found = graph(protect=protect)
    protected = {resource.name for resource in found.of_type(SERVER) if resource.request.get("protect")}
    assert protected == ({f"openstack-manager-{number}-machine" for number in range(1, 4)} if protect else set())


def test_a_machine_needs_no_metadata_service_and_is_shut_down_before_it_goes() -> None:
    for resource in graph().of_type(SERVER):
        assert resource.inputs["configDrive"] is True
        assert resource.inputs["stopBeforeDestroy"] is True


def test_a_machine_has_its_nodes_name_and_another_in_nova() -> None:
    found = graph()
    assert user_data(found, "worker-2")["hostname"] == "worker-2"
    assert server(found, "worker-2").inputs["name"] == "flotilla-dev-worker-2"


@both_modes
def test_a_machine_boots_when_there_is_a_way_out(mode: str) -> None:
    found = graph(mode)
    for resource in found.of_type(SERVER):
        reached = found.reachable(resource.urn)
        assert found.named("openstack-network-interface").urn in reached
        group = "bastion" if "bastion" in resource.name else "nodes"
        assert found.named(f"openstack-firewall-egress-{group}").urn in reached


def test_the_image_goes_by_its_name() -> None:
    found = graph(openstack={"image": {"name": "debian-13"}})
    assert server(found, "worker-1").inputs["imageName"] == "debian-13"
    assert "blockDevices" not in server(found, "worker-1").inputs


@both_modes
def test_a_root_disk_in_cinder_is_filled_from_the_image(mode: str) -> None:
    found = graph(mode, openstack={"boot_volume": {"size": "30g", "type": "fast"}})
    for resource in found.of_type(SERVER):
        assert "imageName" not in resource.inputs
        assert resource.inputs["blockDevices"] == [
            {
                "sourceType": "image",
                "uuid": "image-debian-12",
                "destinationType": "volume",
                "bootIndex": 0,
                "volumeSize": 30,
                "volumeType": "fast",
                "deleteOnTermination": True,
            }
        ]


def test_nodes_may_send_from_the_addresses_that_are_allowed_to_them_and_the_bastion_from_none() -> None:
    found = graph(openstack={"allowed_addresses": ["10.99.0.0/24"]})
    for name in NODES:
        assert port(found, name).inputs["allowedAddressPairs"] == [{"ipAddress": "10.99.0.0/24"}]
    assert "allowedAddressPairs" not in port(found, "bastion").inputs
    assert "allowedAddressPairs" not in port(graph(), "worker-1").inputs


# The network.


def test_the_mtu_is_what_the_network_says() -> None:
    found = graph()
    assert "mtu" not in found.named("openstack-network-network").inputs
    assert overlay_mtus(found) == {str(MTU)}
    assert {engine_mtu(found, name) for name in NODES} == {MTU}


def test_in_the_first_preview_the_mtu_is_not_guessed() -> None:
    found = graph("preview")
    assert overlay_mtus(found) == {UNKNOWN}
    data = {resource.name: resource.inputs["userData"] for resource in found.of_type(SERVER)}
    assert {name for name, text in data.items() if text != UNKNOWN} == {"openstack-bastion-machine"}


@both_modes
def test_an_mtu_in_the_settings_wins(mode: str) -> None:
    found = graph(mode, network={"mtu": 1400})
    assert overlay_mtus(found) == {"1400"}
    assert {engine_mtu(found, name) for name in NODES} == {1400}


def test_neutron_gives_away_no_address_of_ours_by_itself() -> None:
    found = graph(openstack={"nameservers": ["192.0.2.53"]})
    subnet = found.named("openstack-network-subnet").inputs
    assert subnet["cidr"] == "10.60.0.0/16"
    assert subnet["gatewayIp"] == "10.60.0.1"
    assert subnet["dnsNameservers"] == ["192.0.2.53"]
    assert subnet["allocationPools"] == [{"start": "10.60.224.0", "end": "10.60.255.254"}]


@both_modes
def test_the_router_leads_to_the_external_network_of_the_settings(mode: str) -> None:
    found = graph(mode, openstack={"external_network": "internet"})
    assert found.named("openstack-network-router").inputs["externalNetworkId"] == "network-internet"
    assert {resource.inputs["pool"] for resource in found.of_type(FLOATING_IP)} == {"internet"}


# Security groups.


@both_modes
def test_swarm_ports_open_to_the_nodes_group_and_to_no_network(mode: str) -> None:
    rules = [rule for rule in graph(mode).of_type(RULE) if rule.inputs.get("portRangeMin") in (2377, 7946, 4789)]
    assert len(rules) == 4
    for rule in rules:
        assert "remoteIpPrefix" not in rule.inputs
        assert rule.inputs["remoteGroupId"] == (UNKNOWN if mode == "preview" else "openstack-firewall-group-nodes-id")


@pytest.mark.parametrize("settings", [{}, OPENEST], ids=["bastion", "direct"])
def test_the_docker_api_opens_to_nobody(settings: dict[str, Any]) -> None:
    rules = [rule for rule in graph(**settings).of_type(RULE) if rule.inputs["direction"] == "ingress"]
    assert rules
    for rule in rules:
        assert not {2375, 2376} & set(range(int(rule.inputs["portRangeMin"]), int(rule.inputs["portRangeMax"]) + 1))


def test_a_rule_says_why_it_is_there() -> None:
    assert [rule.name for rule in graph().of_type(RULE) if not rule.inputs.get("description")] == []


def test_a_rule_goes_before_its_successor_comes() -> None:
    """Neutron refuses a second rule that differs in the description alone."""
    assert [rule.name for rule in graph().of_type(RULE) if not rule.request.get("deleteBeforeReplace")] == []


def test_a_group_has_no_rules_but_ours() -> None:
    groups = graph().of_type("openstack:networking/secGroup:SecGroup")
    assert {group.name.removeprefix("openstack-firewall-group-") for group in groups} == {"nodes", "manager", "bastion"}
    assert all(group.inputs["deleteDefaultRules"] is True for group in groups)


def test_a_node_is_in_the_group_of_all_nodes_and_in_that_of_its_role() -> None:
    found = graph()
    prefix = "openstack-firewall-group"
    assert port(found, "manager-1").inputs["securityGroupIds"] == [f"{prefix}-nodes-id", f"{prefix}-manager-id"]
    assert port(found, "worker-1").inputs["securityGroupIds"] == [f"{prefix}-nodes-id"]
    assert port(found, "bastion").inputs["securityGroupIds"] == [f"{prefix}-bastion-id"]


def test_each_network_of_the_administrators_has_a_rule_of_its_own() -> None:
    found = graph(ssh=DIRECT)
    rules = {rule.name: rule.inputs["remoteIpPrefix"] for rule in found.of_type(RULE) if "-tcp-22-" in rule.name}
    assert rules == {
        "openstack-firewall-rule-tcp-22-admin-nodes-203.0.113.0-24": "203.0.113.0/24",
        "openstack-firewall-rule-tcp-22-admin-nodes-198.51.100.0-24": "198.51.100.0/24",
    }


ENCRYPTED = """
import asyncio, json, pulumi, pulumi_openstack
from components.clouds.openstack.firewall import Firewall, FirewallArgs
from components.plan.ports import port_table
from tests.graph.record import Recorder, configure

recorder = Recorder(preview=False, earlier={})
configure(recorder)
rules = port_table(encrypted=True)

def program():
    provider = pulumi_openstack.Provider("openstack")
    Firewall("firewall", FirewallArgs(prefix="f", rules=rules, admin_networks=("192.0.2.0/24",), provider=provider))

asyncio.run(pulumi.runtime.run_in_stack(program))
print(json.dumps({request["name"]: request.get("object", {}) for request in recorder.requests}))
"""


def test_encrypted_overlays_open_esp_which_has_no_ports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENCRYPTED], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["firewall-rule-esp-nodes-nodes"] == {
        "securityGroupId": "firewall-group-nodes-id",
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "esp",
        "remoteGroupId": "firewall-group-nodes-id",
        "description": "IPsec: traffic of encrypted overlay networks",
    }


# The way in.


@both_modes
def test_with_a_bastion_only_it_and_the_load_balancer_have_public_addresses(mode: str) -> None:
    names = {resource.name for resource in graph(mode).of_type(FLOATING_IP)}
    assert names == {"openstack-bastion-public", "openstack-load-balancer-public"}


@both_modes
def test_with_direct_access_every_node_has_one_and_there_is_no_bastion(mode: str) -> None:
    found = graph(mode, ssh=DIRECT)
    names = {resource.name for resource in found.of_type(FLOATING_IP)}
    assert names == {"openstack-load-balancer-public", *(f"openstack-{name}-public" for name in NODES)}
    assert [resource.name for resource in found.resources if "bastion" in resource.name] == []


@both_modes
def test_a_public_address_stays_when_the_machine_is_replaced(mode: str) -> None:
    found = graph(mode, ssh=DIRECT)
    for name in NODES:
        public = found.named(f"openstack-{name}-public")
        assert port(found, name).urn in public.dependencies
        assert server(found, name).urn not in found.reachable(public.urn)


@both_modes
def test_every_host_is_reached_by_its_private_address_through_a_bastion_that_answers(mode: str) -> None:
    found = graph(mode)
    jump = found.named("openstack-jump-host")
    assert server(found, "bastion").urn in found.reachable(jump.urn)
    for name in NODES:
        host = found.named(f"swarm-host-{name}")
        assert host.inputs["connection"]["address"] == port(found, name).inputs["fixedIps"][0]["ipAddress"]
        assert jump.urn in found.reachable(host.urn)


def test_a_replaced_machine_leaves_the_swarm_and_joins_it_anew() -> None:
    node = graph().named("swarm-node-worker-1")
    assert node.inputs["triggers"] == {"machine": "openstack-worker-1-machine-id"}


# Credentials.

CREDENTIALS = (
    *("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_TOKEN"),
    *("OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET"),
)


@both_modes
def test_the_program_sets_no_credentials_application_credentials_neither(mode: str) -> None:
    credentials = dict.fromkeys(CREDENTIALS, "sentinel-secret")
    (found,) = record_in(credentials, mode, {**BASE, "openstack": {"cloud": "mine", "region": "north"}})
    (provider,) = found.of_type(PROVIDER)
    assert provider.inputs == {"cloud": "mine", "region": "north"}
    openstack = [resource for resource in found.resources if resource.type.startswith("openstack:")]
    assert [resource.name for resource in openstack if leaks(resource.inputs)] == []


def test_cloud_and_region_are_the_environments_unless_they_are_given() -> None:
    (provider,) = graph().of_type(PROVIDER)
    assert provider.inputs == {}


def test_everything_is_made_with_the_one_provider() -> None:
    found = graph()
    (provider,) = found.of_type(PROVIDER)
    used = {resource.provider for resource in found.resources if resource.type.startswith("openstack:")}
    assert used == {f"{provider.urn}::{provider.name}-id"}


@both_modes
def test_no_resource_of_openstack_is_given_a_secret(mode: str) -> None:
    """User data, metadata and descriptions can be read by whoever is on the machine or in the project."""
    found = graph(mode, swarm={"autolock": True}, ssh=DIRECT, load_balancer={"kind": "haproxy"})
    for resource in found.resources:
        if resource.type.startswith("openstack:"):
            text = json.dumps(resource.inputs)
            assert SECRET not in text, resource.name
            assert "SWMTKN" not in text, resource.name
            assert "PRIVATE KEY" not in text, resource.name


# Volumes.

VOLUMES = {
    "spark": {"node": "worker-2"},
    "archive": {"node": "worker-3", "profile": "silver", "size": "200g"},
}


@both_modes
def test_a_volume_is_mounted_by_its_serial_on_its_node(mode: str) -> None:
    found = graph(mode, volumes=VOLUMES)
    mount = found.named("openstack-volume-spark-mount")
    assert mount.inputs["path"] == "/var/lib/flotilla/volumes/spark"
    assert mount.inputs["connection"]["address"] == "10.60.0.52"
    reached = found.reachable(mount.urn)
    for name in ("volume-spark-disk", "volume-spark-attachment", "worker-2-machine"):
        assert found.named(f"openstack-{name}").urn in reached
    assert found.named("swarm-host-worker-2").urn in reached
    if mode == "applied":
        assert mount.inputs["serial"] == "openstack-volume-spark-disk-id"
        assert mount.inputs["triggers"] == {"attachment": "openstack-volume-spark-attachment-id"}


def test_a_volume_is_attached_by_nova_without_a_device_name_and_goes_with_its_machine() -> None:
    found = graph(volumes=VOLUMES)
    attachment = found.named("openstack-volume-spark-attachment")
    machine = server(found, "worker-2")
    assert attachment.inputs == {
        "instanceId": "openstack-worker-2-machine-id",
        "volumeId": "openstack-volume-spark-disk-id",
    }
    assert attachment.request["deleteBeforeReplace"]
    for name in ("attachment", "mount"):
        assert found.named(f"openstack-volume-spark-{name}").deleted_with == machine.urn
    assert not found.named("openstack-volume-spark-disk").deleted_with


def test_a_profile_is_a_type_of_cinder_where_the_settings_say_one() -> None:
    found = graph(volumes=VOLUMES, openstack={"volume_types": {"silver": "ssd"}})
    spark = found.named("openstack-volume-spark-disk").inputs
    archive = found.named("openstack-volume-archive-disk").inputs
    assert ("volumeType" in spark, archive["volumeType"]) == (False, "ssd")
    assert (spark["size"], archive["size"]) == (75, 200)


def test_a_disk_is_in_the_zone_of_its_node_unless_cinder_has_zones_of_its_own() -> None:
    def zones(**settings: Any) -> dict[str, str]:
        found = graph(volumes=VOLUMES, openstack={"zones": ["az-1", "az-2", "az-3"], **settings})
        return {disk.name: disk.inputs["availabilityZone"] for disk in found.of_type(DISK)}

    assert zones() == {
        "openstack-volume-archive-disk": "az-3",
        "openstack-volume-spark-disk": "az-2",
        "openstack-volume-wordpress-database-disk": "az-1",
    }
    assert set(zones(volume_zone="cinder-1").values()) == {"cinder-1"}


@pytest.mark.parametrize("protect", [True, False])
def test_in_production_a_disk_is_protected_and_kept(protect: bool) -> None:
    disks = graph(volumes=VOLUMES, protect=protect).of_type(DISK)
    assert len(disks) == 3
    for disk in disks:
        assert bool(disk.request.get("protect")) is protect
        assert bool(disk.request.get("retainOnDelete")) is protect


def test_a_disk_grows_while_it_is_attached_and_its_file_system_after_it() -> None:
    found = graph(volumes=VOLUMES)
    assert {disk.inputs["enableOnlineResize"] for disk in found.of_type(DISK)} == {True}
    assert found.named("openstack-volume-archive-mount").inputs["sizeGib"] == 200


def test_the_database_is_held_to_the_node_and_zone_of_its_volume() -> None:
    service = graph(openstack={"zones": ["az-1", "az-2", "az-3"]}).named("wordpress-database-service")
    constraints = service.inputs["taskSpec"]["placement"]["constraints"]
    assert {"node.hostname == worker-1", "node.labels.zone == az-1"} <= set(constraints)


# The load balancer.


@both_modes
def test_octavia_sends_each_published_port_to_the_workers(mode: str) -> None:
    found = graph(mode)
    members = {member.name for member in found.of_type(MEMBER)}
    assert members == {
        f"openstack-load-balancer-member-{service}-worker-{number}"
        for service in ("web", "wordpress")
        for number in range(1, 7)
    }
    listener = found.named("openstack-load-balancer-listener-web").inputs
    assert (listener["protocol"], listener["protocolPort"]) == ("TCP", 8080)
    member = found.named("openstack-load-balancer-member-web-worker-6").inputs
    assert member["protocolPort"] == 8080
    assert member["address"] == (UNKNOWN if mode == "preview" else "10.60.0.56")


@both_modes
def test_a_machine_that_is_replaced_gets_no_requests_in_the_meantime(mode: str) -> None:
    found = graph(mode)
    for member in found.of_type(MEMBER):
        machine = server(found, member.name.partition("-member-")[2].partition("-")[2])
        assert machine.urn in member.dependencies


def test_octavia_asks_a_node_whether_the_service_works() -> None:
    monitors = {monitor.inputs["urlPath"]: monitor.inputs for monitor in graph().of_type(MONITOR)}
    assert set(monitors) == {"/healthz", "/wp-login.php"}
    for monitor in monitors.values():
        assert (monitor["type"], monitor["expectedCodes"]) == ("HTTP", "200")
        assert monitor["timeout"] < monitor["delay"]


def test_octavia_has_a_bounded_number_of_members_however_many_workers_there_are() -> None:
    members = Counter(member.inputs["poolId"] for member in graph(workers={"count": 23}).of_type(MEMBER))
    assert set(members.values()) == {MOST_MEMBERS}
    assert MOST_MEMBERS < 23


def test_without_workers_octavia_sends_to_the_managers() -> None:
    found = graph(workers={"count": 0}, services={"wordpress": None})
    addresses = {member.inputs["address"] for member in found.of_type(MEMBER)}
    assert addresses == {"10.60.0.11", "10.60.0.12", "10.60.0.13"}


def test_another_published_port_replaces_no_pool() -> None:
    other = graph(services={"web": {"port": 9090}})
    touched = changed(graph(), other)
    assert "openstack-load-balancer-listener-web" in touched
    assert [name for name in touched if "-pool-" in name or "-monitor-" in name] == []


def test_urls_lead_to_the_public_address_of_the_balancer() -> None:
    address = public_address("openstack-load-balancer-public")
    services = {"web": f"http://{address}:8080/", "wordpress": f"http://{address}:8081/"}
    assert urls(graph()) == services
    haproxy = {**services, "statistics": f"http://{address}:8404/"}
    assert urls(graph(load_balancer={"kind": "haproxy"})) == haproxy


@both_modes
def test_haproxy_is_a_machine_that_knows_every_node(mode: str) -> None:
    found = graph(mode, load_balancer={"kind": "haproxy"}, network={"mtu": 1400})
    assert found.of_type(BALANCER) == []
    configuration = file(found, "load-balancer", "/etc/haproxy/haproxy.cfg")
    for name in NODES:
        assert f"server {name} {port(found, name).inputs['fixedIps'][0]['ipAddress']}:8080 check" in configuration
    assert user_data(found, "load-balancer")["packages"] == ["haproxy"]
    assert found.named("openstack-load-balancer-public").type == FLOATING_IP


def test_user_data_that_nova_takes_goes_as_text_and_larger_ones_compressed() -> None:
    longest = "x" * (LONGEST_USER_DATA // 4 * 3)
    assert fitting(longest, machine="manager-1") == longest
    sent = fitting(longest + "x", machine="manager-1")
    assert len(sent) <= LONGEST_USER_DATA
    assert gzip.decompress(base64.b64decode(sent)).decode() == longest + "x"


def test_user_data_that_is_too_long_even_compressed_is_refused() -> None:
    said = r"user data of manager-1 is '128000 bytes, [0-9]+ compressed': Nova takes 65535"
    with pytest.raises(PlanError, match=said):
        fitting(noise(128_000), machine="manager-1")


def test_user_data_of_nodes_that_will_be_too_long_is_refused_before_the_network_tells_its_mtu(tmp_path: Path) -> None:
    """In a first preview the MTU is unknown, and nothing that waits for it is rendered."""
    authority = tmp_path / "authority.pem"
    authority.write_text(f"-----BEGIN CERTIFICATE-----\n{noise(100_000)}\n-----END CERTIFICATE-----\n")
    registry = {"address": "registry.example.com", "authority_file": str(authority)}
    with pytest.raises(AssertionError, match=r"user data of manager-1 is '[0-9]+ bytes, .*registry\.authority_file"):
        graph("preview", registry=registry)


def noise(length: int) -> str:
    """Text that hardly compresses."""
    return "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(length // 64 + 1))[:length]


def test_haproxys_machine_is_made_anew_with_its_configuration_at_the_same_addresses() -> None:
    fewer = graph(load_balancer={"kind": "haproxy"})
    more = graph(load_balancer={"kind": "haproxy"}, workers={"count": 7})
    assert "userData" not in server(fewer, "load-balancer").request["ignoreChanges"]
    assert changed(fewer, more) == {"openstack-load-balancer-machine", "swarm-readiness"}


def test_without_a_load_balancer_there_is_none() -> None:
    found = graph(load_balancer={"kind": "none"})
    assert [resource.name for resource in found.resources if "load-balancer" in resource.name] == []
    assert urls(found) == {}


def test_there_is_no_load_balancer_for_no_services() -> None:
    found = graph(services={"web": None, "wordpress": None})
    assert found.of_type(BALANCER) == []


# Changes.


@pytest.mark.parametrize("settings", [{}, {"ssh": DIRECT}], ids=["bastion", "direct"])
def test_adding_a_worker_only_adds(settings: dict[str, Any]) -> None:
    fewer, more = graph(**settings), graph(workers={"count": 7}, **settings)
    # The gate waits for one node more; nothing else changes.
    assert changed(fewer, more) == {"swarm-readiness"}
    assert set(fewer.by_urn) < set(more.by_urn)


def test_adding_a_volume_only_adds() -> None:
    without, with_volumes = graph(), graph(volumes=VOLUMES)
    assert changed(without, with_volumes) == set()
    added = {with_volumes.by_urn[urn].name for urn in set(with_volumes.by_urn) - set(without.by_urn)}
    assert added == {
        f"openstack-volume-{name}{part}" for name in VOLUMES for part in ("", "-disk", "-attachment", "-mount")
    }


@pytest.mark.parametrize("settings", [{}, OPENEST, {"volumes": VOLUMES}], ids=["bastion", "direct", "volumes"])
def test_the_first_preview_registers_what_the_update_does(settings: dict[str, Any]) -> None:
    assert set(graph("preview", **settings).by_urn) == set(graph(**settings).by_urn)
