"""MTU: what is left for containers on an overlay network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.plan.errors import PlanError
from components.plan.mtu import LARGEST_UNDERLAY, SMALLEST_UNDERLAY, overlay_mtu

underlays = st.integers(SMALLEST_UNDERLAY, LARGEST_UNDERLAY)


@pytest.mark.parametrize(
    ("underlay", "plain", "encrypted"), [(1500, 1450, 1424), (1450, 1400, 1372), (9001, 8951, 8924)]
)
def test_the_known_links_have_the_known_overlays(underlay: int, plain: int, encrypted: int) -> None:
    assert overlay_mtu(underlay) == plain
    assert overlay_mtu(underlay, encrypted=True) == encrypted


@given(underlays)
def test_an_encrypted_packet_fits_its_link_and_wastes_less_than_a_block(underlay: int) -> None:
    encrypted = overlay_mtu(underlay, encrypted=True)
    assert encrypted % 4 == 0
    assert 0 <= underlay - 76 - encrypted < 4


@pytest.mark.parametrize("underlay", [0, 576, 1279, 9217])
def test_a_link_that_overlays_do_not_work_on_is_refused(underlay: int) -> None:
    with pytest.raises(PlanError) as refusal:
        overlay_mtu(underlay)
    assert str(refusal.value) == (
        f"network.mtu is {underlay}: no MTU that overlay networks work on; "
        "use 1280 to 9216, usually 1500, or 1450 where the cloud tunnels itself"
    )
