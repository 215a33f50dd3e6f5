"""Which capabilities a machine may have."""

import pytest

from images.host import bounding_set, capabilities
from images.progress import BuildError

_FULL = 0x1FFFFFFFFFF


def _status(name: str, bits: int) -> str:
    return f"Name:\t{name}\nUmask:\t0022\nCapInh:\t0000000000000000\nCapBnd:\t{bits:016x}\nCapAmb:\t0000000000000000\n"


def test_what_dockerd_may_give_counts_not_what_the_first_process_may() -> None:
    assert bounding_set(_status("systemd", _FULL) + _status("dockerd", 0x3)) == 0x3


def test_the_first_process_counts_where_dockerd_is_hidden() -> None:
    assert bounding_set(_status("init", 0x7) + _status("containerd", 0x1)) == 0x7


def test_a_host_that_tells_nothing_is_an_error() -> None:
    with pytest.raises(BuildError, match="no line CapBnd"):
        bounding_set("")


def test_bits_have_the_kernels_names() -> None:
    assert capabilities(1 << 12 | 1 << 21) == ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]


def test_a_missing_bit_is_left_out_and_bits_that_docker_does_not_know_too() -> None:
    names = capabilities(_FULL & ~(1 << 24))
    assert len(names) == 37
    assert "CAP_SYS_RESOURCE" not in names
    assert names[-1] == "CAP_AUDIT_READ"
