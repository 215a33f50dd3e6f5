"""What a release is: its version, the schema that it needs, and the fields of a product. It is data, so that the next
release is a file and a migration, on top of the same code."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

Value = str | Decimal | int
_LONGEST_TEXT = 100
_HIGHEST_PRICE = Decimal("99999999.99")
_HIGHEST_COUNT = 2**32 - 1


@dataclass(frozen=True)
class Field:
    """A field of a product, and the column of the same name."""

    name: str
    label: str
    kind: Literal["text", "price", "count"]

    def __post_init__(self) -> None:
        # It ends in statements, where a name cannot be a parameter.
        if not re.fullmatch("[a-z_]+", self.name):
            raise ValueError(f"{self.name!r} is no name of a field")

    def read(self, text: str) -> Value:
        """The value that a user wrote; ValueError with a sentence for the user."""
        text = text.strip()
        if not text:
            raise ValueError(f"{self.label} is missing.")
        if self.kind == "price":
            return self._price(text)
        if self.kind == "count":
            return self._count(text)
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"{self.label} is longer than {_LONGEST_TEXT} characters.")
        return text

    def _price(self, text: str) -> Decimal:
        try:
            price = Decimal(text)
        except InvalidOperation:
            price = Decimal(-1)
        if not price.is_finite() or not 0 <= price <= _HIGHEST_PRICE or price != round(price, 2):
            raise ValueError(f"{self.label} is not an amount such as 12.50.")
        return price

    def _count(self, text: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) > _HIGHEST_COUNT:
            raise ValueError(f"{self.label} is not a whole number.")
        return int(text)


@dataclass(frozen=True)
class Release:
    """One release of the application; `schema` is the version of the tables that it needs at least."""

    version: str
    schema: int
    fields: tuple[Field, ...]

    @classmethod
    def load(cls, path: Path) -> "Release":
        """The release that a file describes."""
        document: dict[str, Any] = json.loads(path.read_bytes())
        fields = tuple(Field(**field) for field in document["fields"])
        return cls(document["version"], document["schema"], fields)

    def read(self, form: "dict[str, str]") -> "tuple[dict[str, Value], list[str]]":
        """The values of a form by field, and a sentence for each that is wrong."""
        values: dict[str, Value] = {}
        wrong: list[str] = []
        for field in self.fields:
            try:
                values[field.name] = field.read(form.get(field.name, ""))
            except ValueError as error:
                wrong.append(str(error))
        return values, wrong
