"""Bad settings of the clouds that rent machines, one line of the table each: what the user wrote and what he reads."""

from typing import Any

import pytest

from stacks.errors import SettingsError
from stacks.load import parse_settings
from stacks.plan import make_plan

Case = tuple[dict[str, Any], str]

SSH = {"access": "bastion", "admin_networks": ["203.0.113.0/24"]}
REGISTRY = {"address": "registry.example.com"}
NONE = {"web": None, "wordpress": None}


def aws(**settings: Any) -> dict[str, Any]:
    """A stack on AWS that works, but for what is given."""
    return {"cloud": "aws", "ssh": SSH, "registry": REGISTRY, **settings}


def openstack(**settings: Any) -> dict[str, Any]:
    """A stack on OpenStack that works, but for what is given."""
    return {"cloud": "openstack", "ssh": SSH, "registry": REGISTRY, **settings}


def offices(number: int) -> list[str]:
    """That many networks of administrators."""
    return [f"203.0.113.{last}/32" for last in range(number)]


def volume(**settings: Any) -> dict[str, Any]:
    """A stack on AWS with one volume."""
    return aws(volumes={"data": {"node": "worker-1", **settings}})


def ebs(size: str, **settings: Any) -> dict[str, Any]:
    """A stack on AWS with one volume in AWS's own words."""
    return volume(size=size, ebs=settings)


ZONES: list[Case] = [
    (
        aws(aws={"zones": ["eu-west-1a"]}),
        "aws.zones is 'eu-west-1a': no zone of region us-east-1; use zones such as us-east-1a",
    ),
    (
        aws(aws={"region": "eu-central-1", "zones": ["eu-central-1z"]}),
        "aws.zones is 'eu-central-1z': no zone of region eu-central-1; use zones such as eu-central-1a",
    ),
    (
        aws(aws={"zones": ["us-east-1a", "us-east-1b"]}),
        "aws.zones is ['us-east-1a', 'us-east-1b']: too few for 3 managers: losing one of 2 zones can lose the majority; use 3 zones, or 1 where that risk is taken",
    ),
    (
        aws(aws={"zones": ["us-east-1a", "us-east-1a", "us-east-1b"]}),
        "aws.zones is ['us-east-1a', 'us-east-1a', 'us-east-1b']: a zone is there twice; name each once",
    ),
    (
        aws(aws={"zones": ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]}),
        "aws.zones is ['us-east-1a', 'us-east-1b', 'us-east-1c', 'us-east-1d']: more than 3 zones; name 1 or 3 of them",
    ),
    (aws(aws={"region": "virginia"}), "aws.region is 'virginia': use a region, such as us-east-1 or eu-central-1"),
    (
        openstack(openstack={"zones": ["az-1", "az-2"]}),
        "openstack.zones is ['az-1', 'az-2']: too few for 3 managers: losing one of 2 zones can lose the majority; use 3 zones, or 1 where that risk is taken",
    ),
    (
        openstack(openstack={"zones": []}),
        "openstack.zones is []: managers have to be in a zone; name at least one",
    ),
]

