"""Who has which addresses: networks of machines, bridges and overlays that never overlap (E7), and an address for every
node that stays its own. A cluster whose networks overlap starts well and loses packets later, so a plan that would do
that is refused."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from itertools import combinations

from components.naming import MANAGER, parse_node_name
from components.plan.errors import PlanError

GATEWAY = 1
LOAD_BALANCER = 4  # clouds keep the first four and the last address of a subnet to themselves
REGISTRY = 5
BASTION = 6
FIRST_MANAGER = 11
FIRST_WORKER = 51
"""Host numbers in the machines' network: gaps are room for what is to come without moving what is there."""

ZONES = 8
"""Zones that fit into a cloud's network, each with a public and a private subnet."""

_BRIDGE_PREFIX = 24
_LARGEST_ZONE_NETWORK = 16
"""AWS takes /16 to /28, for a VPC and for a subnet (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html)."""

_SMALLEST_ZONE_NETWORK = 20
_SUBNETS_BITS = int(math.log2(2 * ZONES))
_OWN_PARTS = 8
_OWN_PARTS_OF_NODES = _OWN_PARTS - 1
_OVERLAYS_AT_LEAST = 8
_NOT_FOR_NETWORKS = {
    "this host": IPv4Network("0.0.0.0/8"),
    "loopback": IPv4Network("127.0.0.0/8"),
    "link-local addresses and clouds' metadata": IPv4Network("169.254.0.0/16"),
    "multicast and reserved addresses": IPv4Network("224.0.0.0/3"),
}


