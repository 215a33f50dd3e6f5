"""Storage profiles: Flocker's exact formulas, today's types beside them, and every bound of every type, both sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.storage.profiles import (
    DEFAULT_SIZE_GIB,
    EBS_LIMITS,
    EbsType,
    EbsVolume,
    Profile,
    ProfileSet,
    check_ebs_volume,
    ebs_volume,
)

SIZES = st.integers(min_value=1, max_value=70_000)
TYPES = sorted(EBS_LIMITS)


def made(profile: Profile, size: int, profiles: ProfileSet = "legacy") -> EbsVolume:
    return ebs_volume(profile, size, profiles, field="volumes.data.size")


def checked(volume: EbsVolume) -> None:
    check_ebs_volume(volume, field="v", size_field="v.size")


def outcome(profile: Profile, size: int, profiles: ProfileSet) -> EbsVolume | str:
    """The volume, or the words of the refusal."""
    try:
        return made(profile, size, profiles)
    except PlanError as refusal:
        return str(refusal)


@pytest.mark.parametrize(
    ("size", "iops"),
    [
        (4, 120),
        (5, 150),
        (33, 990),
        (75, 2_250),
        (100, 3_000),
        (666, 19_980),
        (667, 20_000),
        (668, 20_000),
        (16_384, 20_000),
    ],
)
def test_legacy_gold_is_io1_with_thirty_iops_a_gib_up_to_twenty_thousand(size: int, iops: int) -> None:
    assert made("gold", size) == EbsVolume(type="io1", size_gib=size, iops=iops)


@given(st.integers(min_value=4, max_value=16_384))
def test_legacy_gold_follows_the_formula_at_every_size(size: int) -> None:
    assert made("gold", size).iops == min(30 * size, 20_000)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_gold_that_is_too_small_for_its_type_is_refused_and_never_becomes_bronze(size: int) -> None:
    with pytest.raises(
        PlanError, match=r"volumes\.data\.size is '\d GiB': io1 takes \(profile gold is io1\) 4 to 16384"
    ):
        made("gold", size)


def test_legacy_silver_is_gp2_and_bronze_is_magnetic() -> None:
    assert made("silver", 75) == EbsVolume(type="gp2", size_gib=75)
    assert made("bronze", 75) == EbsVolume(type="standard", size_gib=75)
    assert DEFAULT_SIZE_GIB == 75


@pytest.mark.parametrize(("size", "iops"), [(4, 120), (75, 2_250), (666, 19_980), (667, 20_000), (65_536, 20_000)])
def test_modern_gold_is_io2_with_the_iops_of_the_old(size: int, iops: int) -> None:
    assert made("gold", size, "modern") == EbsVolume(type="io2", size_gib=size, iops=iops)


@pytest.mark.parametrize(
    ("size", "iops", "throughput"),
    [
        (1, 3_000, 125),
        (75, 3_000, 125),
        (170, 3_000, 125),
        (171, 3_000, 250),
        (1_000, 3_000, 250),
        (1_001, 3_003, 250),
        (5_333, 15_999, 250),
        (5_334, 16_000, 250),
        (65_536, 16_000, 250),
    ],
)
def test_modern_silver_is_gp3_with_what_gp2_gives_by_its_size(size: int, iops: int, throughput: int) -> None:
    assert made("silver", size, "modern") == EbsVolume(type="gp3", size_gib=size, iops=iops, throughput=throughput)


def test_modern_bronze_is_a_spinning_disk_where_there_is_one_and_base_gp3_below() -> None:
    assert made("bronze", 124, "modern") == EbsVolume(type="gp3", size_gib=124, iops=3_000, throughput=125)
    assert made("bronze", 125, "modern") == EbsVolume(type="st1", size_gib=125)


@given(st.sampled_from(["gold", "silver", "bronze"]), SIZES, st.sampled_from(["legacy", "modern"]))
def test_a_profile_gives_a_volume_within_its_limits_or_a_refusal(
    profile: Profile, size: int, profiles: ProfileSet
) -> None:
    volume = outcome(profile, size, profiles)
    if isinstance(volume, str):
        assert volume.startswith(f"volumes.data.size is '{size} GiB': ")
        return
    checked(volume)
    limits = EBS_LIMITS[volume.type]
    assert volume.size_gib == size
    assert limits.size[0] <= size <= limits.size[1]
    assert volume.iops is None or (limits.iops is not None and limits.iops[0] <= volume.iops <= limits.iops[1])


@pytest.mark.parametrize("kind", TYPES)
def test_the_bounds_of_a_size_hold_on_both_sides(kind: EbsType) -> None:
    limits = EBS_LIMITS[kind]
    lowest, highest = limits.size
    for size in (lowest, highest):
        iops = min(limits.iops[0], limits.iops_per_gib * size) if limits.iops_required and limits.iops else None
        checked(EbsVolume(type=kind, size_gib=size, iops=iops))
    for size, nearest in ((lowest - 1, lowest), (highest + 1, highest)):
        with pytest.raises(PlanError, match=rf"v\.size is '{size} GiB': .*; use {nearest} GiB"):
            checked(EbsVolume(type=kind, size_gib=size))


@pytest.mark.parametrize("kind", [kind for kind in TYPES if EBS_LIMITS[kind].iops])
def test_the_bounds_of_iops_hold_on_both_sides(kind: EbsType) -> None:
    limits = EBS_LIMITS[kind]
    assert limits.iops is not None
    lowest, highest = limits.iops
    large = limits.size[1]
    for iops in (lowest, highest):
        checked(EbsVolume(type=kind, size_gib=large, iops=iops))
    for iops, nearest in ((lowest - 1, lowest), (highest + 1, highest)):
        with pytest.raises(PlanError, match=rf"v\.iops is '{iops}': .*; use {nearest}"):
            checked(EbsVolume(type=kind, size_gib=large, iops=iops))


@pytest.mark.parametrize(("kind", "size", "most"), [("io1", 10, 500), ("io2", 10, 10_000), ("gp3", 10, 5_000)])
def test_the_ratio_of_iops_to_size_holds_on_both_sides(kind: EbsType, size: int, most: int) -> None:
    checked(EbsVolume(type=kind, size_gib=size, iops=most))
    with pytest.raises(
        PlanError, match=rf"v\.iops is {most + 1}: {kind} gives at most \d+ for each GiB; use at most {most}"
    ):
        checked(EbsVolume(type=kind, size_gib=size, iops=most + 1))


def test_the_base_iops_of_gp3_need_no_size() -> None:
    checked(EbsVolume(type="gp3", size_gib=1, iops=3_000))


@pytest.mark.parametrize(
    ("throughput", "iops", "reason"),
    [
        (124, None, r"v\.throughput is '124': gp3 takes 125 to 2000; use 125"),
        (2_001, 80_000, r"v\.throughput is '2001': gp3 takes 125 to 2000; use 2000"),
        (751, None, r"v\.throughput is 751: each MiB/s needs 4 IOPS, and the volume has 3000; use at most 750"),
        (1_251, 5_000, r"v\.throughput is 1251: .* has 5000; use at most 1250"),
    ],
)
def test_the_bounds_of_throughput_hold(throughput: int, iops: int | None, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        checked(EbsVolume(type="gp3", size_gib=1_000, iops=iops, throughput=throughput))


@pytest.mark.parametrize(("throughput", "iops"), [(125, None), (750, None), (2_000, 8_000), (1_250, 5_000)])
def test_throughput_within_its_bounds_is_taken(throughput: int, iops: int | None) -> None:
    checked(EbsVolume(type="gp3", size_gib=1_000, iops=iops, throughput=throughput))


@pytest.mark.parametrize("kind", ["gp2", "st1", "sc1", "standard"])
def test_iops_that_cannot_be_chosen_are_refused(kind: EbsType) -> None:
    with pytest.raises(PlanError, match=rf"v\.iops is 3000: {kind} takes no such setting"):
        checked(EbsVolume(type=kind, size_gib=500, iops=3_000))


@pytest.mark.parametrize("kind", ["io1", "io2"])
def test_iops_that_must_be_chosen_are_asked_for(kind: EbsType) -> None:
    with pytest.raises(PlanError, match=rf"v\.iops is None: {kind} has none of its own; give one, at most"):
        checked(EbsVolume(type=kind, size_gib=500))
