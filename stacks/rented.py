"""The part of the plan that only clouds have that rent machines: zones, types, subnets, the ways in and out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from components.clouds.cloud import BalancerKind, MachineKind
from components.naming import MANAGER, WORKER, Role, node_names
from components.plan.addresses import (
    BASTION,
    LOAD_BALANCER,
    AddressPlan,
    ZoneSubnets,
    address_in,
    check_apart_from_own,
    host_number,
    larger_vpcs,
    pool_room,
    zone_subnets,
)
from components.plan.errors import PlanError
from components.plan.machine_types import (
    EC2_TYPES,
    NOVA_FLAVORS,
    MachineType,
    check_architecture,
    check_image_name,
    machine_type,
)
from components.plan.ports import Access, Rule, groups_of, sources_of
from components.plan.quorum import spread_managers, zone_warnings
from components.plan.sizes import GIB, format_size, parse_size
from components.storage.profiles import EBS_LIMITS, EbsVolume, check_ebs_volume, ebs_volume
from stacks.section import ANYWHERE
from stacks.settings import MachineGroup, Settings, VolumeSettings

Subnets = Literal["private", "public"]
Nat = Literal["none", "one", "per_zone"]

MOST_EXPLICIT_WORKERS = 1_000
_EVERYWHERE = "0.0.0.0/0"
_MOST_ZONES = 3
_SMALLEST_ROOT_DISK_GIB = 8
_ROOT_DISK_GIB = 20
_NLB_TARGETS = 500
_GROUP_RULES = 60
_DEFAULT_TYPES: Mapping[str, Mapping[MachineKind, str]] = {
    "aws": {"manager": "t3.medium", "worker": "t3.medium", "balancer": "t3.small"},
    "openstack": {"manager": "m1.medium", "worker": "m1.medium", "balancer": "m1.small"},
}


@dataclass(frozen=True, kw_only=True)
class RentedPlan:
    """`zones` are all that machines are in, `zone_of` those of each node; `zone_subnets` are AWS's. `addresses` has the
    fixed private address of every machine; `root_disk_gib` and `types` are by kind of machine; `boot_volume_gib` is the
    size of each machine's root disk in Cinder, None where flavours bring it."""

    zones: tuple[str, ...]
    zone_of: Mapping[str, str]
    zone_subnets: Mapping[str, ZoneSubnets]
    addresses: Mapping[str, str]
    types: Mapping[MachineKind, MachineType]
    root_disk_gib: Mapping[MachineKind, int]
    boot_volume_gib: int | None
    access: Access
    admin_networks: tuple[str, ...]
    balancer: BalancerKind
    subnets: Subnets
    nat: Nat
    warnings: tuple[str, ...]


def plan_rented(settings: Settings, addresses: AddressPlan) -> RentedPlan:
    """The plan for AWS or OpenStack; PlanError for what cannot work."""
    _check_pool(settings)
    zones = _zones(settings)
    managers = spread_managers(settings.managers.count, zones, field=f"{settings.cloud}.zones")
    workers = node_names(WORKER, 0 if settings.workers.pool else settings.workers.count)
    zone_of = {**managers, **{name: zones[index % len(zones)] for index, name in enumerate(workers)}}
    subnets, nat = _ways_out(settings)
    by_zone = zone_subnets(addresses.machine_network, zones) if settings.cloud == "aws" else {}
    if settings.workers.pool:
        _check_pool_room(settings, addresses.machine_network, len(zones), subnets)
    return RentedPlan(
        zones=zones,
        zone_of=zone_of,
        zone_subnets=by_zone,
        addresses=_addresses(addresses, zone_of, by_zone, subnets),
        types=_types(settings),
        root_disk_gib={
            "manager": _root_disk(settings, settings.managers, "managers"),
            "worker": _root_disk(settings, settings.workers, "workers"),
            "bastion": _SMALLEST_ROOT_DISK_GIB,
            "balancer": _SMALLEST_ROOT_DISK_GIB,
        },
        boot_volume_gib=_boot_volume(settings),
        access=settings.ssh.access,
        admin_networks=_admin_networks(settings),
        balancer=settings.load_balancer.kind or "managed",
        subnets=subnets,
        nat=nat,
        warnings=_zone_warnings(managers),
    )


def _zone_warnings(managers: Mapping[str, str]) -> tuple[str, ...]:
    return zone_warnings(managers) if len(managers) > 1 else ()


