"""The images and a place to start containers, for the tests that are marked e2e."""

import json
import secrets
from collections.abc import Generator
from typing import Any

import pytest

from images import build, engine
from images.progress import Progress
from images.recipe import recipes
from tests.unit.images.containers import Yard, built_image

WEB_SERVICES: tuple[str, ...] = ("nginx", "mariadb", "wordpress", "haproxy")
"""What the stack `dev` runs."""


@pytest.fixture(scope="session")
def built() -> dict[str, Any]:
    """What `make images` wrote, and under the name of each image its reference; built first where it is missing."""
    build.Builder(client=engine.connect(), progress=Progress()).run(WEB_SERVICES)
    sets: dict[str, dict[str, Any]] = json.loads((build.WORK_FOLDER / "images.json").read_bytes())["sets"]
    document = sets[",".join(sorted(WEB_SERVICES))]
    document["host"] = json.loads((build.WORK_FOLDER / "host.json").read_bytes())
    return {
        **{name: recipe.reference for name, recipe in recipes().items()},
        **{f"{k}.json": v for k, v in document.items()},
    }


@pytest.fixture(scope="session")
def spark_image() -> str:
    """The image of Spark; built first where it is missing."""
    return built_image("spark")


@pytest.fixture(scope="session")
def hadoop_image() -> str:
    """The image of HDFS and YARN; built first where it is missing."""
    return built_image("hadoop")


@pytest.fixture(scope="session")
def mvc_images() -> tuple[str, str]:
    """The images of both releases of the MVC application; built first where they are missing."""
    return built_image("mvc"), built_image("mvc-1.1")


@pytest.fixture(scope="session")
def influxdb_image() -> str:
    """The image of InfluxDB; built first where it is missing."""
    return built_image("influxdb")


@pytest.fixture
def yard(built: dict[str, Any]) -> Generator[Yard]:
    """A place for containers, empty again after the test."""
    client = engine.connect()
    prefix = f"flotilla-test-{secrets.token_hex(3)}"
    client.create_network(prefix, driver="bridge")
    try:
        yield Yard(client=client, prefix=prefix, images=built)
    finally:
        for container in client.containers(all=True, filters={"label": f"flotilla.test={prefix}"}):
            client.remove_container(container["Id"], force=True, v=True)
        client.remove_network(prefix)
