"""What a stack costs in a month, from its file and a dated price table: no account, no request, no engine. Prices that
are not known are said, not guessed, so that the sum is always what the stack costs at least."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from rich.console import Console
from rich.table import Table

from components.clouds.cloud import MachineKind
from components.plan.prices import HOURS_PER_MONTH, NEWEST_PRICES, PRICE_TABLES, Hourly, PriceTable
from components.storage.profiles import EbsVolume
from components.storage.volume import VolumeSpec
from stacks.composed import balanced_ports, load_composed
from stacks.errors import SettingsError
from stacks.load import PROJECT_FOLDER
from stacks.plan import Plan, make_plan, published_ports
from stacks.preflight import stack_file_settings
from stacks.rented import RentedPlan
from stacks.settings import Settings

_WIDTH = 110
_PARTS: dict[MachineKind, str] = {
    "manager": "managers",
    "worker": "workers",
    "bastion": "bastion",
    "balancer": "load balancer",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """So many of one thing; `each` is USD in a month, None where that is not known."""

    part: str
    what: str
    number: int
    each: Decimal | None = None

    @property
    def month(self) -> Decimal | None:
        """USD of all of them in a month."""
        return None if self.each is None else self.number * self.each


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Everything that is paid for by being there; `left_out` is paid for as well, by what it does."""

    lines: tuple[Line, ...]
    left_out: tuple[str, ...] = ()

    @property
    def least(self) -> Decimal:
        """The sum of what is known, in USD a month."""
        return sum((line.month for line in self.lines if line.month is not None), Decimal())

    @property
    def unknown(self) -> tuple[Line, ...]:
        """What has no price in the table."""
        return tuple(line for line in self.lines if line.month is None)