def _check_pool(settings: Settings) -> None:
    workers, cloud = settings.workers, settings.cloud
    if workers.pool and cloud != "aws":
        raise PlanError(
            field="workers.pool",
            value=True,
            problem=f"cloud {cloud} has no machines that join by themselves",
            fix="leave it out, or use cloud aws",
        )
    if not workers.pool and workers.count > MOST_EXPLICIT_WORKERS:
        fix = "or workers.pool: true" if cloud == "aws" else "or several stacks"
        raise PlanError(
            field="workers.count",
            value=workers.count,
            problem=f"more than {MOST_EXPLICIT_WORKERS} machines that are one resource each",
            fix=f"use at most {MOST_EXPLICIT_WORKERS}, {fix}",
        )
    maximum = settings.aws.pool.maximum
    if workers.pool and maximum is not None and maximum < workers.count:
        raise PlanError(
            field="aws.pool.maximum",
            value=maximum,
            problem=f"less than workers.count, which is {workers.count}",
            fix=f"use {workers.count} or more",
        )


def _pool_maximum(settings: Settings) -> tuple[str, int]:
    """The most machines of the pool, and the setting that says so."""
    maximum = settings.aws.pool.maximum
    return ("workers.count", settings.workers.count) if maximum is None else ("aws.pool.maximum", maximum)


def _check_pool_room(settings: Settings, network: IPv4Network, zones: int, subnets: Subnets) -> None:
    """PlanError for a pool that could not grow to its maximum, because the subnets run out of addresses."""
    field, maximum = _pool_maximum(settings)
    # The load balancer has an address in each public subnet.
    taken = 1 if subnets == "public" else 0
    room = pool_room(network, zones, taken=taken)
    if maximum > room:
        enough = (larger for larger in larger_vpcs(network) if pool_room(larger, zones, taken=taken) >= maximum)
        more = next((f"network.machines {larger}" for larger in enough), f"{_MOST_ZONES} zones")
        raise PlanError(
            field=field,
            value=maximum,
            problem=f"the subnets of {zones} zones in {network} have {room} addresses for machines of a pool",
            fix=f"use at most {room}, or {more}",
        )


def check_pool_targets(settings: Settings, published: int) -> None:
    """PlanError for a pool that is larger than the targets of one network load balancer, each machine being one for
    each published port (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html)."""
    if not settings.workers.pool or settings.load_balancer.kind not in (None, "managed") or not published:
        return
    field, maximum = _pool_maximum(settings)
    if maximum * published > _NLB_TARGETS:
        raise PlanError(
            field=field,
            value=maximum,
            problem=f"a network load balancer takes {_NLB_TARGETS} targets, and a machine is one for each of "
            f"{published} published ports",
            fix=f"use at most {_NLB_TARGETS // published}, or load_balancer.kind haproxy, which leads to the managers",
        )


def _zones(settings: Settings) -> tuple[str, ...]:
    if settings.cloud == "aws":
        zones = settings.aws.zones or [f"{settings.aws.region}{letter}" for letter in "abc"]
        for zone in zones:
            if zone[:-1] != settings.aws.region or zone[-1] not in "abcdefgh":
                raise PlanError(
                    field="aws.zones",
                    value=zone,
                    problem=f"no zone of region {settings.aws.region}",
                    fix=f"use zones such as {settings.aws.region}a",
                )
    else:
        zones = settings.openstack.zones
    field = f"{settings.cloud}.zones"
    if len(set(zones)) != len(zones):
        raise PlanError(field=field, value=zones, problem="a zone is there twice", fix="name each once")
    if len(zones) > _MOST_ZONES:
        raise PlanError(field=field, value=zones, problem=f"more than {_MOST_ZONES} zones", fix="name 1 or 3 of them")
    if len(zones) == 2 and settings.managers.count > 1:
        raise PlanError(
            field=field,
            value=zones,
            problem=f"too few for {settings.managers.count} managers: losing one of 2 zones can lose the majority",
            fix="use 3 zones, or 1 where that risk is taken",
        )
    return tuple(sorted(zones))


