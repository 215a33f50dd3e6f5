"""What the types of rented machines are: processors, memory and architecture, known before a machine exists, so that
placement is checked at preview. Types that are not here are used too, when the settings say their CPUs and memory."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from components.plan.errors import PlanError
from components.plan.sizes import GIB, MIB, format_size

Architecture = Literal["amd64", "arm64"]


@dataclass(frozen=True, kw_only=True)
class MachineType:
    """`memory_bytes` as the provider states it; a machine sees a little less."""

    name: str
    cpus: float
    memory_bytes: int
    architecture: Architecture | None = None


# Multiples of the size `large`, which has 2 vCPUs, and GiB of memory for each of them by the family's first letter.
_SIZES = {"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8}
_LARGE_SIZES = {"8xlarge": 16, "12xlarge": 24, "16xlarge": 32}
_LARGEST_SIZES = {"24xlarge": 48}
_C5_SIZES = {"9xlarge": 18, "12xlarge": 24, "18xlarge": 36, "24xlarge": 48}
_MEMORY_OF_LARGE = {"c": 4, "m": 8, "r": 16}
_INTEL_AND_AMD = ("m5", "m5a", "m6i", "m6a", "m7i", "m7a", "c6i", "c6a", "c7i", "c7a", "r5", "r5a", "r6i", "r6a", "r7i")
_GRAVITON = ("m6g", "m7g", "c6g", "c7g", "r6g", "r7g")

# Burstable sizes: vCPUs and GiB.
_T2 = {
    "nano": (1, 0.5), "micro": (1, 1), "small": (1, 2), "medium": (2, 4), "large": (2, 8), "xlarge": (4, 16),
    "2xlarge": (8, 32),
}  # fmt: skip
_T3 = {**_T2, "nano": (2, 0.5), "micro": (2, 1), "small": (2, 2)}


def _burstable() -> Iterator[MachineType]:
    families: tuple[tuple[str, dict[str, tuple[int, float]], Architecture], ...] = (
        ("t2", _T2, "amd64"),
        ("t3", _T3, "amd64"),
        ("t3a", _T3, "amd64"),
        ("t4g", _T3, "arm64"),
    )
    for family, sizes, architecture in families:
        for size, (cpus, gib) in sizes.items():
            yield _ec2(f"{family}.{size}", cpus, gib, architecture)


def _steady() -> Iterator[MachineType]:
    families: tuple[tuple[tuple[str, ...], dict[str, int], Architecture], ...] = (
        (_INTEL_AND_AMD, {**_SIZES, **_LARGE_SIZES, **_LARGEST_SIZES}, "amd64"),
        (("c5",), {**_SIZES, **_C5_SIZES}, "amd64"),
        (_GRAVITON, {**_SIZES, **_LARGE_SIZES}, "arm64"),
    )
    for names, sizes, architecture in families:
        for family in names:
            for size, times in sizes.items():
                yield _ec2(f"{family}.{size}", 2 * times, _MEMORY_OF_LARGE[family[0]] * times, architecture)


def _ec2(name: str, cpus: float, gib: float, architecture: Architecture) -> MachineType:
    return MachineType(name=name, cpus=cpus, memory_bytes=int(gib * GIB), architecture=architecture)


EC2_TYPES: Mapping[str, MachineType] = {kind.name: kind for kind in (*_burstable(), *_steady())}
"""EC2 instance types (https://aws.amazon.com/ec2/instance-types/)."""

NOVA_FLAVORS: Mapping[str, MachineType] = {
    name: MachineType(name=name, cpus=cpus, memory_bytes=memory * MIB)
    for name, cpus, memory in (
        ("m1.tiny", 1, 512),
        ("m1.small", 1, 2048),
        ("m1.medium", 2, 4096),
        ("m1.large", 4, 8192),
        ("m1.xlarge", 8, 16384),
    )
}
"""Nova's classic flavours; a site may have others, or others of these names."""


def machine_type(
    name: str,
    known: Mapping[str, MachineType],
    *,
    field: str,
    cpus: float | None = None,
    memory_bytes: int | None = None,
) -> MachineType:
    """The type by name; where it is not known, what `cpus` and `memory_bytes` say of it, else PlanError."""
    found = known.get(name)
    if found is None and cpus is not None and memory_bytes is not None:
        return MachineType(name=name, cpus=cpus, memory_bytes=memory_bytes)
    if found is None:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        meant = f"use {close[0]}, or " if close else ""
        raise PlanError(
            field=f"{field}.type",
            value=name,
            problem="no type that is known here",
            fix=f"{meant}say its {field}.cpus and {field}.memory too",
        )
    if cpus is not None and cpus != found.cpus:
        raise PlanError(field=f"{field}.cpus", value=cpus, problem=f"{name} has {found.cpus:g}", fix="leave it out")
    if memory_bytes is not None and memory_bytes != found.memory_bytes:
        has = format_size(found.memory_bytes)
        raise PlanError(
            field=f"{field}.memory", value=format_size(memory_bytes), problem=f"{name} has {has}", fix="leave it out"
        )
    return found


def check_architecture(kind: MachineType, image: Architecture, *, field: str) -> None:
    """PlanError for a type that the machine image does not run on."""
    if kind.architecture is not None and kind.architecture != image:
        raise PlanError(
            field=field,
            value=kind.name,
            problem=f"it is {kind.architecture}, and the machine image (aws.image) is {image}",
            fix=f"use a type of {image}, or an image of {kind.architecture}",
        )


_IN_NAMES: Mapping[Architecture, tuple[str, ...]] = {"amd64": ("amd64", "x86_64"), "arm64": ("arm64", "aarch64")}


def check_image_name(name: str, image: Architecture, *, field: str) -> None:
    """PlanError for the name of an image that says another architecture; one that says none is believed."""
    said = [architecture for architecture, words in _IN_NAMES.items() if any(word in name.lower() for word in words)]
    if said and image not in said:
        raise PlanError(
            field=field,
            value=name,
            problem=f"by its name it is of {said[0]}, and aws.image.architecture is {image}",
            fix=f"use a parameter of {image}, or aws.image.architecture {said[0]}",
        )