def main() -> int:
    """Print the bill; an error is one line."""
    parser = argparse.ArgumentParser(prog="stacks.cost", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--prices", choices=sorted(PRICE_TABLES), default=NEWEST_PRICES, help="the year of the prices")
    arguments = parser.parse_args()
    try:
        settings = stack_file_settings(arguments.stack)
        plan = make_plan(arguments.stack, settings, load_composed(settings, PROJECT_FOLDER))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    show(Console(width=_WIDTH, highlight=False), arguments.stack, settings, plan, PRICE_TABLES[arguments.prices])
    return 0


def show(console: Console, stack: str, settings: Settings, plan: Plan, table: PriceTable) -> None:
    """What the stack costs, in the words of its cloud."""
    if plan.rented is None:
        console.print(f"Stack {stack} is on this computer's own Docker: it costs nothing.")
    elif settings.cloud == "openstack":
        console.print(
            f"Stack {stack} is on OpenStack, whose prices are the site's own: these are the quantities to ask them for."
        )
        console.print(_quantities(openstack_bill(settings, plan, plan.rented)))
    else:
        _show_aws(console, stack, settings, aws_bill(settings, plan, plan.rented, table), table)


def aws_bill(settings: Settings, plan: Plan, rented: RentedPlan, table: PriceTable) -> Bill:
    """The bill of a stack on AWS; a table of another region knows nothing of this one."""
    prices = table if table.region == settings.aws.region else PriceTable(region=settings.aws.region, noted="")
    return Bill(lines=tuple(_aws_lines(settings, plan, rented, prices)), left_out=tuple(_left_out(settings, plan)))


def openstack_bill(settings: Settings, plan: Plan, rented: RentedPlan) -> Bill:
    """What a stack takes from an OpenStack site, without prices."""
    return Bill(lines=tuple(_openstack_lines(settings, plan, rented)))


def _aws_lines(settings: Settings, plan: Plan, rented: RentedPlan, prices: PriceTable) -> Iterator[Line]:
    for kind, number in _machines(settings, plan, rented):
        name = rented.types[kind].name
        yield Line(part=_PARTS[kind], what=name, number=number, each=prices.machine(name))
    for kind, number in _machines(settings, plan, rented):
        disk = EbsVolume(type="gp3", size_gib=rented.root_disk_gib[kind])
        yield Line(part=f"{_PARTS[kind]}: root disk", what=_described(disk), number=number, each=prices.volume(disk))
    for spec in plan.volumes:
        declared = settings.volumes.get(spec.name)
        profile = "" if declared and declared.ebs else f"{spec.profile}: "
        what = f"{profile}{_described(_ebs(spec))}"
        yield Line(part=f"volume {spec.name}", what=what, number=1, each=prices.volume(_ebs(spec)))
    gateways, balancers = _gateways(rented), _balancers(settings, plan)
    numbers: tuple[tuple[Hourly, int], ...] = (
        ("NAT gateway", gateways),
        ("network load balancer", balancers),
        ("public IPv4 address", _public_machines(settings, plan, rented) + gateways + balancers * len(rented.zones)),
    )
    for what, number in numbers:
        if number:
            yield Line(part="network", what=what, number=number, each=prices.each(what))


def _openstack_lines(settings: Settings, plan: Plan, rented: RentedPlan) -> Iterator[Line]:
    boot = settings.openstack.boot_volume
    for kind, number in _machines(settings, plan, rented):
        yield Line(part=_PARTS[kind], what=f"flavour {rented.types[kind].name}", number=number)
    if boot is not None:
        for kind, number in _machines(settings, plan, rented):
            what = f"volume of {rented.boot_volume_gib} GiB, {_volume_type(boot.type)}"
            yield Line(part=f"{_PARTS[kind]}: root disk", what=what, number=number)
    for spec in plan.volumes:
        kind = _volume_type(settings.openstack.volume_types.get(spec.profile))
        yield Line(part=f"volume {spec.name}", what=f"{spec.profile}: volume of {spec.size_gib} GiB, {kind}", number=1)
    balancers = _balancers(settings, plan)
    if balancers:
        yield Line(part="network", what="load balancer (Octavia)", number=balancers)
    yield Line(part="network", what="router", number=1)
    addresses = _public_machines(settings, plan, rented) + balancers
    if addresses:
        yield Line(part="network", what="floating IP", number=addresses)


def _machines(settings: Settings, plan: Plan, rented: RentedPlan) -> Iterator[tuple[MachineKind, int]]:
    """Those of a pool are counted as many as there are to begin with."""
    numbers: dict[MachineKind, int] = {
        "manager": settings.managers.count,
        "worker": settings.workers.count,
        "bastion": int("bastion" in rented.types),
        "balancer": int("balancer" in rented.types and _is_balanced(settings, plan)),
    }
    for kind, number in numbers.items():
        if number:
            yield kind, number


def _gateways(rented: RentedPlan) -> int:
    return {"none": 0, "one": 1, "per_zone": len(rented.zones)}[rented.nat]


def _balancers(settings: Settings, plan: Plan) -> int:
    """Those that the cloud itself manages."""
    managed = plan.rented is not None and plan.rented.balancer == "managed"
    return int(managed and _is_balanced(settings, plan))


def _is_balanced(settings: Settings, plan: Plan) -> bool:
    """Nothing is in front of no published port."""
    return bool(published_ports(settings) or balanced_ports(plan.composed))


def _public_machines(settings: Settings, plan: Plan, rented: RentedPlan) -> int:
    """Machines with a public address of their own."""
    nodes = rented.subnets == "public" or rented.access == "direct"
    public = {"bastion", "balancer", *(("manager", "worker") if nodes else ())}
    return sum(number for kind, number in _machines(settings, plan, rented) if kind in public)


def _ebs(spec: VolumeSpec) -> EbsVolume:
    if spec.ebs is None:
        raise AssertionError("a volume on AWS has a type of AWS")
    return spec.ebs


def _described(volume: EbsVolume) -> str:
    iops = f", {volume.iops} IOPS" if volume.iops is not None else ""
    throughput = f", {volume.throughput} MiB/s" if volume.throughput is not None else ""
    return f"{volume.type} of {volume.size_gib} GiB{iops}{throughput}"


def _volume_type(name: str | None) -> str:
    return f"type {name}" if name else "the site's default type"


def _left_out(settings: Settings, plan: Plan) -> Iterator[str]:
    """What is paid for by use, and what no list says."""
    rented = plan.rented
    if rented is None:
        return
    yield "traffic to the internet and between zones"
    if _gateways(rented):
        yield "what NAT gateways process"
    if _balancers(settings, plan):
        yield "capacity units of the load balancer"
    if any(spec.ebs and spec.ebs.type == "standard" for spec in plan.volumes):
        yield "requests to magnetic volumes"
    if any(kind.name.startswith("t") for kind in rented.types.values()):
        yield "CPU credits of t machines beyond their own"
    maximum = settings.aws.pool.maximum
    if settings.workers.pool and maximum and maximum > settings.workers.count:
        yield f"machines that the pool adds, up to {maximum}"
    yield "snapshots, taxes, discounts"


def _show_aws(console: Console, stack: str, settings: Settings, bill: Bill, table: PriceTable) -> None:
    region = settings.aws.region
    console.print(f"Stack {stack} on AWS, {region}: USD in a month of {HOURS_PER_MONTH} hours.")
    console.print(_priced(bill))
    console.print("Not included: " + "; ".join(bill.left_out) + ".")
    if table.region != region:
        console.print(f"There is no price table of {region}, only of {table.region}: every price is unknown.")
        return
    if bill.unknown:
        named = "; ".join(f"{line.part} ({line.what})" for line in bill.unknown)
        console.print(f"Unknown, and not in the sum: {named}.")
    console.print(
        f"The sum is the least that it costs, at list prices noted {table.noted}. Check them on the pages of AWS:"
    )
    for group, page in table.sources.items():
        console.print(f"  {group}: {page}")


def _priced(bill: Bill) -> Table:
    table = Table("what for", "what", show_footer=True)
    for heading in ("number", "each", "month"):
        table.add_column(heading, justify="right")
    for line in bill.lines:
        table.add_row(line.part, line.what, str(line.number), _usd(line.each), _usd(line.month))
    table.columns[0].footer = "at least"
    table.columns[-1].footer = _usd(bill.least)
    return table


def _quantities(bill: Bill) -> Table:
    table = Table("what for", "what")
    table.add_column("number", justify="right")
    for line in bill.lines:
        table.add_row(line.part, line.what, str(line.number))
    return table


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


if __name__ == "__main__":
    sys.exit(main())
