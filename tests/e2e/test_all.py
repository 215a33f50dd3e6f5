"""Every product on one swarm, as `make up STACK=all` has it. Thirty services that start at once keep a small computer
busy for minutes: `make test` has the products in two halves instead."""

from collections.abc import Iterator

import pytest

from tests.browser.look import Page, look
from tests.e2e.platform import Platform, leftovers, settings_of, standing
from tests.e2e.together import PROMETHEUS, complete, replicas, some_of_all
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.deep, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The stack, up; taken down at the end whatever happened."""
    found = settings_of("Pulumi.all.yaml")
    settings = some_of_all(*found["services"], workers=found["workers"]["count"])
    with standing(tmp_path_factory.mktemp("all"), settings) as made:
        yield made


def test_everything_comes_up_by_one_command_and_stays_as_it_is(platform: Platform) -> None:
    platform.make("up")
    wait_for("every task", lambda: complete(replicas(platform)), 300)
    assert {"web", "wordpress", "spark-worker", "hadoop-namenode", "mvc", "registry", "ui"} <= set(replicas(platform))
    platform.make("up", "ARGS=--expect-no-changes")


def test_a_person_sees_all_of_it(platform: Platform) -> None:
    password = platform.outputs("--show-secrets")["monitoring_password"]

    def whole() -> Page:
        """What is measured comes node by node."""
        seen = look(f"http://flotilla:{password}@{PROMETHEUS}/consoles/swarm.html", wait_for="hadoop-namenode")
        names = ("worker-4", "spark-worker", "mvc-database", "wordpress")
        assert [name for name in names if name not in seen.text] == [], seen.text
        return seen

    assert not wait_for("all of it", whole).is_blank


def test_down_leaves_nothing(platform: Platform) -> None:
    platform.make("down")
    assert leftovers() == []
