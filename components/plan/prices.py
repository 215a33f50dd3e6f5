"""What AWS asks for machines, volumes and the network, as small dated tables: a stack's cost is said before it exists,
and a price that is not here is said to be unknown, never guessed.

The figures are list prices in USD of one region, Linux on demand, without taxes, discounts or free tiers, as they were
noted in the month that a table names. Nothing renews them: compare with AWS's pages, which each table names, before a
decision hangs on them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from components.plan.machine_types import EC2_TYPES
from components.storage.profiles import EbsType, EbsVolume

HOURS_PER_MONTH = 730
"""AWS's own month."""

Hourly = Literal["NAT gateway", "network load balancer", "public IPv4 address"]
Steps = tuple[tuple[int, Decimal], ...]
"""`(above, price of each)`, rising: what a unit costs above a number of them, until the next step."""


@dataclass(frozen=True, kw_only=True)
class VolumePrice:
    """USD in a month: for each GiB, and for IOPS and MiB/s that are chosen."""

    gib: Decimal
    iops: Steps = ()
    throughput: Steps = ()


@dataclass(frozen=True, kw_only=True)
class PriceTable:
    """Prices of a region: `machines` and `hourly` in USD an hour, `volumes` in USD a month; `noted` is when, `sources`
    where, by what the page is about."""

    region: str
    noted: str
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    machines: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    volumes: Mapping[EbsType, VolumePrice] = field(default_factory=dict[EbsType, VolumePrice])
    hourly: Mapping[Hourly, Decimal] = field(default_factory=dict[Hourly, Decimal])

    def machine(self, kind: str) -> Decimal | None:
        """USD of a machine that runs for a month; None where the type is not in the table."""
        return _month(self.machines.get(kind))

    def each(self, what: Hourly) -> Decimal | None:
        """USD of one for a month, its traffic not included; None where it is not in the table."""
        return _month(self.hourly.get(what))

    def volume(self, volume: EbsVolume) -> Decimal | None:
        """USD of a volume for a month, its requests not included; None where its type is not in the table."""
        price = self.volumes.get(volume.type)
        if price is None:
            return None
        chosen = _stepped(volume.iops or 0, price.iops) + _stepped(volume.throughput or 0, price.throughput)
        return volume.size_gib * price.gib + chosen


def _month(hour: Decimal | None) -> Decimal | None:
    return None if hour is None else hour * HOURS_PER_MONTH


def _stepped(amount: int, steps: Steps) -> Decimal:
    """What so many units cost, each at the price of its step."""
    ends = [*(above for above, _ in steps), amount][1:]
    parts = (max(0, min(amount, end) - above) * price for (above, price), end in zip(steps, ends, strict=True))
    return sum(parts, Decimal())


_OF_LARGE = {
    family: Decimal(price)
    for family, price in {
        "m5": "0.096", "m5a": "0.086", "m6i": "0.096", "m6a": "0.0864", "m6g": "0.077", "m7i": "0.1008",
        "m7a": "0.11592", "m7g": "0.0816",
        "c5": "0.085", "c6i": "0.085", "c6a": "0.0765", "c6g": "0.068", "c7i": "0.08925", "c7a": "0.10264",
        "c7g": "0.0725",
        "r5": "0.126", "r5a": "0.113", "r6i": "0.126", "r6a": "0.1134", "r6g": "0.1008", "r7i": "0.1323",
        "r7g": "0.1071",
    }.items()
}  # fmt: skip
"""USD an hour of the size `large`, which has 2 vCPUs: the price of the other sizes rises with their vCPUs."""

_OF_NANO = {family: Decimal(price) for family, price in {"t3": "0.0052", "t3a": "0.0047", "t4g": "0.0042"}.items()}
_TIMES_NANO = {"nano": 1, "micro": 2, "small": 4, "medium": 8, "large": 16, "xlarge": 32, "2xlarge": 64}
_T2 = {
    "nano": "0.0058", "micro": "0.0116", "small": "0.023", "medium": "0.0464", "large": "0.0928", "xlarge": "0.1856",
    "2xlarge": "0.3712",
}  # fmt: skip


def _machines() -> Iterator[tuple[str, Decimal]]:
    for name, kind in EC2_TYPES.items():
        family, _, size = name.partition(".")
        if family == "t2":
            yield name, Decimal(_T2[size])
        elif family in _OF_NANO:
            yield name, _OF_NANO[family] * _TIMES_NANO[size]
        elif family in _OF_LARGE:
            yield name, _OF_LARGE[family] * int(kind.cpus) / 2


PRICES_2026 = PriceTable(
    region="us-east-1",
    # Machines as in AWS's price list of January, the rest as its public pages had it in the months before.
    noted="January 2026",
    sources={
        "machines": "https://aws.amazon.com/ec2/pricing/on-demand/",
        "volumes": "https://aws.amazon.com/ebs/pricing/",
        "NAT gateways and public IPv4 addresses": "https://aws.amazon.com/vpc/pricing/",
        "network load balancers": "https://aws.amazon.com/elasticloadbalancing/pricing/",
    },
    machines=dict(_machines()),
    volumes={
        "gp2": VolumePrice(gib=Decimal("0.10")),
        "gp3": VolumePrice(
            gib=Decimal("0.08"), iops=((3_000, Decimal("0.005")),), throughput=((125, Decimal("0.04")),)
        ),
        "io1": VolumePrice(gib=Decimal("0.125"), iops=((0, Decimal("0.065")),)),
        "io2": VolumePrice(
            gib=Decimal("0.125"),
            iops=((0, Decimal("0.065")), (32_000, Decimal("0.0455")), (64_000, Decimal("0.03185"))),
        ),
        "st1": VolumePrice(gib=Decimal("0.045")),
        "sc1": VolumePrice(gib=Decimal("0.015")),
        "standard": VolumePrice(gib=Decimal("0.05")),
    },
    hourly={
        "NAT gateway": Decimal("0.045"),
        "network load balancer": Decimal("0.0225"),
        "public IPv4 address": Decimal("0.005"),
    },
)

PRICES_2016 = PriceTable(
    region="us-east-1",
    noted="October 2016, before the prices fell on 1 December",
    sources={"machines": "https://aws.amazon.com/ec2/pricing/on-demand/"},
    machines={"t2.medium": Decimal("0.052")},
)
"""As much of the prices of the book's time as its own sum (M11) is made of."""

PRICE_TABLES: Mapping[str, PriceTable] = {"2016": PRICES_2016, "2026": PRICES_2026}
NEWEST_PRICES = "2026"