def _ways_out(settings: Settings) -> tuple[Subnets, Nat]:
    """Where machines are and how they reach the internet. OpenStack's router is always the way out."""
    access, aws = settings.ssh.access, settings.aws
    if settings.cloud == "openstack":
        if access == "session":
            raise PlanError(
                field="ssh.access", value=access, problem="only AWS has it", fix="use direct or bastion on openstack"
            )
        return "private", "none"
    subnets = aws.subnets or ("public" if access == "direct" else "private")
    if access == "direct" and subnets == "private":
        raise PlanError(
            field="aws.subnets",
            value=subnets,
            problem="ssh.access is direct, and machines in private subnets have no public address",
            fix="use ssh.access bastion or session, or aws.subnets public",
        )
    if subnets == "public":
        if aws.nat not in (None, "none"):
            raise PlanError(
                field="aws.nat",
                value=aws.nat,
                problem="machines in public subnets reach the internet by themselves",
                fix="leave it out, or use aws.subnets private",
            )
        return subnets, "none"
    nat = aws.nat or "one"
    if nat == "none" and aws.image.engine == "install":
        raise PlanError(
            field="aws.nat",
            value=nat,
            problem="private machines without NAT reach no package archive to install Docker from",
            fix="use one or per_zone, or an image with Docker in it (aws.image.engine: included)",
        )
    if nat == "none" and settings.workers.pool:
        raise PlanError(
            field="aws.nat",
            value=nat,
            problem="without NAT, machines of a pool reach neither their join token nor the autoscaling API",
            fix="use one or per_zone, or workers.pool: false",
        )
    if nat == "none" and access == "session":
        raise PlanError(
            field="aws.nat",
            value=nat,
            problem="without NAT, machines do not reach AWS Systems Manager, which ssh.access session goes through",
            fix="use one or per_zone, or ssh.access bastion",
        )
    return subnets, nat


def _addresses(
    addresses: AddressPlan, zone_of: Mapping[str, str], by_zone: Mapping[str, ZoneSubnets], subnets: Subnets
) -> dict[str, str]:
    """On AWS in the node's zone, elsewhere in the one network. Machines beside the swarm are in the first zone."""
    if not by_zone:
        check_apart_from_own(addresses.machine_network, tuple(zone_of))
        nodes = {name: addresses.node_address(name) for name in zone_of}
        beside = addresses.machine_network
    else:
        # The highest number first, so that the network that a refusal names is large enough for all.
        numbers = sorted(zone_of, key=host_number, reverse=True)
        found = {name: by_zone[zone_of[name]].node_address(name, public=subnets == "public") for name in numbers}
        nodes = {name: found[name] for name in zone_of}
        beside = by_zone[min(by_zone)].public
    return {**nodes, **dict(_beside(beside))}


def _beside(network: IPv4Network) -> Iterator[tuple[str, str]]:
    for name, number in (("load-balancer", LOAD_BALANCER), ("bastion", BASTION)):
        yield name, address_in(network, number, field=name, network_field="network.machines")


def _types(settings: Settings) -> dict[MachineKind, MachineType]:
    image = settings.aws.image
    if settings.cloud == "aws" and image.parameter is not None:
        check_image_name(image.parameter, image.architecture, field="aws.image.parameter")
    known = EC2_TYPES if settings.cloud == "aws" else NOVA_FLAVORS
    groups: tuple[tuple[Role, MachineGroup], ...] = ((MANAGER, settings.managers), (WORKER, settings.workers))
    types: dict[MachineKind, MachineType] = {}
    for role, group in groups:
        field = f"{role}s"
        types[role] = machine_type(
            group.type or _DEFAULT_TYPES[settings.cloud][role],
            known,
            field=field,
            cpus=group.cpus,
            memory_bytes=parse_size(group.memory, field=f"{field}.memory") if group.memory else None,
        )
        if settings.cloud == "aws":
            check_architecture(types[role], settings.aws.image.architecture, field=f"{field}.type")
    for kind, name in _types_beside(settings).items():
        # What they hold is not planned for: any name will do.
        types[kind] = known.get(name, MachineType(name=name, cpus=1, memory_bytes=GIB))
        if settings.cloud == "aws":
            check_architecture(types[kind], settings.aws.image.architecture, field=_TYPE_FIELDS[kind])
    return types


_TYPE_FIELDS: Mapping[MachineKind, str] = {"bastion": "aws.bastion_type", "balancer": "load_balancer.type"}


def _types_beside(settings: Settings) -> dict[MachineKind, str]:
    """Only of machines that there will be."""
    aws = settings.cloud == "aws"
    types: dict[MachineKind, str] = {}
    if settings.ssh.access == "bastion":
        types["bastion"] = settings.aws.bastion_type if aws else settings.openstack.bastion_flavor
    if settings.load_balancer.kind == "haproxy":
        types["balancer"] = settings.load_balancer.type or _DEFAULT_TYPES[settings.cloud]["balancer"]
    return types


