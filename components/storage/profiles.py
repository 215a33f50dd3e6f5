"""Storage profiles: what gold, silver and bronze mean in volume types, and the limits of every EBS type.

The set `legacy` is Flocker's exact table (M106-M108), `modern` the same promises in today's types. A volume outside the
limits of its type is refused here, at preview, and never becomes one of a lesser type without a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from components.plan.errors import PlanError

Profile = Literal["gold", "silver", "bronze"]
ProfileSet = Literal["legacy", "modern"]
EbsType = Literal["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"]

DEFAULT_SIZE_GIB = 75
"""Flocker's size where none is given (M105)."""

GOLD_IOPS_PER_GIB = 30
GOLD_MOST_IOPS = 20_000

_GP3_BASE_IOPS = 3_000
_GP3_BASE_THROUGHPUT = 125
_GP2_MOST_IOPS = 16_000
_GP2_SMALL_GIB = 170
_GP2_THROUGHPUT = 250
_ST1_SMALLEST_GIB = 125


@dataclass(frozen=True, kw_only=True)
class EbsLimits:
    """Bounds of a volume type: `size` in GiB, `iops` and `throughput` (MiB/s) None where they are not to be chosen,
    `iops_per_gib` the most for each GiB.

    Source: the EC2 API's own model of CreateVolume, and for the ratios AWS's EBS CSI driver.
    """

    size: tuple[int, int]
    iops: tuple[int, int] | None = None
    iops_required: bool = False
    iops_per_gib: int = 0
    throughput: tuple[int, int] | None = None


EBS_LIMITS: Mapping[EbsType, EbsLimits] = {
    "gp2": EbsLimits(size=(1, 16_384)),
    "gp3": EbsLimits(size=(1, 65_536), iops=(_GP3_BASE_IOPS, 80_000), iops_per_gib=500, throughput=(125, 2_000)),
    "io1": EbsLimits(size=(4, 16_384), iops=(100, 64_000), iops_required=True, iops_per_gib=50),
    "io2": EbsLimits(size=(4, 65_536), iops=(100, 256_000), iops_required=True, iops_per_gib=1_000),
    "st1": EbsLimits(size=(_ST1_SMALLEST_GIB, 16_384)),
    "sc1": EbsLimits(size=(_ST1_SMALLEST_GIB, 16_384)),
    "standard": EbsLimits(size=(1, 1_024)),
}

IOPS_PER_THROUGHPUT = 4
"""IOPS that each MiB/s of a gp3 volume needs."""


@dataclass(frozen=True, kw_only=True)
class EbsVolume:
    """An EBS volume to be: `size_gib` in GiB, `throughput` in MiB/s."""

    type: EbsType
    size_gib: int
    iops: int | None = None
    throughput: int | None = None


def ebs_volume(profile: Profile, size_gib: int, profiles: ProfileSet, *, field: str) -> EbsVolume:
    """The volume of a profile; PlanError, naming the `field` of the size, where its type cannot be of that size."""
    volume = _TABLES[profiles][profile](size_gib)
    _check_size(volume, field=field, because=f" (profile {profile} is {volume.type})")
    return volume


def _legacy_gold(size: int) -> EbsVolume:
    return EbsVolume(type="io1", size_gib=size, iops=min(GOLD_IOPS_PER_GIB * size, GOLD_MOST_IOPS))


def _legacy_silver(size: int) -> EbsVolume:
    return EbsVolume(type="gp2", size_gib=size)


def _legacy_bronze(size: int) -> EbsVolume:
    return EbsVolume(type="standard", size_gib=size)


def _modern_gold(size: int) -> EbsVolume:
    return EbsVolume(type="io2", size_gib=size, iops=max(100, min(GOLD_IOPS_PER_GIB * size, GOLD_MOST_IOPS)))


