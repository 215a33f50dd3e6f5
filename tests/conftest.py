"""Settings of all tests: platforms on real Docker run one after the other, and so do single containers beside them."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the computer is, nothing about the code.
settings.register_profile("flotilla", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flotilla")

PLATFORMS = Path(__file__).resolve().parent / "e2e"


def pytest_configure(config: pytest.Config) -> None:
    """One folder for all processes of a run, so that a graph is recorded once, whichever worker wants it first."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="graphs-")
        os.environ["FLOTILLA_TEST_GRAPHS"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Platforms of two tests at once would fight for the computer and miss their deadlines, and so would many images.
    They share the two workers of `make test` about equally: one has the platforms, the other what is left of the rest.

    At once when an item is collected: when all are, xdist has read the groups already.
    """
    if item.get_closest_marker("e2e"):
        group = "e2e" if item.path.is_relative_to(PLATFORMS) else "containers"
        item.add_marker(pytest.mark.xdist_group(group))