NETWORKS: list[Case] = [
    (
        aws(network={"machines": "10.60.0.0/24"}),
        "network.machines is '10.60.0.0/24': too small for subnets in 8 zones; use 10.60.0.0/20 or a larger one",
    ),
    (
        aws(network={"machines": "10.60.0.0/20"}, workers={"count": 300}),
        "network.machines is '10.60.0.0/20': no room for worker-300, which has the host number 350, in the private subnet of zone us-east-1c, which is 10.60.2.0/24; use 10.60.0.0/19 or fewer nodes",
    ),
    (
        aws(network={"machines": "10.60.0.0/20"}, workers={"count": 700}, ssh={**SSH, "access": "direct"}),
        "network.machines is '10.60.0.0/20': no room for worker-700, which has the host number 750, in the public subnet of zone us-east-1a, which is 10.60.8.0/24; use 10.60.0.0/18 or fewer nodes",
    ),
    (
        aws(network={"machines": "10.60.0.0/14"}),
        "network.machines is '10.60.0.0/14': a VPC is a /16 at most; use 10.60.0.0/16",
    ),
    (
        aws(network={"machines": "10.60.0.0/28"}),
        "network.machines is '10.60.0.0/28': too small for subnets in 8 zones; use 10.60.0.0/20 or a larger one",
    ),
    (
        openstack(network={"machines": "10.60.0.0/24"}, workers={"count": 300}),
        "network.machines is '10.60.0.0/24': no room for worker-300, which has the host number 350: the addresses from 10.60.0.224 on are for OpenStack's own ports; use 10.60.0.0/23 or fewer nodes",
    ),
    (
        openstack(network={"machines": "10.60.0.0/26"}, workers={"count": 6}),
        "network.machines is '10.60.0.0/26': no room for worker-6, which has the host number 56: the addresses from 10.60.0.56 on are for OpenStack's own ports; use 10.60.0.0/25 or fewer nodes",
    ),
    (
        aws(network={"machines": "10.128.0.0/16"}),
        "network.overlays is '10.128.0.0/12': overlaps network.machines (10.128.0.0/16); move one of them, for instance network.overlays to 10.64.0.0/12",
    ),
    (
        aws(network={"reserved": {"office": "10.60.4.0/24"}}),
        "network.reserved.office is '10.60.4.0/24': overlaps network.machines (10.60.0.0/16); move one of them, for instance network.reserved.office to 10.64.0.0/24",
    ),
    (
        aws(aws={"subnets": "private"}, ssh={**SSH, "access": "direct"}),
        "aws.subnets is 'private': ssh.access is direct, and machines in private subnets have no public address; use ssh.access bastion or session, or aws.subnets public",
    ),
    (
        aws(aws={"nat": "one"}, ssh={**SSH, "access": "direct"}),
        "aws.nat is 'one': machines in public subnets reach the internet by themselves; leave it out, or use aws.subnets private",
    ),
    (
        aws(aws={"nat": "none"}),
        "aws.nat is 'none': private machines without NAT reach no package archive to install Docker from; use one or per_zone, or an image with Docker in it (aws.image.engine: included)",
    ),
    (
        aws(aws={"nat": "none", "image": {"engine": "included"}}, ssh={"access": "session"}),
        "aws.nat is 'none': without NAT, machines do not reach AWS Systems Manager, which ssh.access session goes through; use one or per_zone, or ssh.access bastion",
    ),
    (
        aws(aws={"nat": "none", "image": {"engine": "included"}}, workers={"pool": True}),
        "aws.nat is 'none': without NAT, machines of a pool reach neither their join token nor the autoscaling API; use one or per_zone, or workers.pool: false",
    ),
    (aws(aws={"nat": "two"}), "aws.nat is 'two': use 'none', 'one' or 'per_zone'"),
    (
        openstack(network={"publish_mode": "ingress"}),
        "network.publish_mode is 'ingress': Docker makes the ingress network for 1500 bytes; OpenStack's often carry less; use host, or say network.mtu: 1500 where the network carries that",
    ),
    (openstack(network={"mtu": 1000}), "network.mtu is 1000: use at least 1280"),
]

