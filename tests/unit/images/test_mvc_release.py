"""What a release of the MVC application is: the fields that it reads, and migrations that an older release survives."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from images.mvc.catalogue.release import Field, Release
from images.recipe import IMAGES_FOLDER

FIRST, SECOND = IMAGES_FOLDER / "mvc", IMAGES_FOLDER / "mvc-1.1"
RELEASES = [Release.load(folder / "release.json") for folder in (FIRST, SECOND)]
MIGRATIONS = sorted([*(FIRST / "migrations").iterdir(), *SECOND.glob("*.sql")], key=lambda path: path.name)
FORM = {"name": " Kayak ", "category": "Water", "price": "275", "stock": "4"}


def test_a_form_becomes_values_of_the_fields_that_the_release_knows() -> None:
    first, second = RELEASES
    assert first.read(FORM) == ({"name": "Kayak", "category": "Water", "price": Decimal(275)}, [])
    assert second.read(FORM)[0]["stock"] == 4


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("name", "  ", "Name is missing."),
        ("name", "x" * 101, "Name is longer than 100 characters."),
        ("price", "cheap", "Price is not an amount such as 12.50."),
        ("price", "-1", "Price is not an amount such as 12.50."),
        ("price", "1.005", "Price is not an amount such as 12.50."),
        ("price", "1e9", "Price is not an amount such as 12.50."),
        ("price", "NaN", "Price is not an amount such as 12.50."),
        ("price", "Infinity", "Price is not an amount such as 12.50."),
        ("stock", "1.5", "In stock is not a whole number."),
        ("stock", "4294967296", "In stock is not a whole number."),
        ("stock", "٣", "In stock is not a whole number."),
    ],
)
def test_a_value_that_a_column_does_not_hold_is_told_in_a_sentence(field: str, text: str, sentence: str) -> None:
    values, wrong = RELEASES[1].read({**FORM, field: text})
    assert wrong == [sentence]
    assert field not in values


def test_a_field_whose_name_would_be_more_than_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="is no name of a field"):
        Field("price = 0 --", "Price", "price")


def test_each_release_needs_the_schema_of_the_last_migration_that_it_brings() -> None:
    numbers = [int(path.name[:4]) for path in MIGRATIONS]
    assert numbers == [1, 2]
    assert [release.schema for release in RELEASES] == numbers
    assert [release.version for release in RELEASES] == ["1.0", "1.1"]


@pytest.mark.parametrize("path", MIGRATIONS[1:], ids=lambda path: path.name)
def test_a_later_migration_takes_nothing_away_from_the_release_before(path: Path) -> None:
    """Tasks of both releases run beside each other while one replaces the other."""
    text = re.sub("--.*", "", path.read_text()).upper()
    assert not re.search(r"\b(DROP|RENAME|MODIFY|CHANGE|TRUNCATE|DELETE)\b", text)
    assert text.count("ADD COLUMN") == text.count("DEFAULT") > 0


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.name)
def test_a_migration_that_was_killed_halfway_may_be_run_again(path: Path) -> None:
    """MariaDB commits each change of a table by itself."""
    changes = [part for part in path.read_text().split(";\n") if re.search(r"^(CREATE|ALTER)", part, re.MULTILINE)]
    assert changes
    assert all("IF NOT EXISTS" in change for change in changes)
