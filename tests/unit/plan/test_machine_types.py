"""Types of rented machines: what is known of them beforehand, and what is refused."""

import pytest

from components.plan.errors import PlanError
from components.plan.machine_types import EC2_TYPES, NOVA_FLAVORS, check_architecture, machine_type
from components.plan.sizes import GIB


@pytest.mark.parametrize(
    ("name", "cpus", "gib", "architecture"),
    [
        ("t2.medium", 2, 4, "amd64"),
        ("t3.micro", 2, 1, "amd64"),
        ("t4g.small", 2, 2, "arm64"),
        ("m5.large", 2, 8, "amd64"),
        ("m7g.4xlarge", 16, 64, "arm64"),
        ("c5.9xlarge", 36, 72, "amd64"),
        ("c6i.8xlarge", 32, 64, "amd64"),
        ("r6g.xlarge", 4, 32, "arm64"),
        ("m5.24xlarge", 96, 384, "amd64"),
    ],
)
def test_a_type_has_the_processors_and_memory_that_aws_states(
    name: str, cpus: int, gib: int, architecture: str
) -> None:
    kind = EC2_TYPES[name]
    assert (kind.cpus, kind.memory_bytes, kind.architecture) == (cpus, gib * GIB, architecture)


def test_the_classic_flavors_of_nova_are_known() -> None:
    assert NOVA_FLAVORS["m1.small"].memory_bytes == 2 * GIB


def test_a_type_that_is_not_known_may_be_described() -> None:
    kind = machine_type("x9.huge", EC2_TYPES, field="workers", cpus=64, memory_bytes=512 * GIB)
    assert (kind.name, kind.cpus, kind.memory_bytes) == ("x9.huge", 64, 512 * GIB)


def test_a_type_that_is_not_known_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        PlanError, match=r"^workers\.type is 't3\.mediumm': .*; use t3\.medium, or say its workers\.cpus"
    ):
        machine_type("t3.mediumm", EC2_TYPES, field="workers")


def test_what_is_said_of_a_known_type_has_to_be_true() -> None:
    assert machine_type("t3.medium", EC2_TYPES, field="workers", cpus=2).cpus == 2
    with pytest.raises(PlanError, match=r"workers\.cpus is 4: t3\.medium has 2; leave it out"):
        machine_type("t3.medium", EC2_TYPES, field="workers", cpus=4)


def test_an_image_of_another_architecture_is_refused() -> None:
    check_architecture(EC2_TYPES["t4g.small"], "arm64", field="workers.type")
    check_architecture(NOVA_FLAVORS["m1.small"], "arm64", field="workers")
    with pytest.raises(PlanError, match=r"workers\.type is 't4g\.small': it is arm64, and the machine image"):
        check_architecture(EC2_TYPES["t4g.small"], "amd64", field="workers.type")