WAYS_IN: list[Case] = [
    (
        aws(ssh={"access": "bastion", "admin_networks": ["0.0.0.0/0"]}),
        "ssh.admin_networks.0 is '0.0.0.0/0': that is the whole internet, or half of it; name your networks, or write anywhere, if meant",
    ),
    (
        openstack(ssh={"access": "bastion", "admin_networks": ["128.0.0.0/1"]}),
        "ssh.admin_networks.0 is '128.0.0.0/1': that is the whole internet, or half of it; name your networks, or write anywhere, if meant",
    ),
    (
        aws(ssh={"access": "bastion"}),
        "ssh.admin_networks is []: nobody could reach the machines, this program neither; name the networks that you come from, such as 203.0.113.0/24",
    ),
    (
        openstack(ssh={}),
        "ssh.admin_networks is []: nobody could reach the machines, this program neither; name the networks that you come from, such as 203.0.113.0/24",
    ),
    (
        aws(ssh={"access": "bastion", "admin_networks": ["203.0.113.7/24"]}),
        "ssh.admin_networks.0 is '203.0.113.7/24': not a network's own address; use 203.0.113.0/24",
    ),
    (
        aws(ssh={"access": "session", "admin_networks": ["203.0.113.0/24"]}),
        "ssh.admin_networks is ['203.0.113.0/24']: with ssh.access session no port of a machine is open to them; leave it out",
    ),
    (
        openstack(ssh={"access": "session"}),
        "ssh.access is 'session': only AWS has it; use direct or bastion on openstack",
    ),
    (
        aws(ssh={"access": "bastion", "admin_networks": offices(61)}),
        "ssh.admin_networks is '61 networks': the security group bastion would have 61 inbound rules, and AWS takes 60; name at most 60, or larger ones",
    ),
    (
        aws(ssh={"access": "direct", "admin_networks": offices(56)}),
        "ssh.admin_networks is '56 networks': the security group nodes would have 61 inbound rules, and AWS takes 60; name at most 55, or larger ones",
    ),
    (
        aws(ssh={"access": "bastion", "admin_networks": offices(60)}, storage={"flocker_control": True}),
        "ssh.admin_networks is '60 networks': the security group manager would have 62 inbound rules, and AWS takes 60; name at most 58, or larger ones",
    ),
    (aws(ssh={"access": "telnet"}), "ssh.access is 'telnet': use 'direct', 'bastion' or 'session'"),
]

MACHINES: list[Case] = [
    (
        aws(workers={"type": "t3.mediumm"}),
        "workers.type is 't3.mediumm': no type that is known here; use t3.medium, or say its workers.cpus and workers.memory too",
    ),
    (
        aws(managers={"type": "z99.large"}),
        "managers.type is 'z99.large': no type that is known here; say its managers.cpus and managers.memory too",
    ),
    (
        openstack(workers={"type": "c4.huge"}),
        "workers.type is 'c4.huge': no type that is known here; say its workers.cpus and workers.memory too",
    ),
    (
        openstack(workers={"type": "two words"}),
        "workers.type is 'two words': use the name of a type, such as t3.medium or m1.small",
    ),
    (aws(workers={"type": "t3.large", "cpus": 8}), "workers.cpus is 8.0: t3.large has 2; leave it out"),
    (
        aws(workers={"type": "t4g.medium"}),
        "workers.type is 't4g.medium': it is arm64, and the machine image (aws.image) is amd64; use a type of amd64, or an image of arm64",
    ),
    (
        aws(aws={"image": {"architecture": "arm64"}}),
        "managers.type is 't3.medium': it is amd64, and the machine image (aws.image) is arm64; use a type of arm64, or an image of amd64",
    ),
    (
        aws(aws={"bastion_type": "t4g.micro"}),
        "aws.bastion_type is 't4g.micro': it is arm64, and the machine image (aws.image) is amd64; use a type of amd64, or an image of arm64",
    ),
    (
        aws(managers={"type": "t2.nano", "memory": "256m"}),
        "managers.memory is '256m': t2.nano has 512m; leave it out",
    ),
    (aws(aws={"image": {"ami": "ami-xyz"}}), "aws.image.ami is 'ami-xyz': use ami- and 8 or 17 hexadecimal digits"),
    (
        aws(aws={"image": {"parameter": "debian"}}),
        "aws.image.parameter is 'debian': use the full name of a parameter, which begins with /",
    ),
    (
        aws(aws={"image": {"parameter": "/aws/service/debian/release/12/latest/arm64"}}),
        "aws.image.parameter is '/aws/service/debian/release/12/latest/arm64': by its name it is of arm64, and aws.image.architecture is amd64; use a parameter of amd64, or aws.image.architecture arm64",
    ),
    (
        aws(aws={"image": {"architecture": "arm64", "parameter": "/golden/amd64/current"}}),
        "aws.image.parameter is '/golden/amd64/current': by its name it is of amd64, and aws.image.architecture is arm64; use a parameter of arm64, or aws.image.architecture amd64",
    ),
    (
        aws(
            aws={
                "image": {
                    "architecture": "arm64",
                    "parameter": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
                }
            }
        ),
        "aws.image.parameter is '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64': by its name it is of amd64, and aws.image.architecture is arm64; use a parameter of arm64, or aws.image.architecture amd64",
    ),
    (aws(aws={"image": {"user": "Root User"}}), "aws.image.user is 'Root User': use the name of a user, such as admin"),
    (
        aws(workers={"disk": "4g"}),
        "workers.disk is '4g': too small for an operating system and images; use 8g or more",
    ),
    (aws(workers={"disk": "65537g"}), "workers.disk is '65537g': a root disk is gp3, of 65536 GiB at most; use 65536g"),
    (
        openstack(openstack={"boot_volume": {"size": "1g"}}),
        "openstack.boot_volume.size is '1g': too small for an operating system and images; use 8g or more",
    ),
    (
        openstack(openstack={"boot_volume": {"size": "20.5g"}}),
        "openstack.boot_volume.size is '20.5g': not in whole GiB; use 21g",
    ),
    (aws(managers={"disk": "20.5g"}), "managers.disk is '20.5g': not in whole GiB; use 21g"),
    (
        openstack(workers={"disk": "40g"}),
        "workers.disk is '40g': the flavour brings the root disk; leave it out, or use openstack.boot_volume",
    ),
    (
        {"workers": {"type": "t3.large"}},
        "workers.type is 't3.large': machines of cloud local have no type; say workers.cpus and workers.memory",
    ),
]