def _root_disk(settings: Settings, group: MachineGroup, field: str) -> int:
    if group.disk is None:
        return _ROOT_DISK_GIB
    if settings.cloud == "openstack":
        raise PlanError(
            field=f"{field}.disk",
            value=group.disk,
            problem="the flavour brings the root disk",
            fix="leave it out, or use openstack.boot_volume",
        )
    size = _system_disk(group.disk, field=f"{field}.disk")
    _, largest = EBS_LIMITS["gp3"].size
    if size > largest:
        raise PlanError(
            field=f"{field}.disk",
            value=group.disk,
            problem=f"a root disk is gp3, of {largest} GiB at most",
            fix=f"use {largest}g",
        )
    return size


def _boot_volume(settings: Settings) -> int | None:
    boot = settings.openstack.boot_volume
    if settings.cloud != "openstack" or boot is None:
        return None
    return _system_disk(boot.size, field="openstack.boot_volume.size")


def _system_disk(text: str, *, field: str) -> int:
    """GiB of a root disk; PlanError for one that the image and what Docker pulls do not fit on."""
    size = whole_gib(text, field=field)
    if size < _SMALLEST_ROOT_DISK_GIB:
        raise PlanError(
            field=field,
            value=text,
            problem="too small for an operating system and images",
            fix=f"use {_SMALLEST_ROOT_DISK_GIB}g or more",
        )
    return size


def whole_gib(text: str, *, field: str) -> int:
    """GiB of `75g`; PlanError for a part of one, which clouds do not sell."""
    size = parse_size(text, field=field)
    if size % GIB or not size:
        up = format_size((size // GIB + 1) * GIB)
        raise PlanError(field=field, value=text, problem="not in whole GiB", fix=f"use {up}")
    return size // GIB


def _admin_networks(settings: Settings) -> tuple[str, ...]:
    ssh = settings.ssh
    if ssh.access == "session":
        if ssh.admin_networks:
            raise PlanError(
                field="ssh.admin_networks",
                value=ssh.admin_networks,
                problem="with ssh.access session no port of a machine is open to them",
                fix="leave it out",
            )
        return ()
    if not ssh.admin_networks:
        raise PlanError(
            field="ssh.admin_networks",
            value=[],
            problem="nobody could reach the machines, this program neither",
            fix="name the networks that you come from, such as 203.0.113.0/24",
        )
    if ANYWHERE in ssh.admin_networks:
        return (_EVERYWHERE,)
    return tuple(sorted(set(ssh.admin_networks)))


def check_security_groups(rules: Sequence[Rule], admin_networks: Sequence[str], *, published_by: str) -> None:
    """PlanError for more inbound rules than a security group of AWS has by default
    (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html). `published_by` is the setting that most
    published ports are from."""
    for group in groups_of(rules):
        sources = [rule.source for rule in rules if rule.target == group for _ in sources_of(rule, admin_networks)]
        if len(sources) <= _GROUP_RULES:
            continue
        published = sum(source in ("public", "balancer") for source in sources)
        problem = f"the security group {group} would have {len(sources)} inbound rules, and AWS takes {_GROUP_RULES}"
        by_admin = sources.count("admin")
        room = _GROUP_RULES - len(sources) + by_admin
        if by_admin < published:
            raise PlanError(
                field=published_by,
                value=f"{published} published ports",
                problem=problem,
                fix=f"publish at most {published - len(sources) + _GROUP_RULES}",
            )
        raise PlanError(
            field="ssh.admin_networks",
            value=f"{len(admin_networks)} networks",
            problem=problem,
            fix=f"name at most {room // (by_admin // len(admin_networks))}, or larger ones",
        )


def block_volume(
    settings: Settings, volume: VolumeSettings, size: int, *, field: str, size_field: str
) -> EbsVolume | None:
    """The EBS volume of a declared volume, checked; None on a cloud that has other types."""
    if settings.cloud != "aws":
        if volume.ebs is not None:
            raise PlanError(
                field=f"{field}.ebs",
                value=volume.ebs.type,
                problem=f"a type of AWS, and the cloud is {settings.cloud}",
                fix="use a profile, which every cloud has",
            )
        return None
    if volume.ebs is None:
        return ebs_volume(volume.profile, size, settings.storage.profiles, field=size_field)
    own = EbsVolume(type=volume.ebs.type, size_gib=size, iops=volume.ebs.iops, throughput=volume.ebs.throughput)
    check_ebs_volume(own, field=f"{field}.ebs", size_field=size_field)
    return own