def _modern_silver(size: int) -> EbsVolume:
    """What gp2 gives by its size, in gp3's words."""
    return EbsVolume(
        type="gp3",
        size_gib=size,
        iops=max(_GP3_BASE_IOPS, min(3 * size, _GP2_MOST_IOPS)),
        throughput=_GP3_BASE_THROUGHPUT if size <= _GP2_SMALL_GIB else _GP2_THROUGHPUT,
    )


def _modern_bronze(size: int) -> EbsVolume:
    """Spinning disks where they are to be had: 75 GiB is too small for one."""
    if size >= _ST1_SMALLEST_GIB:
        return EbsVolume(type="st1", size_gib=size)
    return EbsVolume(type="gp3", size_gib=size, iops=_GP3_BASE_IOPS, throughput=_GP3_BASE_THROUGHPUT)


_TABLES: Mapping[ProfileSet, Mapping[Profile, Callable[[int], EbsVolume]]] = {
    "legacy": {"gold": _legacy_gold, "silver": _legacy_silver, "bronze": _legacy_bronze},
    "modern": {"gold": _modern_gold, "silver": _modern_silver, "bronze": _modern_bronze},
}


def check_ebs_volume(volume: EbsVolume, *, field: str, size_field: str) -> None:
    """PlanError for a volume that AWS would refuse, naming the bound; `field` is where type, IOPS and throughput are
    set, `size_field` where the size is."""
    limits = EBS_LIMITS[volume.type]
    _check_size(volume, field=size_field)
    _check_chosen(volume.iops, limits.iops, f"{field}.iops", volume.type)
    _check_chosen(volume.throughput, limits.throughput, f"{field}.throughput", volume.type)
    if limits.iops_required and volume.iops is None:
        raise PlanError(
            field=f"{field}.iops",
            value=None,
            problem=f"{volume.type} has none of its own",
            fix=f"give one, at most {limits.iops_per_gib * volume.size_gib} for {volume.size_gib} GiB",
        )
    # What a small gp3 volume has by itself needs no size.
    if volume.iops is not None and volume.iops > _free_iops(volume.type):
        most = limits.iops_per_gib * volume.size_gib
        if volume.iops > most:
            raise PlanError(
                field=f"{field}.iops",
                value=volume.iops,
                problem=f"{volume.type} gives at most {limits.iops_per_gib} for each GiB",
                fix=f"use at most {most} for {volume.size_gib} GiB, or a larger volume",
            )
    if volume.throughput is not None:
        iops = volume.iops or _GP3_BASE_IOPS
        if volume.throughput * IOPS_PER_THROUGHPUT > iops:
            raise PlanError(
                field=f"{field}.throughput",
                value=volume.throughput,
                problem=f"each MiB/s needs {IOPS_PER_THROUGHPUT} IOPS, and the volume has {iops}",
                fix=f"use at most {iops // IOPS_PER_THROUGHPUT}, or more IOPS",
            )


def _check_size(volume: EbsVolume, *, field: str, because: str = "") -> None:
    """`because` is why it is of that type."""
    _within(volume.size_gib, EBS_LIMITS[volume.type].size, field, " GiB", f"{volume.type} takes{because}")


def _free_iops(kind: EbsType) -> int:
    return _GP3_BASE_IOPS if kind == "gp3" else 0


def _check_chosen(value: int | None, bounds: tuple[int, int] | None, field: str, kind: EbsType) -> None:
    if value is None:
        return
    if bounds is None:
        raise PlanError(
            field=field, value=value, problem=f"{kind} takes no such setting", fix="leave it out, or use another type"
        )
    _within(value, bounds, field, "", f"{kind} takes")


def _within(value: int, bounds: tuple[int, int], field: str, unit: str, who: str) -> None:
    lowest, highest = bounds
    if not lowest <= value <= highest:
        nearest = lowest if value < lowest else highest
        raise PlanError(
            field=field,
            value=f"{value}{unit}",
            problem=f"{who} {lowest} to {highest}{unit}",
            fix=f"use {nearest}{unit}",
        )
