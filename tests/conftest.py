"""Settings of all tests: those on real Docker run one after the other, whatever else runs beside them."""

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Machines and swarms of two tests at once would fight for the computer and miss their deadlines.

    At once when an item is collected: when all are, xdist has read the groups already.
    """
    if item.get_closest_marker("e2e"):
        item.add_marker(pytest.mark.xdist_group("e2e"))
