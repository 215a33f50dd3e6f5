"""The database image: passwords from files, one initialisation, and what a kill in the middle of it leaves."""

import json
import time

import pytest

from tests.unit.images.containers import Started, Yard
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
_SETTINGS = {
    "MYSQL_DATABASE": "shop",
    "MYSQL_USER": "keeper",
    "MYSQL_PASSWORD_FILE": "/run/secrets/user",
    "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/root",
}
_AWKWARD = """it's a\\b"c$d`e;-- """
_PASSWORDS = {"/run/secrets/user": (_AWKWARD, 0o444), "/run/secrets/root": ("of-root", 0o444)}


def _database(yard: Yard) -> Started:
    return yard.start(yard.images["mariadb"], alias="database", files=_PASSWORDS, environment=_SETTINGS)


def _wait(database: Started) -> None:
    wait_for("the database answers", lambda: database.run("database-health")[0] == 0)


def _query(database: Started, user: str, password: str, query: str) -> tuple[int, str]:
    words = ["env", f"MYSQL_PWD={password}", "mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1"]
    return database.run(*words, "-u", user, "-N", "-e", query)


def test_the_user_reaches_its_database_over_tcp_with_a_password_of_awkward_characters(yard: Yard) -> None:
    database = _database(yard)
    _wait(database)
    assert _query(database, "keeper", _AWKWARD, "CREATE TABLE shop.t (n INT)") == (0, "")
    assert _query(database, "keeper", "wrong", "SELECT 1")[0] == 1
    assert _query(database, "health", "", "SHOW TABLES FROM shop")[0] == 1


def test_root_gets_in_from_inside_the_container_alone(yard: Yard) -> None:
    database = _database(yard)
    _wait(database)
    assert _query(database, "root", "of-root", "SELECT 1")[0] == 1
    socket = ["env", "MYSQL_PWD=of-root", "mariadb", "-u", "root", "-N", "-e"]
    assert database.run(*socket, "SELECT 1") == (0, "1\n")
    assert database.run("mariadb", "-u", "root", "-N", "-e", "SELECT 1")[0] == 1


@pytest.mark.parametrize("moment", [0.1, 0.3, 0.5, 0.8, 1.2])
def test_a_database_that_was_killed_while_it_was_made_is_made_by_the_next_start(yard: Yard, moment: float) -> None:
    database = _database(yard)
    time.sleep(moment)  # not to wait for something, but to vary where the kill hits
    yard.client.kill(database.identity)
    yard.client.start(database.identity)
    _wait(database)
    assert _query(database, "keeper", _AWKWARD, "CREATE TABLE shop.t (n INT)") == (0, "")


def test_data_outlives_the_container_and_a_stop_is_clean(yard: Yard) -> None:
    database = _database(yard)
    _wait(database)
    assert _query(database, "keeper", _AWKWARD, "CREATE TABLE shop.t AS SELECT 7 AS n")[0] == 0
    assert database.stop() == 0
    database.says("Shutdown complete")
    yard.client.start(database.identity)
    _wait(database)
    assert _query(database, "keeper", _AWKWARD, "SELECT n FROM shop.t") == (0, "7\n")
    assert database.logs().count("making the data folder") == 1


def test_a_missing_password_file_is_named_and_nothing_is_made(yard: Yard) -> None:
    database = yard.start(yard.images["mariadb"], environment=_SETTINGS)
    assert yard.client.wait(database.identity)["StatusCode"] == 78
    database.says("MYSQL_ROOT_PASSWORD_FILE is /run/secrets/root: there is no such file")
    assert "making the data folder" not in database.logs()


def test_no_password_is_in_a_log_an_argument_or_the_environment(yard: Yard) -> None:
    database = _database(yard)
    _wait(database)
    processes = database.processes()
    assert "mariadbd " in processes
    processes += json.dumps(yard.client.inspect_container(database.identity)["Config"])
    assert "MYSQL_ROOT_PASSWORD_FILE=/run/secrets/root" in processes
    database.says("making the data folder")
    for secret in ("of-root", _AWKWARD.strip()):
        assert secret not in processes
        assert secret not in database.logs()
