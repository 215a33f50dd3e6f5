"""The model: products in the database, by statements whose values are always parameters."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .database import connect
from .release import Field, Value

PAGE = 50
Product = Mapping[str, Any]


class Catalogue:
    """The products, over one connection."""

    def __init__(self, connection: Any, fields: Sequence[Field]) -> None:
        self._connection = connection
        self._columns = [field.name for field in fields]

    def page(self, number: int) -> list[Product]:
        """A page of products, the newest first; one more than a page holds tells that there is another."""
        statement = f"SELECT id, {', '.join(self._columns)} FROM products ORDER BY id DESC LIMIT %s OFFSET %s"  # noqa: S608
        return self._rows(statement, (PAGE + 1, (number - 1) * PAGE))

    def product(self, identity: int) -> Product | None:
        """One product."""
        found = self._rows(f"SELECT id, {', '.join(self._columns)} FROM products WHERE id = %s", (identity,))  # noqa: S608
        return found[0] if found else None

    def add(self, values: Mapping[str, Value]) -> int:
        """Its id."""
        places = ", ".join(["%s"] * len(self._columns))
        statement = f"INSERT INTO products ({', '.join(self._columns)}) VALUES ({places})"  # noqa: S608
        with self._connection.cursor() as cursor:
            cursor.execute(statement, [values[column] for column in self._columns])
            self._connection.commit()
            return cursor.lastrowid

    def change(self, identity: int, values: Mapping[str, Value]) -> None:
        """Only the columns that this release knows."""
        changes = ", ".join(f"{column} = %s" for column in self._columns)
        statement = f"UPDATE products SET {changes} WHERE id = %s"  # noqa: S608
        with self._connection.cursor() as cursor:
            cursor.execute(statement, [*(values[column] for column in self._columns), identity])
            self._connection.commit()

    def schema(self) -> int:
        """The version of the tables."""
        return int(self._rows("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions", ())[0]["version"])

    def _rows(self, statement: str, values: Sequence[Value]) -> list[Product]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())


@contextmanager
def catalogue(fields: Sequence[Field]) -> Generator[Catalogue]:
    """The catalogue for as long as a request takes."""
    connection = connect()
    try:
        yield Catalogue(connection, fields)
    finally:
        connection.close()
