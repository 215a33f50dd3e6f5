"""Tables of settings in the documents are the code's."""

from pathlib import Path

import pytest

from stacks.settings import Settings
from stacks.tables import documents, renewed, table

DOCUMENTS = documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_current(path: Path) -> None:
    assert path.read_text() == renewed(path.read_text()), "run `make schema`"


def test_the_page_of_spark_has_a_table() -> None:
    assert "spark.md" in [path.name for path in DOCUMENTS]


def test_a_table_has_every_setting_with_its_default_and_what_is_needed() -> None:
    rows = {row.split("|")[1].strip(" `"): row for row in table("services.spark").splitlines()[2:]}
    assert "| `1g` |" in rows["memory"]
    assert "| whole number from 1 to 65535 | `8083` |" in rows["history.port"]
    assert "| needed |" in rows["jobs.NAME.application"]
    assert "`cluster` or `driver`" in rows["jobs.NAME.where"]
    assert all(row.count("|") == 5 for row in rows.values())


def test_a_table_that_is_old_is_replaced_and_the_text_around_it_is_kept() -> None:
    text = "before\n<!-- settings of swarm -->\nold\n<!-- end -->\nafter\n"
    assert renewed(text) == f"before\n<!-- settings of swarm -->\n{table('swarm')}<!-- end -->\nafter\n"
    assert "old" not in renewed(text)
    with pytest.raises(KeyError):
        table("no.such.section")


def test_every_section_of_the_settings_can_be_a_table() -> None:
    for name in Settings.model_fields:
        if name not in ("cloud", "protect", "nodes", "volumes", "images", "compose"):
            assert table(name).count("\n") > 2
