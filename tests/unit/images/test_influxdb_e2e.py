"""InfluxDB's image: the database that a Compose file names, points that stay, and how it stops."""

import pytest

from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


def _influxdb(yard: Yard, image: str, environment: dict[str, str]) -> Started:
    started = yard.start(image, environment=environment)
    wait_for("InfluxDB answers", lambda: started.run("influx", "-execute", "SHOW DATABASES")[0] == 0)
    return started


def test_the_database_that_is_named_is_made_and_keeps_points_over_a_restart(yard: Yard, influxdb_image: str) -> None:
    started = _influxdb(yard, influxdb_image, {"INFLUXDB_DB": "metrics"})
    wait_for("the database is made", lambda: "\nmetrics\n" in started.run("influx", "-execute", "SHOW DATABASES")[1])
    write = ("curl", "-fsS", "http://127.0.0.1:8086/write?db=metrics", "--data-binary", "load,node=a one=0.5")
    assert started.run(*write) == (0, "")
    yard.client.restart(started.identity)
    query = ("influx", "-database", "metrics", "-execute", "SELECT one FROM load")
    wait_for("the point is there", lambda: "0.5" in started.run(*query)[1])


def test_influxdb_runs_without_root_and_stops_gracefully(yard: Yard, influxdb_image: str) -> None:
    started = _influxdb(yard, influxdb_image, {})
    code, listed = started.run("influx", "-execute", "SHOW DATABASES")
    assert (code, "\nmetrics\n" in listed) == (0, False), listed
    assert started.run("id", "-un") == (0, "influxdb\n")
    assert started.stop() == 0
