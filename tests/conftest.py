"""Settings of all tests: those on real Docker run one after the other, whatever else runs beside them."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Machines and swarms of two tests at once would fight for the computer and miss their deadlines."""
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("e2e"))
