# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Brings the tables to the schema that this release needs: every migration once, in order, under a lock of the
database, so that it may be run at any time and by several at once."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from pymysql import MySQLError
from pymysql.constants import ER
from pymysql.err import OperationalError

from .database import SettingError, connect
from .release import Release

FOLDER = Path(__file__).parent.parent
LOCK = "mvc-migration"
WAIT_SECONDS = 60
MIGRATION_SECONDS = 3600
POLL_SECONDS = 0.5
VERSIONS = """
    CREATE TABLE IF NOT EXISTS schema_versions (
      version INT UNSIGNED NOT NULL PRIMARY KEY,
      name VARCHAR(100) NOT NULL,
      applied_by VARCHAR(100) NOT NULL,
      applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) ENGINE = InnoDB
"""


class MigrationError(Exception):
    """A sentence for the user."""


def main() -> int:
    """Exit code 0 when the schema is the one that is needed, or a later one."""
    release = Release.load(FOLDER / "release.json")
    try:
        deadline = time.monotonic() + int(os.environ.get("MVC_MIGRATION_WAIT", WAIT_SECONDS))
        connection = connected(deadline)
        try:
            lock(connection, deadline)
            schema = migrate(connection, release)
        finally:
            connection.close()  # the lock goes with it
    except (MigrationError, SettingError) as error:
        sys.stderr.write(f"mvc-migrate: {error}\n")
        return 1
    sys.stdout.write(f"release {release.version}: the schema is {schema}\n")
    return 0


def connected(deadline: float) -> Any:
    """A connection, as soon as there is a database; a password that is refused will not be taken later either."""
    while True:
        try:
            return connect(answer_seconds=MIGRATION_SECONDS)
        except OperationalError as error:
            if time.monotonic() > deadline or error.args[0] == ER.ACCESS_DENIED_ERROR:
                raise MigrationError(f"no way into the database: {error.args[-1]}") from None
            time.sleep(POLL_SECONDS)


def lock(connection: Any, deadline: float) -> None:
    """The lock of the migration: whoever comes second waits, and finds nothing left to do."""
    seconds = max(1, round(deadline - time.monotonic()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s) AS taken", (LOCK, seconds))
        if cursor.fetchone()["taken"] != 1:
            raise MigrationError(f"another migration has held the lock for {seconds} s")


def migrate(connection: Any, release: Release) -> int:
    """The schema afterwards. What a later release added is left alone: this one works with it."""
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS)
        cursor.execute("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions")
        schema = int(cursor.fetchone()["version"])
        for path in sorted((FOLDER / "migrations").glob("*.sql")):
            version = int(path.stem.partition("-")[0])
            if version > schema:
                apply(connection, cursor, path, version, release)
                schema = version
    if schema < release.schema:
        raise MigrationError(
            f"release {release.version} needs schema {release.schema}, and there is none after {schema}"
        )
    return schema


def apply(connection: Any, cursor: Any, path: Path, version: int, release: Release) -> None:
    """One file; its rows and its number are committed together."""
    try:
        for statement in statements(path.read_text()):
            cursor.execute(statement)
        cursor.execute(
            "INSERT INTO schema_versions (version, name, applied_by) VALUES (%s, %s, %s)",
            (version, path.stem, f"release {release.version}"),
        )
        connection.commit()
    except MySQLError as error:
        raise MigrationError(f"{path.name} failed: {error.args[-1]}") from None
    sys.stdout.write(f"applied {path.stem}\n")


def statements(text: str) -> list[str]:
    """Statements end with a semicolon at the end of a line."""
    return [statement for part in text.split(";\n") if (statement := part.strip())]


if __name__ == "__main__":
    sys.exit(main())
