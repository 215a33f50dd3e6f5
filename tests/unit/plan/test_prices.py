"""Prices are AWS's list prices, exact to the cent, and what has no price has none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.machine_types import EC2_TYPES
from components.plan.prices import NEWEST_PRICES, PRICE_TABLES, PRICES_2016, PRICES_2026
from components.storage.profiles import EbsType, EbsVolume, Profile, ebs_volume

LAB_OF_TEN = 10


def month(table: str, kind: str) -> Decimal:
    price = PRICE_TABLES[table].machine(kind)
    assert price is not None
    return price


def cost(kind: EbsType, size: int, iops: int | None = None, throughput: int | None = None) -> Decimal:
    price = PRICES_2026.volume(EbsVolume(type=kind, size_gib=size, iops=iops, throughput=throughput))
    assert price is not None
    return price


def test_ten_machines_of_the_book_cost_about_380_dollars_at_the_prices_of_its_time() -> None:
    assert LAB_OF_TEN * month("2016", "t2.medium") == Decimal("379.60")


def test_the_same_ten_machines_cost_less_today() -> None:
    assert LAB_OF_TEN * month("2026", "t2.medium") == Decimal("338.72")


@pytest.mark.parametrize(
    ("kind", "hour"),
    [
        ("t2.nano", "0.0058"),
        ("t2.small", "0.023"),
        ("t3.micro", "0.0104"),
        ("t3.medium", "0.0416"),
        ("t3a.2xlarge", "0.3008"),
        ("t4g.small", "0.0168"),
        ("m5.24xlarge", "4.608"),
        ("m6g.16xlarge", "2.464"),
        ("m7a.xlarge", "0.23184"),
        ("c5.9xlarge", "1.53"),
        ("c5.18xlarge", "3.06"),
        ("c7g.4xlarge", "0.58"),
        ("r5a.12xlarge", "2.712"),
        ("r7i.2xlarge", "0.5292"),
    ],
)
def test_the_price_of_a_size_is_that_of_the_list(kind: str, hour: str) -> None:
    assert PRICES_2026.machines[kind] == Decimal(hour)


def test_every_type_that_the_plan_knows_has_a_price_today() -> None:
    assert set(PRICES_2026.machines) == set(EC2_TYPES)


def test_a_larger_size_of_a_family_costs_more() -> None:
    families: dict[str, list[tuple[int, float, Decimal]]] = {}
    for name, kind in EC2_TYPES.items():
        order = (kind.memory_bytes, kind.cpus, PRICES_2026.machines[name])
        families.setdefault(name.partition(".")[0], []).append(order)
    for sizes in families.values():
        prices = [price for *_, price in sorted(sizes)]
        assert prices == sorted(set(prices))


@pytest.mark.parametrize(
    ("kind", "size", "iops", "throughput", "usd"),
    [
        ("gp2", 75, None, None, "7.50"),
        ("gp3", 75, None, None, "6.00"),
        ("gp3", 75, 3_000, 125, "6.00"),
        ("gp3", 75, 3_001, 126, "6.045"),
        ("gp3", 2_000, 6_000, 250, "180.00"),
        ("io1", 75, 2_250, None, "155.625"),
        ("io2", 100, 100, None, "19.00"),
        ("io2", 2_000, 32_000, None, "2330.00"),
        ("io2", 2_000, 32_001, None, "2330.0455"),
        ("io2", 2_000, 64_000, None, "3786.00"),
        ("io2", 2_000, 64_001, None, "3786.03185"),
        ("io2", 2_000, 100_000, None, "4932.60"),
        ("st1", 125, None, None, "5.625"),
        ("sc1", 125, None, None, "1.875"),
        ("standard", 75, None, None, "3.75"),
    ],
)
def test_a_volume_costs_its_size_and_what_was_chosen_above_what_is_free(
    kind: EbsType, size: int, iops: int | None, throughput: int | None, usd: str
) -> None:
    assert cost(kind, size, iops, throughput) == Decimal(usd)


@pytest.mark.parametrize(
    ("profile", "legacy", "modern"),
    [("gold", "155.625", "155.625"), ("silver", "7.50", "6.00"), ("bronze", "3.75", "6.00")],
)
def test_the_default_volume_of_each_profile_has_a_price(profile: Profile, legacy: str, modern: str) -> None:
    assert PRICES_2026.volume(ebs_volume(profile, 75, "legacy", field="volume")) == Decimal(legacy)
    assert PRICES_2026.volume(ebs_volume(profile, 75, "modern", field="volume")) == Decimal(modern)


@given(st.integers(100, 255_999))
def test_one_more_iops_of_io2_never_costs_less_nor_more_than_the_first_price(iops: int) -> None:
    step = cost("io2", 1_000, iops + 1) - cost("io2", 1_000, iops)
    assert Decimal("0.03185") <= step <= Decimal("0.065")


def test_the_network_costs_what_the_hour_costs_730_times() -> None:
    assert PRICES_2026.each("NAT gateway") == Decimal("32.85")
    assert PRICES_2026.each("network load balancer") == Decimal("16.425")
    assert PRICES_2026.each("public IPv4 address") == Decimal("3.65")


def test_what_is_not_in_a_table_has_no_price() -> None:
    assert PRICES_2026.machine("x9.huge") is None
    assert PRICES_2016.machine("t3.medium") is None
    assert PRICES_2016.volume(EbsVolume(type="standard", size_gib=75)) is None
    assert PRICES_2016.each("public IPv4 address") is None


def test_every_table_says_its_date_and_the_page_of_each_group() -> None:
    for table in PRICE_TABLES.values():
        assert table.noted
        assert all(page.startswith("https://aws.amazon.com/") for page in table.sources.values())
    assert max(PRICE_TABLES) == NEWEST_PRICES
