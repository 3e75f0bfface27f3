"""Columns whose values stay in the database: what is selected in their place."""

import dataclasses

import pytest
from metadata_export.arguments import parse_arguments
from metadata_export.catalog import Table
from metadata_export.errors import ArgumentError
from metadata_export.mask import masked_columns, select_list
from metadata_export.row_filter import RowFilter
from metadata_export.statements import CHUNK_BYTES, copy_statements

from tests.unit.glue.conftest import catalog, sizes, table
from tests.unit.glue.test_arguments import argv


def of_type(kind: str, mark: str = "") -> Table:
    """A table with a column of a type, and another."""
    made = table("t", f"id secret{mark}")
    columns = tuple(dataclasses.replace(each, type=kind) if each.name == "secret" else each for each in made.columns)
    return dataclasses.replace(made, columns=columns)


@pytest.mark.parametrize(
    ("kind", "mark", "instead"),
    [
        ("text", "", "NULL"),
        ("integer", "", "NULL"),
        ("text", "!", "''"),
        ("character varying(250)", "!", "''"),
        ("json", "!", "'{}'"),
        ("jsonb", "!", "'{}'"),
        ("bytea", "!", r" E'\\x'"),
    ],
)
def test_given_a_masked_column_then_its_empty_value_is_selected(kind: str, mark: str, instead: str) -> None:
    selected = select_list(of_type(kind, mark), ["secret"]).as_string(None)
    assert selected == f'"t0"."id", {instead} AS "secret"'


def test_given_a_masked_column_then_every_statement_of_its_table_masks_it_and_no_other_does() -> None:
    large = table("log", "id extra")
    known = (large, RowFilter(None), sizes(large, total_bytes=3 * CHUNK_BYTES, pages=300), catalog(large))
    masked = copy_statements(*known, ("extra",))
    assert len(masked) == 3
    assert all('NULL AS "extra"' in each.copy for each in masked)
    assert not any("NULL" in each.copy for each in copy_statements(*known))


def test_given_masks_then_each_table_finds_its_own_also_in_another_schema() -> None:
    masks = parse_arguments(argv(MASK_COLUMNS='["log.extra", "xcom.value", "log.event"]')).mask_columns
    assert masked_columns("log", masks) == ("extra", "event")
    assert masked_columns("celery.xcom", masks) == ("value",)
    assert masked_columns("blog", masks) == ()


@pytest.mark.parametrize("value", ['["log"]', '["log."]', '[".extra"]', '[""]', "[1]", "{}", "x"])
def test_given_something_that_names_no_column_then_it_is_refused(value: str) -> None:
    with pytest.raises(ArgumentError, match="--MASK_COLUMNS"):
        parse_arguments(argv(MASK_COLUMNS=value))
