"""What a stack costs is the sum of what it is made of, and what has no price is named, never guessed."""

import io
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from components.plan.prices import PRICE_TABLES, PRICES_2016, PRICES_2026, PriceTable
from stacks.composed import load_composed
from stacks.cost import Bill, aws_bill, openstack_bill, show
from stacks.load import PROJECT_FOLDER, parse_settings
from stacks.plan import make_plan
from tests.graph.graph import Graph, record
from tests.graph.test_invariants import CLOUDS, COMPOSE, HAPROXY, NOTHING, STACKS

RENTED = [name for name in STACKS if name.startswith(("aws", "openstack")) and "hundred" not in name]

# The book's lab: three managers, a machine beside the swarm (there the Flocker control node), six workers (M8).
LAB: dict[str, Any] = {
    "cloud": "aws",
    "managers": {"count": 3, "type": "t2.medium"},
    "workers": {"count": 6, "type": "t2.medium"},
    "aws": {"bastion_type": "t2.medium"},
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
    "services": {"wordpress": None},
}
COMPOSED: dict[str, dict[str, Any]] = {
    f"{cloud} haproxy in front of a Compose file alone": {**CLOUDS[cloud], **HAPROXY, **COMPOSE, "services": NOTHING}
    for cloud in ("aws", "openstack")
}
PRIVATE = {"access": "session"}
PUBLIC = {"access": "direct", "admin_networks": ["203.0.113.0/24"]}


def bill(prices: PriceTable = PRICES_2026, **settings: Any) -> Bill:
    """The bill of the lab with some sections changed."""
    parsed = parse_settings({**LAB, **settings})
    plan = make_plan("aws", parsed)
    assert plan.rented is not None
    return aws_bill(parsed, plan, plan.rented, prices)


def openstack(**settings: Any) -> Bill:
    groups = {"managers": {"count": 3}, "workers": {"count": 6}}
    parsed = parse_settings({**LAB, **groups, "aws": {}, "cloud": "openstack", **settings})
    plan = make_plan("openstack", parsed)
    assert plan.rented is not None
    return openstack_bill(parsed, plan, plan.rented)


def printed(prices: PriceTable = PRICES_2026, **settings: Any) -> str:
    parsed = parse_settings({**LAB, **settings})
    paper = io.StringIO()
    show(Console(width=110, highlight=False, file=paper), "aws", parsed, make_plan("aws", parsed), prices)
    return " ".join(paper.getvalue().split())


def numbers(counted: Bill) -> dict[str, int]:
    return {line.what: line.number for line in counted.lines if line.part == "network"}


@pytest.mark.parametrize(("year", "usd"), [("2016", "379.60"), ("2026", "338.72")])
def test_the_ten_machines_of_the_lab_cost_what_the_book_says_storage_excluded(year: str, usd: str) -> None:
    machines = [line for line in bill(PRICE_TABLES[year]).lines if line.what == "t2.medium"]
    assert sum(line.number for line in machines) == 10
    assert sum((line.month or Decimal() for line in machines), Decimal()) == Decimal(usd)


def test_the_sum_is_that_of_machines_disks_volumes_and_network() -> None:
    volumes = {"spark": {"node": "worker-1"}, "data": {"node": "worker-2", "profile": "gold"}}
    whole = bill(volumes=volumes)
    machines, disks = Decimal("338.72"), 9 * Decimal("1.60") + Decimal("0.64")
    network = Decimal("32.85") + Decimal("16.425") + 5 * Decimal("3.65")
    assert whole.least == machines + disks + Decimal("3.75") + Decimal("155.625") + network
    assert whole.unknown == ()


def test_every_volume_is_a_line_with_its_type_size_and_iops() -> None:
    volumes = {
        "spark": {"node": "worker-1"},
        "data": {"node": "worker-2", "profile": "gold"},
        "fast": {"node": "worker-3", "ebs": {"type": "gp3", "iops": 6000, "throughput": 250}},
    }
    lines = {line.part: line.what for line in bill(volumes=volumes).lines}
    assert lines["volume spark"] == "bronze: standard of 75 GiB"
    assert lines["volume data"] == "gold: io1 of 75 GiB, 2250 IOPS"
    assert lines["volume fast"] == "gp3 of 75 GiB, 6000 IOPS, 250 MiB/s"


def test_the_volume_of_a_product_is_paid_for_as_well() -> None:
    lines = {line.part: line.month for line in bill(services={}).lines}
    assert lines["volume wordpress-database"] == Decimal("1.00")