POOLS: list[Case] = [
    (
        openstack(workers={"pool": True}),
        "workers.pool is True: cloud openstack has no machines that join by themselves; leave it out, or use cloud aws",
    ),
    (
        {"workers": {"pool": True}},
        "workers.pool is True: cloud local has no machines that join by themselves; leave it out, or use cloud aws",
    ),
    (
        aws(workers={"count": 1001}),
        "workers.count is 1001: more than 1000 machines that are one resource each; use at most 1000, or workers.pool: true",
    ),
    (
        openstack(workers={"count": 1001}),
        "workers.count is 1001: more than 1000 machines that are one resource each; use at most 1000, or several stacks",
    ),
    (aws(workers={"count": 10_001, "pool": True}), "workers.count is 10001: use at most 10000"),
    (
        aws(workers={"count": 10, "pool": True}, aws={"pool": {"maximum": 5}}),
        "aws.pool.maximum is 5: less than workers.count, which is 10; use 10 or more",
    ),
    (
        aws(workers={"count": 10, "pool": True}),
        "services.wordpress.database_node is 'worker-1': the stack has no such active node; use one of manager-1, manager-2, manager-3",
    ),
    (
        aws(workers={"count": 400, "pool": True}, services={"wordpress": None}, aws={"pool": {"maximum": 501}}),
        "aws.pool.maximum is 501: a network load balancer takes 500 targets, and a machine is one for each of 1 published ports; use at most 500, or load_balancer.kind haproxy, which leads to the managers",
    ),
    (
        aws(workers={"count": 574, "pool": True}, services=NONE, network={"machines": "10.60.0.0/20"}),
        "workers.count is 574: the subnets of 3 zones in 10.60.0.0/20 have 573 addresses for machines of a pool; use at most 573, or network.machines 10.60.0.0/19",
    ),
    (
        aws(
            workers={"count": 100, "pool": True},
            services=NONE,
            network={"machines": "10.60.0.0/20"},
            aws={"pool": {"maximum": 571}},
            ssh={**SSH, "access": "direct"},
        ),
        "aws.pool.maximum is 571: the subnets of 3 zones in 10.60.0.0/20 have 570 addresses for machines of a pool; use at most 570, or network.machines 10.60.0.0/19",
    ),
    (
        aws(workers={"count": 4032, "pool": True}, services=NONE, aws={"zones": ["us-east-1a"]}),
        "workers.count is 4032: the subnets of 1 zones in 10.60.0.0/16 have 4031 addresses for machines of a pool; use at most 4031, or 3 zones",
    ),
    (
        aws(workers={"count": 100, "pool": True}, services={"wordpress": None}, aws={"pool": {"maximum": 150}}),
        "network.overlay_prefix is 24: the overlay of service web has 253 usable addresses, but 157 tasks, 1 virtual addresses and 153 nodes need 311; use 23 or fewer tasks",
    ),
    (aws(aws={"pool": {"drain_seconds": 5}}), "aws.pool.drain_seconds is 5: use at least 60"),
]

