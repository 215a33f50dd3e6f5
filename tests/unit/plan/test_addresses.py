"""Addresses: networks that never overlap, and places that never move."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.naming import node_names
from components.plan.addresses import (
    AddressPlan,
    check_apart_from_own,
    check_nodes_fit,
    check_overlay_capacity,
    overlay_slot,
    own_addresses,
    plan_addresses,
    pool_room,
    usable_addresses,
    zone_subnets,
)
from components.plan.errors import PlanError

OF_THE_PRODUCTS = ("web", "wordpress", "edge", "spark", "hadoop", "monitoring", "management", "registry", "mh_net")
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")

keys = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)


@st.composite
def cidrs(draw: st.DrawFn, low: int, high: int) -> str:
    """A network of a prefix length between two, anywhere in 10.0.0.0/8."""
    prefix = draw(st.integers(low, high))
    start = int(IPv4Address("10.0.0.0")) + (draw(st.integers(0, 2 ** (prefix - 8) - 1)) << (32 - prefix))
    return str(IPv4Network((start, prefix)))


def networks(plan: AddressPlan) -> Iterator[IPv4Network]:
    """Everything of a plan that packets are routed to."""
    yield plan.machine_network
    yield IPv4Network(plan.bridge_address, strict=False)
    yield from (IPv4Network(base) for base, _ in plan.bridge_pools)
    yield plan.swarm_pool
    yield from plan.overlay_subnets.values()
    yield from plan.reserved.values()


@given(machines=cidrs(18, 28), overlays=cidrs(10, 16), bridges=cidrs(14, 22), office=cidrs(12, 28))
def test_a_plan_is_refused_exactly_when_networks_overlap(
    machines: str, overlays: str, bridges: str, office: str
) -> None:
    given_networks = [IPv4Network(text) for text in (machines, overlays, bridges, office)]
    overlap = any(one.overlaps(other) for one, other in combinations(given_networks, 2))
    try:
        plan = plan_addresses(machines=machines, overlays=overlays, bridges=bridges, reserved={"office": office})
    except PlanError:
        assert overlap
        return
    assert not overlap
    assert not any(one.overlaps(other) for one, other in combinations(networks(plan), 2))
    assert plan.ingress.subnet_of(plan.swarm_pool)


@given(cidrs(8, 29), st.lists(keys, max_size=4, unique=True))
def test_an_overlay_with_a_subnet_of_its_own_meets_nothing_or_is_refused(explicit: str, names: list[str]) -> None:
    wanted = {**dict.fromkeys(names), "explicit": explicit}
    plan = plan_addresses()
    subnet = IPv4Network(explicit)
    meets = subnet.overlaps(plan.swarm_pool) or subnet.overlaps(plan.machine_network)
    try:
        found = plan_addresses(overlay_subnets=wanted)
    except PlanError:
        return
    assert not meets
    assert not any(one.overlaps(other) for one, other in combinations(networks(found), 2))


def test_the_defaults_are_disjoint_and_hold_every_product() -> None:
    plan = plan_addresses(overlay_subnets=dict.fromkeys(OF_THE_PRODUCTS))
    assert len(plan.overlay_subnets) == len(OF_THE_PRODUCTS)
    assert not any(one.overlaps(other) for one, other in combinations(networks(plan), 2))


def test_the_default_overlays_are_not_where_clouds_and_docker_begin() -> None:
    plan = plan_addresses()
    for usual in ("10.0.0.0/16", "172.17.0.0/16", "172.31.0.0/16", "192.168.0.0/16"):
        assert not any(network.overlaps(IPv4Network(usual)) for network in networks(plan))


@given(st.sets(keys, max_size=6), keys)
def test_another_overlay_only_adds(names: set[str], another: str) -> None:
    try:
        after = plan_addresses(overlay_subnets=dict.fromkeys({*names, another}))
    except PlanError:
        return
    before = plan_addresses(overlay_subnets=dict.fromkeys(names))
    assert before.overlay_subnets.items() <= after.overlay_subnets.items()


@given(st.permutations(OF_THE_PRODUCTS))
def test_the_order_of_overlays_means_nothing(names: list[str]) -> None:
    assert plan_addresses(overlay_subnets=dict.fromkeys(names)) == plan_addresses(
        overlay_subnets=dict.fromkeys(OF_THE_PRODUCTS)
    )


@given(keys, st.integers(20, 28))
def test_the_place_of_an_overlay_is_in_the_half_that_the_swarm_leaves_alone(key: str, prefix: int) -> None:
    pool = IPv4Network("10.128.0.0/12")
    subnet = overlay_slot(pool, prefix, key)
    assert subnet.prefixlen == prefix
    assert subnet.subnet_of(IPv4Network("10.136.0.0/13"))


def test_the_place_of_an_overlay_is_the_same_in_every_release() -> None:
    plan = plan_addresses(overlay_subnets={"web": None, "wordpress": None})
    assert plan.overlay_subnets == {
        "web": IPv4Network("10.138.185.0/24"),
        "wordpress": IPv4Network("10.143.85.0/24"),
    }
    assert plan.overlay_gateway("web") == "10.138.185.1"


def test_two_overlays_that_meet_are_refused_with_a_free_subnet_for_one() -> None:
    small = {"overlays": "10.128.0.0/21", "overlay_prefix": 24}
    meeting = [f"net-{number}" for number in range(5)]  # four places, so two of them meet
    with pytest.raises(PlanError) as refusal:
        plan_addresses(**small, overlay_subnets=dict.fromkeys(meeting))  # pyright: ignore[reportArgumentType]
    message = str(refusal.value)
    assert message.startswith("overlays.net-")
    assert message.count("overlays.net-") == 3


def test_the_subnet_that_a_refusal_names_is_accepted() -> None:
    with pytest.raises(PlanError) as refusal:
        plan_addresses(overlay_subnets={"one": "10.143.85.0/24", "wordpress": None})
    suggested = str(refusal.value).rpartition(" ")[2]
    assert plan_addresses(overlay_subnets={"one": "10.143.85.0/24", "wordpress": suggested})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"machines": "10.60.0.3/24"},
            "network.machines is '10.60.0.3/24': not a network's own address; use 10.60.0.0/24",
        ),
        (
            {"machines": "here"},
            "network.machines is 'here': no IPv4 network; write address and prefix, such as 10.60.0.0/24",
        ),
        (
            {"machines": "10.60.0.0"},
            "network.machines is '10.60.0.0': no prefix length; write one, such as 10.60.0.0/24",
        ),
        (
            {"machines": "127.0.0.0/24"},
            "network.machines is '127.0.0.0/24': overlaps 127.0.0.0/8, kept for loopback; use a part of 10.0.0.0/8",
        ),
        (
            {"machines": "10.60.0.0/30"},
            "network.machines is '10.60.0.0/30': no room for manager-1, which has the host number 11; "
            "use 10.60.0.0/28 or fewer nodes",
        ),
        (
            {"bridges": "10.60.0.0/16"},
            "network.bridges is '10.60.0.0/16': overlaps network.machines (10.60.0.0/24); "
            "move one of them, for instance network.bridges to 10.64.0.0/16",
        ),
        (
            {"machines": "10.128.7.0/24"},
            "network.overlays is '10.128.0.0/12': overlaps network.machines (10.128.7.0/24); "
            "move one of them, for instance network.overlays to 10.64.0.0/12",
        ),
        (
            {"reserved": {"office": "172.30.4.0/24"}},
            "network.reserved.office is '172.30.4.0/24': overlaps network.bridges (172.30.0.0/16); "
            "move one of them, for instance network.reserved.office to 10.64.0.0/24",
        ),
        (
            {"bridges": "172.30.0.0/24"},
            "network.bridges is '172.30.0.0/24': too small for bridges of /24; use 172.30.0.0/22 or a larger one",
        ),
        (
            {"overlays": "10.128.0.0/24"},
            "network.overlay_prefix is 24: 10.128.0.0/24 is not to be cut in networks of /24; use 27 to 29",
        ),
        (
            {"overlays": "10.128.0.0/28"},
            "network.overlay_prefix is 24: 10.128.0.0/28 is not to be cut in networks of /24; "
            "make network.overlays 10.128.0.0/16",
        ),
        (
            {"overlay_subnets": {"spark": "10.60.0.0/24"}},
            "overlays.spark.subnet is '10.60.0.0/24': overlaps network.machines (10.60.0.0/24); "
            "move one of them, for instance overlays.spark.subnet to 10.136.0.0/24",
        ),
        (
            {"overlay_subnets": {"spark": "10.128.0.0/24"}},
            "overlays.spark.subnet is '10.128.0.0/24': in 10.128.0.0/13, which the swarm cuts networks from by itself; "
            "use a part of 10.136.0.0/13",
        ),
    ],
)
def test_a_wrong_network_is_refused_with_a_fix(settings: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        plan_addresses(**settings)  # pyright: ignore[reportArgumentType]
    assert str(refusal.value) == message


def test_the_fixed_addresses_of_the_default_network() -> None:
    plan = plan_addresses()
    assert (plan.gateway, plan.load_balancer, plan.registry) == ("10.60.0.1", "10.60.0.4", "10.60.0.5")
    assert plan.node_address("manager-1") == "10.60.0.11"
    assert plan.node_address("manager-9") == "10.60.0.19"
    assert plan.node_address("worker-1") == "10.60.0.51"
    assert plan.node_address("worker-204") == "10.60.0.254"


def test_the_broadcast_address_is_no_nodes() -> None:
    with pytest.raises(PlanError, match="no room for worker-205"):
        plan_addresses().node_address("worker-205")


def test_managers_never_run_into_the_workers() -> None:
    plan = plan_addresses()
    assert plan.node_address("manager-40") == "10.60.0.50"
    with pytest.raises(PlanError, match=r"^node is 'manager-41': managers have 40 addresses; use a smaller number$"):
        plan.node_address("manager-41")


@given(st.sampled_from([1, 3, 5, 7, 9]), st.integers(0, 200))
def test_every_address_is_one_nodes_alone(managers: int, workers: int) -> None:
    plan = plan_addresses()
    nodes = (*node_names("manager", managers), *node_names("worker", workers))
    check_nodes_fit(plan, nodes)
    addresses = [plan.gateway, plan.load_balancer, plan.registry, *map(plan.node_address, nodes)]
    assert len(set(addresses)) == len(addresses)
    assert all(IPv4Address(address) in plan.machine_network for address in addresses)


def test_more_nodes_than_addresses_are_refused_with_a_network_that_fits() -> None:
    plan = plan_addresses()
    with pytest.raises(PlanError) as refusal:
        check_nodes_fit(plan, node_names("worker", 1000))
    assert str(refusal.value) == (
        "network.machines is '10.60.0.0/24': no room for worker-1000, which has the host number 1050; "
        "use 10.60.0.0/21 or fewer nodes"
    )


@given(st.integers(1, 1000), st.integers(20, 28))
def test_the_network_that_a_refusal_names_is_large_enough_and_none_smaller_is(workers: int, prefix: int) -> None:
    plan = plan_addresses(machines=f"10.60.0.0/{prefix}")
    try:
        check_nodes_fit(plan, node_names("worker", workers))
    except PlanError as refusal:
        named = str(refusal).split("use ")[1].split()[0]
        check_nodes_fit(plan_addresses(machines=named), node_names("worker", workers))
        smaller = next(IPv4Network(named).subnets())
        with pytest.raises(PlanError):
            check_nodes_fit(plan_addresses(machines=str(smaller)), node_names("worker", workers))


def test_a_bridge_address_is_apart_from_the_pools() -> None:
    plan = plan_addresses()
    assert plan.bridge_address == "172.30.0.1/24"
    assert plan.bridge_pools == (("172.30.128.0/17", 24),)


def test_an_overlay_counts_a_load_balancing_endpoint_for_each_node() -> None:
    overlay = IPv4Network("10.136.0.0/24")
    assert usable_addresses(overlay) == 253
    check_overlay_capacity(overlay, tasks=200, virtual_addresses=3, nodes=50, overlay="the overlay of web")
    with pytest.raises(PlanError) as refusal:
        check_overlay_capacity(overlay, tasks=200, virtual_addresses=3, nodes=51, overlay="the overlay of web")
    assert str(refusal.value) == (
        "network.overlay_prefix is 24: the overlay of web has 253 usable addresses, but 200 tasks, 3 virtual addresses "
        "and 51 nodes need 254; use 23 or fewer tasks"
    )


@given(st.integers(16, 29), st.integers(0, 5000), st.integers(0, 50), st.integers(1, 1000))
def test_the_prefix_that_a_refusal_names_fits(prefix: int, tasks: int, services: int, nodes: int) -> None:
    def check(length: int) -> None:
        check_overlay_capacity(
            IPv4Network((0x0A000000, length)), tasks=tasks, virtual_addresses=services, nodes=nodes, overlay="it"
        )

    try:
        check(prefix)
    except PlanError as refusal:
        check(int(str(refusal).split("use ")[1].split()[0]))


@given(st.permutations(ZONES), st.sets(st.sampled_from(ZONES)))
def test_another_zone_or_another_order_moves_no_subnet(order: list[str], some: set[str]) -> None:
    network = IPv4Network("10.60.0.0/16")
    everywhere = zone_subnets(network, ZONES)
    assert zone_subnets(network, order) == everywhere
    assert zone_subnets(network, sorted(some)).items() <= everywhere.items()


def test_subnets_of_zones_are_disjoint_and_hold_fixed_addresses() -> None:
    subnets = zone_subnets(IPv4Network("10.60.0.0/16"), ZONES)
    every = [network for zone in subnets.values() for network in (zone.public, zone.private)]
    assert not any(one.overlaps(other) for one, other in combinations(every, 2))
    assert subnets["eu-central-1b"].private == IPv4Network("10.60.16.0/20")
    assert subnets["eu-central-1b"].public == IPv4Network("10.60.144.0/20")
    assert subnets["eu-central-1b"].node_address("manager-2") == "10.60.16.12"


@pytest.mark.parametrize(
    ("network", "zones", "message"),
    [
        (
            "10.60.0.0/24",
            ["a"],
            "network.machines is '10.60.0.0/24': too small for subnets in 8 zones; use 10.60.0.0/20 or a larger one",
        ),
        ("10.60.0.0/16", ["mars"], "zone is 'mars': no place for its subnets; give it a slot of 0 to 7"),
        ("10.60.0.0/16", ["az-1", "az-a"], "zone is 'az-a': its subnets would be those of az-1; give it a slot"),
    ],
)
def test_a_zone_without_a_place_of_its_own_is_refused(network: str, zones: list[str], message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        zone_subnets(IPv4Network(network), zones)
    assert str(refusal.value) == message


def test_a_slot_given_by_hand_wins() -> None:
    network = IPv4Network("10.60.0.0/16")
    assert zone_subnets(network, ["mars"], slots={"mars": 3})["mars"].private == IPv4Network("10.60.48.0/20")


@given(st.integers(1, 1000), st.integers(20, 28))
def test_the_network_that_keeps_nodes_apart_from_neutrons_own_is_large_enough_and_none_smaller_is(
    workers: int, prefix: int
) -> None:
    nodes = node_names("worker", workers)
    try:
        check_apart_from_own(IPv4Network(f"10.60.0.0/{prefix}"), nodes)
    except PlanError as refusal:
        named = IPv4Network(str(refusal).split("use ")[1].split()[0])
        check_apart_from_own(named, nodes)
        with pytest.raises(PlanError):
            check_apart_from_own(next(named.subnets()), nodes)


@given(st.integers(20, 28), st.integers(1, 300))
def test_nodes_that_are_accepted_are_apart_from_neutrons_own_addresses(prefix: int, workers: int) -> None:
    plan = plan_addresses(machines=f"10.60.0.0/{prefix}")
    nodes = node_names("worker", workers)
    first, _ = own_addresses(plan.machine_network)
    try:
        check_apart_from_own(plan.machine_network, nodes)
    except PlanError:
        return
    assert all(IPv4Address(plan.node_address(node)) < first for node in nodes)


@pytest.mark.parametrize(
    ("network", "addresses"),
    [("10.60.0.0/24", ("10.60.0.224", "10.60.0.254")), ("10.60.0.0/26", ("10.60.0.56", "10.60.0.62"))],
)
def test_neutrons_own_addresses_are_the_last_eighth(network: str, addresses: tuple[str, str]) -> None:
    assert tuple(map(str, own_addresses(IPv4Network(network)))) == addresses


@given(st.integers(1, 1000), st.integers(16, 20), st.booleans())
def test_the_network_that_a_refusal_of_a_zones_subnet_names_is_large_enough_and_none_smaller_is(
    workers: int, prefix: int, public: bool
) -> None:
    node = f"worker-{workers}"
    zone = zone_subnets(IPv4Network(f"10.60.0.0/{prefix}"), ZONES)[ZONES[0]]
    try:
        zone.node_address(node, public=public)
    except PlanError as refusal:
        named = IPv4Network(str(refusal).split("use ")[1].split()[0])
        zone_subnets(named, ZONES)[ZONES[0]].node_address(node, public=public)
        with pytest.raises(PlanError):
            zone_subnets(next(named.subnets()), ZONES)[ZONES[0]].node_address(node, public=public)


def test_a_pool_has_what_names_and_aws_leave_of_each_subnet() -> None:
    # Of 256 addresses 64 belong to names, AWS's first four among them, and the last is AWS's too.
    assert pool_room(IPv4Network("10.60.0.0/20"), 3, taken=0) == 3 * (256 - 64 - 1)
    assert pool_room(IPv4Network("10.60.0.0/20"), 1, taken=1) == 256 - 64 - 2