def test_root_disks_are_as_large_as_the_file_says() -> None:
    lines = {line.part: line for line in bill(managers={"disk": "50g"}).lines}
    assert lines["managers: root disk"].what == "gp3 of 50 GiB"
    assert lines["managers: root disk"].month == 3 * 50 * Decimal("0.08")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # A NAT gateway has an address, a bastion one, the load balancer one in each zone.
        ({}, {"NAT gateway": 1, "network load balancer": 1, "public IPv4 address": 5}),
        ({"aws": {"nat": "per_zone"}}, {"NAT gateway": 3, "network load balancer": 1, "public IPv4 address": 7}),
        ({"ssh": PRIVATE}, {"NAT gateway": 1, "network load balancer": 1, "public IPv4 address": 4}),
        ({"ssh": PUBLIC}, {"network load balancer": 1, "public IPv4 address": 12}),
        ({"ssh": PRIVATE, "load_balancer": {"kind": "haproxy"}}, {"NAT gateway": 1, "public IPv4 address": 2}),
        ({"ssh": PRIVATE, "load_balancer": {"kind": "none"}}, {"NAT gateway": 1, "public IPv4 address": 1}),
        ({"services": {"web": None, "wordpress": None}}, {"NAT gateway": 1, "public IPv4 address": 2}),
    ],
)
def test_the_network_is_counted_by_the_ways_in_and_out(settings: dict[str, Any], expected: dict[str, int]) -> None:
    assert numbers(bill(**settings)) == expected


def test_a_machine_with_haproxy_is_paid_for_as_a_machine() -> None:
    lines = {line.part: line for line in bill(load_balancer={"kind": "haproxy"}).lines}
    assert (lines["load balancer"].what, lines["load balancer"].number) == ("t3.small", 1)
    assert lines["load balancer: root disk"].what == "gp3 of 8 GiB"


def test_without_a_published_port_nothing_is_in_front_of_the_nodes() -> None:
    lonely = bill(load_balancer={"kind": "haproxy"}, services={"web": None, "wordpress": None})
    assert not [line for line in lonely.lines if "load balancer" in line.part + line.what]
    assert numbers(lonely) == {"NAT gateway": 1, "public IPv4 address": 2}


def test_the_machines_of_a_pool_are_counted_and_how_many_it_may_add_is_said() -> None:
    wide = {"overlay_prefix": 22}
    pool = bill(workers={"count": 100, "pool": True}, aws={"pool": {"maximum": 300}}, network=wide)
    lines = {line.part: line for line in pool.lines}
    assert lines["workers"].number == 100
    assert lines["workers: root disk"].number == 100
    assert "machines that the pool adds, up to 300" in pool.left_out


def test_a_type_without_a_price_is_unknown_and_the_sum_is_that_of_the_others() -> None:
    whole = bill(workers={"count": 6, "type": "x2gd.large", "cpus": 2, "memory": "32g"})
    assert [line.what for line in whole.unknown] == ["x2gd.large"]
    assert whole.least == bill().least - 6 * (PRICES_2026.machine("t2.medium") or 0)


def test_what_is_unknown_is_printed_by_name_and_the_sum_as_the_least() -> None:
    text = printed(workers={"count": 6, "type": "x2gd.large", "cpus": 2, "memory": "32g"})
    assert "Unknown, and not in the sum: workers (x2gd.large)." in text
    assert "The sum is the least that it costs, at list prices noted January 2026." in text
    assert "machines: https://aws.amazon.com/ec2/pricing/on-demand/" in text


def test_a_region_without_a_table_has_no_price_at_all() -> None:
    whole = bill(aws={"region": "eu-central-1"})
    assert len(whole.unknown) == len(whole.lines)
    text = printed(aws={"region": "eu-central-1"})
    assert "There is no price table of eu-central-1, only of us-east-1: every price is unknown." in text


@pytest.mark.parametrize(
    ("said", "settings", "otherwise"),
    [
        ("what NAT gateways process", {}, {"ssh": PUBLIC}),
        ("capacity units of the load balancer", {}, {"load_balancer": {"kind": "none"}}),
        (
            "requests to magnetic volumes",
            {"volumes": {"spark": {"node": "worker-1"}}},
            {"volumes": {"spark": {"node": "worker-1", "profile": "silver"}}},
        ),
        (
            "CPU credits of t machines beyond their own",
            {},
            {"managers": {"type": "m5.large"}, "workers": {"type": "m5.large"}, "ssh": PRIVATE},
        ),
        ("traffic to the internet and between zones", {}, None),
        ("snapshots, taxes, discounts", {}, None),
    ],
)
def test_what_is_paid_for_by_use_is_named_where_the_stack_has_it(
    said: str, settings: dict[str, Any], otherwise: dict[str, Any] | None
) -> None:
    assert said in bill(**settings).left_out
    assert said in printed(**settings)
    if otherwise is not None:
        assert said not in bill(**otherwise).left_out


def test_the_local_cloud_costs_nothing() -> None:
    text = printed(cloud="local", managers={}, workers={"count": 2}, aws={}, ssh={}, registry={})
    assert text == "Stack aws is on this computer's own Docker: it costs nothing."