VOLUMES: list[Case] = [
    (volume(profile="platinum"), "volumes.data.profile is 'platinum': use 'gold', 'silver' or 'bronze'"),
    (
        volume(profile="gold", size="3g"),
        "volumes.data.size is '3 GiB': io1 takes (profile gold is io1) 4 to 16384 GiB; use 4 GiB",
    ),
    (
        volume(profile="bronze", size="1025g"),
        "volumes.data.size is '1025 GiB': standard takes (profile bronze is standard) 1 to 1024 GiB; use 1024 GiB",
    ),
    (
        volume(profile="silver", size="20000g"),
        "volumes.data.size is '20000 GiB': gp2 takes (profile silver is gp2) 1 to 16384 GiB; use 16384 GiB",
    ),
    (volume(size="512m"), "volumes.data.size is '512m': not in whole GiB; use 1g"),
    (volume(size="0g"), "volumes.data.size is '0g': not in whole GiB; use 1g"),
    (
        volume(zone="us-east-1b"),
        "volumes.data.zone is 'us-east-1b': its node worker-1 is in us-east-1a, and a volume stays in its zone; use us-east-1a, or a node in us-east-1b",
    ),
    (
        volume(node="worker-9"),
        "volumes.data.node is 'worker-9': the stack has no such machine; use one of manager-1, manager-2, manager-3, worker-1, worker-2",
    ),
    (volume(node="database"), "volumes.data.node is 'database': use a node's name, such as manager-1 or worker-2"),
    (
        ebs("100g", type="gp9"),
        "volumes.data.ebs.type is 'gp9': use 'gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1' or 'standard'",
    ),
    (
        ebs("100g", type="gp2", iops=300),
        "volumes.data.ebs.iops is 300: gp2 takes no such setting; leave it out, or use another type",
    ),
    (ebs("100g", type="gp3", iops=2999), "volumes.data.ebs.iops is '2999': gp3 takes 3000 to 80000; use 3000"),
    (
        ebs("100g", type="io1"),
        "volumes.data.ebs.iops is None: io1 has none of its own; give one, at most 5000 for 100 GiB",
    ),
    (
        ebs("100g", type="io1", iops=5001),
        "volumes.data.ebs.iops is 5001: io1 gives at most 50 for each GiB; use at most 5000 for 100 GiB, or a larger volume",
    ),
    (ebs("124g", type="st1"), "volumes.data.size is '124 GiB': st1 takes 125 to 16384 GiB; use 125 GiB"),
    (
        ebs("100g", type="gp3", throughput=800),
        "volumes.data.ebs.throughput is 800: each MiB/s needs 4 IOPS, and the volume has 3000; use at most 750, or more IOPS",
    ),
    (
        openstack(volumes={"data": {"node": "worker-1", "ebs": {"type": "gp3"}}}),
        "volumes.data.ebs is 'gp3': a type of AWS, and the cloud is openstack; use a profile, which every cloud has",
    ),
    (
        aws(volumes={"wordpress-database": {"node": "worker-1"}}),
        "volumes.wordpress-database is {'node': 'worker-1'}: WordPress has a volume of this name; use services.wordpress.database_node, database_size and database_profile, or another name",
    ),
    (
        aws(volumes={"Data Volume": {"node": "worker-1"}}),
        "volumes.Data Volume is 'Data Volume': use up to 32 small letters, digits and - between them, such as spark",
    ),
    (aws(storage={"profiles": "new"}), "storage.profiles is 'new': use 'legacy' or 'modern'"),
    (
        openstack(openstack={"volume_types": {"platinum": "ssd"}}),
        "openstack.volume_types.platinum is 'platinum': use 'gold', 'silver' or 'bronze'",
    ),
]