@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The networks of a stack, all disjoint. Made by `plan_addresses`.

    `overlay_pool` has two halves: the swarm cuts networks without a subnet from the lower one, `overlay_subnets` (by
    the overlay's key) come from the upper one, so that neither has to know of the other. `reserved` are networks by
    name that machines also have to reach: a peering, a VPN, the office.
    """

    machine_network: IPv4Network
    bridge_pool: IPv4Network
    overlay_pool: IPv4Network
    overlay_prefix: int
    overlay_subnets: Mapping[str, IPv4Network] = field(default_factory=dict[str, IPv4Network])
    reserved: Mapping[str, IPv4Network] = field(default_factory=dict[str, IPv4Network])

    def __post_init__(self) -> None:
        _check_pools(self)
        _check_disjoint(self)

    @property
    def gateway(self) -> str:
        """The router of the machines' network."""
        return self.machine_address(GATEWAY, field="gateway")

    @property
    def load_balancer(self) -> str:
        """The load balancer outside of the swarm."""
        return self.machine_address(LOAD_BALANCER, field="load balancer")

    @property
    def registry(self) -> str:
        """The registry beside the machines."""
        return self.machine_address(REGISTRY, field="registry")

    def node_address(self, name: str) -> str:
        """The address of `manager-1` or `worker-2`, which depends on its name alone."""
        return self.machine_address(host_number(name), field=name)

    def machine_address(self, number: int, *, field: str) -> str:
        """The address with a host number in the machines' network."""
        return address_in(self.machine_network, number, field=field, network_field="network.machines")

    @property
    def bridge_address(self) -> str:
        """Docker's `bip`, the same in every machine: address and mask of docker0."""
        return f"{first_bridge(self.bridge_pool)}/{_BRIDGE_PREFIX}"

    @property
    def bridge_pools(self) -> tuple[tuple[str, int], ...]:
        """Docker's `default-address-pools`: (base, prefix length), apart from docker0's network."""
        _, upper = self.bridge_pool.subnets()
        return ((str(upper), _BRIDGE_PREFIX),)

    @property
    def swarm_pool(self) -> IPv4Network:
        """The swarm's default address pool."""
        lower, _ = self.overlay_pool.subnets()
        return lower

    @property
    def ingress(self) -> IPv4Network:
        """The network of the routing mesh: the first that a new swarm cuts from its pool."""
        return next(self.swarm_pool.subnets(new_prefix=self.overlay_prefix))

    def overlay_gateway(self, key: str) -> str:
        """The gateway of a named overlay; pulumi-docker wants it beside the subnet."""
        return str(self.overlay_subnets[key][1])


def first_bridge(pool: IPv4Network) -> IPv4Address:
    """The address that every machine has on docker0, as its containers see it."""
    return next(pool.subnets(new_prefix=_BRIDGE_PREFIX))[1]


def plan_addresses(
    *,
    machines: str = "10.60.0.0/24",
    overlays: str = "10.128.0.0/12",
    overlay_prefix: int = 24,
    bridges: str = "172.30.0.0/16",
    overlay_subnets: Mapping[str, str | None] | None = None,
    reserved: Mapping[str, str] | None = None,
) -> AddressPlan:
    """The plan from settings; PlanError names the setting that is wrong.

    `overlay_subnets` maps the key of each overlay with a fixed subnet to that subnet, or to None for the one that
    belongs to its key.
    """
    pool = parse_network(overlays, field="network.overlays")
    _check_overlay_prefix(pool, overlay_prefix)
    return AddressPlan(
        machine_network=parse_network(machines, field="network.machines"),
        bridge_pool=parse_network(bridges, field="network.bridges"),
        overlay_pool=pool,
        overlay_prefix=overlay_prefix,
        overlay_subnets=_overlay_subnets(pool, overlay_prefix, overlay_subnets or {}),
        reserved={
            name: parse_network(text, field=_reserved_field(name)) for name, text in sorted((reserved or {}).items())
        },
    )


def parse_network(text: str, *, field: str) -> IPv4Network:
    """An IPv4 network in CIDR form; PlanError when there are host bits or machines cannot use it."""
    try:
        network = IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise PlanError(
            field=field, value=text, problem="no IPv4 network", fix="write address and prefix, such as 10.60.0.0/24"
        ) from None
    if "/" not in text:
        raise PlanError(field=field, value=text, problem="no prefix length", fix=f"write one, such as {text}/24")
    if str(network) != text:
        raise PlanError(field=field, value=text, problem="not a network's own address", fix=f"use {network}")
    for use, special in _NOT_FOR_NETWORKS.items():
        if network.overlaps(special):
            raise PlanError(
                field=field, value=text, problem=f"overlaps {special}, kept for {use}", fix="use a part of 10.0.0.0/8"
            )
    return network


def host_number(node: str) -> int:
    """The number of a node in any subnet, from its name alone: adding a node never moves another."""
    role, number = parse_node_name(node)
    if role == MANAGER:
        if number > FIRST_WORKER - FIRST_MANAGER:
            raise PlanError(
                field="node",
                value=node,
                problem=f"managers have {FIRST_WORKER - FIRST_MANAGER} addresses",
                fix="use a smaller number",
            )
        return FIRST_MANAGER + number - 1
    return FIRST_WORKER + number - 1


def address_in(network: IPv4Network, number: int, *, field: str, network_field: str) -> str:
    """The address with a host number; PlanError, naming a network that is large enough, when there is none."""
    if number >= network.num_addresses - 1:
        # Two more than the number: the network's own address and the broadcast address.
        prefix = 32 - math.ceil(math.log2(number + 2))
        raise PlanError(
            field=network_field,
            value=str(network),
            problem=f"no room for {field}, which has the host number {number}",
            fix=f"use {_enlarged(network, prefix)} or fewer nodes",
        )
    return str(network[number])


def own_addresses(network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """First and last address that Neutron may give away by itself: the last eighth of the network, from the network
    alone, so that a further worker changes nothing."""
    return network[-(network.num_addresses // _OWN_PARTS)], network[-2]


def check_apart_from_own(network: IPv4Network, nodes: Sequence[str]) -> None:
    """PlanError when the node with the highest number would have an address that Neutron may give away by itself."""
    last = max(nodes, key=host_number)
    number = host_number(last)
    if number < _OWN_PARTS_OF_NODES * network.num_addresses // _OWN_PARTS:
        return
    prefix = 32 - math.ceil(math.log2((number + 1) * _OWN_PARTS / _OWN_PARTS_OF_NODES))
    raise PlanError(
        field="network.machines",
        value=str(network),
        problem=f"no room for {last}, which has the host number {number}: the addresses from "
        f"{own_addresses(network)[0]} on are for OpenStack's own ports",
        fix=f"use {_enlarged(network, prefix)} or fewer nodes",
    )


def check_nodes_fit(plan: AddressPlan, nodes: Sequence[str]) -> None:
    """PlanError for the first node that the machines' network has no address for."""
    for node in sorted(nodes, key=host_number, reverse=True):
        plan.node_address(node)


def _enlarged(network: IPv4Network, prefix: int) -> IPv4Network:
    return network.supernet(new_prefix=prefix)


def _check_pools(plan: AddressPlan) -> None:
    _check_overlay_prefix(plan.overlay_pool, plan.overlay_prefix)
    if plan.bridge_pool.prefixlen > _BRIDGE_PREFIX - 2:
        raise PlanError(
            field="network.bridges",
            value=str(plan.bridge_pool),
            problem=f"too small for bridges of /{_BRIDGE_PREFIX}",
            fix=f"use {_enlarged(plan.bridge_pool, _BRIDGE_PREFIX - 2)} or a larger one",
        )
    # Fails when not even the first manager has an address.
    plan.machine_address(FIRST_MANAGER, field="manager-1")


def _check_overlay_prefix(pool: IPv4Network, prefix: int) -> None:
    most = pool.prefixlen + int(math.log2(_OVERLAYS_AT_LEAST))
    if not most <= prefix <= 29:
        raise PlanError(
            field="network.overlay_prefix",
            value=prefix,
            problem=f"{pool} is not to be cut in networks of /{prefix}",
            fix=f"use {most} to 29" if most <= 29 else f"make network.overlays {_enlarged(pool, 16)}",
        )


def _named_networks(plan: AddressPlan) -> Iterator[tuple[str, IPv4Network]]:
    """All networks that must be disjoint. Overlays inside the upper half of the pool are apart from it by design."""
    yield "network.machines", plan.machine_network
    yield "network.bridges", plan.bridge_pool
    yield from ((_reserved_field(name), network) for name, network in plan.reserved.items())
    lower, upper = plan.overlay_pool.subnets()
    yield "network.overlays", plan.overlay_pool
    outside = {key: network for key, network in plan.overlay_subnets.items() if not network.subnet_of(upper)}
    for key, network in outside.items():
        if network.subnet_of(lower):
            raise PlanError(
                field=_overlay_field(key),
                value=str(network),
                problem=f"in {lower}, which the swarm cuts networks from by itself",
                fix=f"use a part of {upper}",
            )
        yield _overlay_field(key), network


def _check_disjoint(plan: AddressPlan) -> None:
    everything = list(_named_networks(plan))
    named = [(_overlay_field(key), network) for key, network in plan.overlay_subnets.items()]
    for pairs in (combinations(everything, 2), combinations(named, 2)):
        for (one, first), (other, second) in pairs:
            if first.overlaps(second):
                raise PlanError(
                    field=other,
                    value=str(second),
                    problem=f"overlaps {one} ({first})",
                    fix=f"move one of them, for instance {other} to {_free(second, plan, other)}",
                )


def _free(like: IPv4Network, plan: AddressPlan, name: str) -> str:
    """A network as large as this one that nothing else in the plan uses, to name in a message."""
    taken = [plan.machine_network, plan.bridge_pool, *plan.reserved.values(), *plan.overlay_subnets.values()]
    overlay = name.startswith("overlays.")
    if not overlay or like.prefixlen <= plan.overlay_pool.prefixlen:
        taken.append(plan.overlay_pool)
        spaces = [IPv4Network("10.64.0.0/10"), IPv4Network("10.0.0.0/8")]
    else:
        spaces = [list(plan.overlay_pool.subnets())[1]]
    for space in spaces:
        if space.prefixlen <= like.prefixlen:
            for candidate in space.subnets(new_prefix=like.prefixlen):
                if not any(candidate.overlaps(network) for network in taken):
                    return str(candidate)
    return "a private network of your own"


def _overlay_subnets(pool: IPv4Network, prefix: int, given: Mapping[str, str | None]) -> dict[str, IPv4Network]:
    """The subnet of each named overlay: the one given, else the one that its key hashes to.

    A hash alone, without probing for a free place: with probing, the place would depend on which other overlays there
    are, and adding one could move another, which replaces a network under running services. Two keys that meet are
    refused, and the message names a subnet to give to one of them.
    """
    return {
        key: overlay_slot(pool, prefix, key) if text is None else parse_network(text, field=_overlay_field(key))
        for key, text in sorted(given.items())
    }


def overlay_slot(pool: IPv4Network, prefix: int, key: str) -> IPv4Network:
    """The subnet in the upper half of the pool that belongs to a key."""
    _, upper = pool.subnets()
    slots = 2 ** (prefix - upper.prefixlen)
    slot = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % slots
    return IPv4Network((int(upper.network_address) + (slot << (32 - prefix)), prefix))


def _overlay_field(key: str) -> str:
    return f"overlays.{key}.subnet"


def _reserved_field(name: str) -> str:
    return f"network.reserved.{name}"


def usable_addresses(network: IPv4Network) -> int:
    """Addresses of an overlay for endpoints: all but its own, the broadcast address and the gateway."""
    return max(network.num_addresses - 3, 0)


def check_overlay_capacity(
    network: IPv4Network, *, tasks: int, virtual_addresses: int, nodes: int, overlay: str
) -> None:
    """PlanError when the endpoints of an overlay do not fit: tasks beyond would wait in state New without an error.

    `tasks` counts those that an update starts before it stops old ones too; each service in VIP mode has a virtual
    address, and each node with a task on the overlay has an endpoint for load balancing (moby/moby#37338).
    """
    needed = tasks + virtual_addresses + nodes
    usable = usable_addresses(network)
    if needed <= usable:
        return
    prefix = 32 - math.ceil(math.log2(needed + 3))
    raise PlanError(
        field="network.overlay_prefix",
        value=network.prefixlen,
        problem=(
            f"{overlay} has {usable} usable addresses, but {tasks} tasks, {virtual_addresses} virtual addresses and "
            f"{nodes} nodes need {needed}"
        ),
        fix=f"use {prefix} or fewer tasks",
    )


@dataclass(frozen=True, kw_only=True)
class ZoneSubnets:
    """The subnets of one zone, of equal size: `public` for gateways and balancers, `private` for machines."""

    zone: str
    public: IPv4Network
    private: IPv4Network

    def node_address(self, node: str, *, public: bool = False) -> str:
        """The fixed address of a node in the zone's private subnet, or in the public one."""
        subnet, kind = (self.public, "public") if public else (self.private, "private")
        number = host_number(node)
        if number >= subnet.num_addresses - 1:
            prefix = 32 - math.ceil(math.log2(number + 2)) - _SUBNETS_BITS
            network = subnet.supernet(prefixlen_diff=_SUBNETS_BITS)
            raise PlanError(
                field="network.machines",
                value=str(network),
                problem=f"no room for {node}, which has the host number {number}, in the {kind} subnet of zone "
                f"{self.zone}, which is {subnet}",
                fix=f"use {_enlarged(network, prefix)} or fewer nodes",
            )
        return str(subnet[number])


def fixed_part(subnet: IPv4Network, *, pool: bool) -> IPv4Network:
    """The part of a cloud's subnet for addresses that belong to names, to be kept from automatic ones.

    It never depends on how many nodes there are. A pool's workers have automatic addresses: beside one, only what comes
    before the first worker is kept. Without one it is half of the subnet; a worker beyond has its address as long as
    nothing else took it.
    """
    prefix = 32 - math.ceil(math.log2(FIRST_WORKER)) if pool else subnet.prefixlen + 1
    return next(subnet.subnets(new_prefix=prefix))


def pool_room(network: IPv4Network, zones: int, *, taken: int) -> int:
    """Machines of a pool that the subnets of the zones have automatic addresses for. Of each subnet, names keep the
    fixed part, AWS the last address, and others the `taken` ones."""
    subnet = next(network.subnets(prefixlen_diff=_SUBNETS_BITS))
    return zones * (subnet.num_addresses - fixed_part(subnet, pool=True).num_addresses - 1 - taken)


def larger_vpcs(network: IPv4Network) -> Iterator[IPv4Network]:
    """The networks around one that AWS takes as a VPC, the smallest first."""
    for prefix in range(network.prefixlen - 1, _LARGEST_ZONE_NETWORK - 1, -1):
        yield _enlarged(network, prefix)


def zone_subnets(
    network: IPv4Network,
    zones: Sequence[str],
    *,
    slots: Mapping[str, int] | None = None,
    field: str = "network.machines",
) -> dict[str, ZoneSubnets]:
    """Subnets for each zone by name; another zone, or another order of them, changes no subnet.

    The place of a zone comes from its last letter or digit (`eu-central-1b` and `az-2` have place 1), or from `slots`.
    """
    if network.prefixlen > _SMALLEST_ZONE_NETWORK:
        raise PlanError(
            field=field,
            value=str(network),
            problem=f"too small for subnets in {ZONES} zones",
            fix=f"use {_enlarged(network, _SMALLEST_ZONE_NETWORK)} or a larger one",
        )
    if network.prefixlen < _LARGEST_ZONE_NETWORK:
        raise PlanError(
            field=field,
            value=str(network),
            problem=f"a VPC is a /{_LARGEST_ZONE_NETWORK} at most",
            fix=f"use {next(network.subnets(new_prefix=_LARGEST_ZONE_NETWORK))}",
        )
    parts = list(network.subnets(prefixlen_diff=_SUBNETS_BITS))
    found: dict[int, str] = {}
    for zone in sorted(set(zones)):
        slot = (slots or {}).get(zone, _zone_slot(zone))
        if slot is None or not 0 <= slot < ZONES:
            raise PlanError(
                field="zone", value=zone, problem="no place for its subnets", fix=f"give it a slot of 0 to {ZONES - 1}"
            )
        if slot in found:
            raise PlanError(
                field="zone", value=zone, problem=f"its subnets would be those of {found[slot]}", fix="give it a slot"
            )
        found[slot] = zone
    return {
        zone: ZoneSubnets(zone=zone, private=parts[slot], public=parts[ZONES + slot])
        for slot, zone in sorted(found.items(), key=lambda item: item[1])
    }


def _zone_slot(zone: str) -> int | None:
    last = zone[-1:]
    for characters in ("abcdefgh", "12345678"):
        if last and last in characters:
            return characters.index(last)
    return None