def test_openstack_has_quantities_and_no_prices() -> None:
    lines = openstack(
        openstack={"boot_volume": {"size": "30g", "type": "ssd"}, "volume_types": {"gold": "fast"}},
        volumes={"data": {"node": "worker-1", "profile": "gold"}, "spark": {"node": "worker-2"}},
    ).lines
    assert [(line.part, line.what, line.number) for line in lines] == [
        ("managers", "flavour m1.medium", 3),
        ("workers", "flavour m1.medium", 6),
        ("bastion", "flavour m1.small", 1),
        ("managers: root disk", "volume of 30 GiB, type ssd", 3),
        ("workers: root disk", "volume of 30 GiB, type ssd", 6),
        ("bastion: root disk", "volume of 30 GiB, type ssd", 1),
        ("volume data", "gold: volume of 75 GiB, type fast", 1),
        ("volume spark", "bronze: volume of 75 GiB, the site's default type", 1),
        ("network", "load balancer (Octavia)", 1),
        ("network", "router", 1),
        ("network", "floating IP", 2),
    ]
    assert "prices are the site's own" in printed(cloud="openstack", managers={}, workers={}, aws={})


def test_the_command_prints_the_stack_of_a_file_and_refuses_one_without_in_a_line() -> None:
    def cost(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stacks.cost", *arguments]
        return subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False)

    assert "costs nothing" in cost("--stack", "dev").stdout
    refused = cost("--stack", "nowhere", "--prices", "2016")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: STACK is 'nowhere': there is no Pulumi.nowhere.yaml")
    assert refused.stderr.count("\n") == 1


def test_the_table_of_2016_knows_the_machines_of_the_book_alone() -> None:
    assert {line.what for line in bill(PRICES_2016).lines if line.each is not None} == {"t2.medium"}


def on_aws(found: Graph) -> dict[str, int]:
    """What a graph registers of what is paid for by being there."""
    (balancers, elastic) = (found.of_type("aws:lb/loadBalancer:LoadBalancer"), found.of_type("aws:ec2/eip:Eip"))
    pools = sum(int(group.inputs["minSize"]) for group in found.of_type("aws:autoscaling/group:Group"))
    machines = found.of_type("aws:ec2/instance:Instance")
    return {
        "machines": len(machines) + pools,
        "volumes": len(found.of_type("aws:ebs/volume:Volume")),
        "NAT gateway": len(found.of_type("aws:ec2/natGateway:NatGateway")),
        "network load balancer": len(balancers),
        "public IPv4 address": len(elastic)
        + sum(machine.inputs.get("associatePublicIpAddress") is True for machine in machines)
        + sum(len(balancer.inputs["subnets"]) for balancer in balancers),
    }


def on_openstack(found: Graph) -> dict[str, int]:
    return {
        "machines": len(found.of_type("openstack:compute/instance:Instance")),
        "volumes": len(found.of_type("openstack:blockstorage/volume:Volume")),
        "load balancer (Octavia)": len(found.of_type("openstack:loadbalancer/loadBalancer:LoadBalancer")),
        "router": len(found.of_type("openstack:networking/router:Router")),
        "floating IP": len(found.of_type("openstack:networking/floatingIp:FloatingIp")),
    }


@pytest.mark.slow
@pytest.mark.parametrize("stack", [*RENTED, *COMPOSED])
def test_what_is_counted_is_what_the_program_registers(stack: str) -> None:
    settings = {**STACKS, **COMPOSED}[stack]
    parsed = parse_settings(settings)
    plan = make_plan("dev", parsed, load_composed(parsed, PROJECT_FOLDER))
    assert plan.rented is not None
    aws = stack.startswith("aws")
    counted = (
        aws_bill(parsed, plan, plan.rented, PRICES_2026) if aws else openstack_bill(parsed, plan, plan.rented)
    ).lines
    kinds = ("managers", "workers", "bastion", "load balancer")
    expected = {
        "machines": sum(line.number for line in counted if line.part in kinds),
        "volumes": sum(line.number for line in counted if line.part.startswith("volume ")),
        **{line.what: line.number for line in counted if line.part == "network"},
    }
    graph = record(settings, "preview")
    registered = on_aws(graph) if aws else on_openstack(graph)
    assert {what: number for what, number in registered.items() if number or what in expected} == expected


@pytest.mark.slow
def test_the_root_disks_are_of_the_type_and_size_that_the_program_gives_them() -> None:
    disks = {
        (disk["volumeType"], int(disk["volumeSize"]))
        for machine in record(STACKS["aws dev"], "preview").of_type("aws:ec2/instance:Instance")
        for disk in [machine.inputs["rootBlockDevice"]]
    }
    parsed = parse_settings(STACKS["aws dev"])
    plan = make_plan("dev", parsed)
    assert plan.rented is not None
    lines = aws_bill(parsed, plan, plan.rented, PRICES_2026).lines
    assert {line.what for line in lines if line.part.endswith("root disk")} == {
        f"{kind} of {size} GiB" for kind, size in disks
    }