SERVICES: list[Case] = [
    (
        {"cloud": "aws", "ssh": SSH},
        "registry.address is None: the nodes have no registry to pull nginx from, which services.web runs; name a registry that holds the built images, or images.nginx by digest, or leave services.web out (null)",
    ),
    (
        {"cloud": "openstack", "ssh": SSH, "services": {"web": None}},
        "registry.address is None: the nodes have no registry to pull mariadb from, which services.wordpress runs; name a registry that holds the built images, or images.mariadb by digest, or leave services.wordpress out (null)",
    ),
    (
        aws(registry={"address": "https://registry.example.com"}),
        "registry.address is 'https://registry.example.com': use host or host:port, without https:// before it",
    ),
    (
        aws(storage={"flocker_control": True}, services={"web": {"port": 4523}}),
        "services.web.port is 4523/tcp: nodes use it for Flocker; publish another port, such as 8080",
    ),
    (
        aws(load_balancer={"kind": "haproxy", "statistics_port": 8080}),
        "load_balancer.statistics_port is 8080: service web has this port on that machine; use another port",
    ),
    (
        aws(load_balancer={"kind": "haproxy", "statistics_port": 8405}),
        "load_balancer.statistics_port is 8405: HAProxy's own health port has this port on that machine; use another port",
    ),
    (aws(load_balancer={"kind": "traefik"}), "load_balancer.kind is 'traefik': use 'haproxy', 'managed' or 'none'"),
    (
        {"load_balancer": {"kind": "managed"}},
        "load_balancer.kind is 'managed': cloud local has HAProxy alone; leave it out",
    ),
]

CASES = ZONES + NETWORKS + WAYS_IN + MACHINES + POOLS + VOLUMES + SERVICES


@pytest.mark.parametrize(("settings", "message"), CASES, ids=[message[:70] for _, message in CASES])
def test_a_bad_setting_of_a_cloud_is_refused_with_one_line_that_names_field_value_and_fix(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        make_plan("production", parse_settings(settings))
    assert str(refusal.value) == message
    assert "\n" not in message


def test_there_are_at_least_fifty_cases_and_each_says_something_else() -> None:
    assert len(CASES) >= 50
    assert len({message for _, message in CASES}) >= len(CASES) - 1


@pytest.mark.parametrize(("access", "most"), [("bastion", 60), ("direct", 55)])
def test_as_many_networks_of_administrators_as_aws_has_rules_for_are_taken(access: str, most: int) -> None:
    plan = make_plan("production", parse_settings(aws(ssh={"access": access, "admin_networks": offices(most)})))
    assert plan.rented is not None
    assert len(plan.rented.admin_networks) == most


def test_anywhere_is_taken_when_it_is_said_in_this_word() -> None:
    plan = make_plan("production", parse_settings(aws(ssh={"access": "bastion", "admin_networks": ["anywhere"]})))
    assert plan.rented is not None
    assert plan.rented.admin_networks == ("0.0.0.0/0",)


@pytest.mark.parametrize("make", [aws, openstack])
def test_a_stack_of_defaults_is_a_plan_without_a_warning_but_for_its_zones(make: Any) -> None:
    plan = make_plan("production", parse_settings(make()))
    assert plan.rented is not None
    assert [spec.name for spec in plan.specs] == ["manager-1", "manager-2", "manager-3", "worker-1", "worker-2"]
    assert len(plan.warnings) == (0 if len(plan.rented.zones) == 3 else 1)


def test_one_zone_is_taken_with_a_warning_that_losing_it_loses_the_majority() -> None:
    (warning,) = make_plan("lab", parse_settings(aws(aws={"zones": ["us-east-1a"]}))).warnings
    assert warning.startswith("zone us-east-1a holds 3 of 3 managers: losing it loses the majority of 2")


def test_managers_and_workers_are_spread_over_the_zones_and_a_new_worker_moves_none() -> None:
    fewer = make_plan("production", parse_settings(aws(workers={"count": 4}))).specs
    more = make_plan("production", parse_settings(aws(workers={"count": 5}))).specs
    assert [spec.zone[-1] for spec in more] == ["a", "b", "c", "a", "b", "c", "a", "b"]
    assert more[: len(fewer)] == fewer
