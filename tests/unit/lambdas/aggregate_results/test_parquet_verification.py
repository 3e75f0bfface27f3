"""Parquet files that an export was to bring are verified as its other objects are."""

import base64
import hashlib
from dataclasses import replace

import pytest
from aggregate_results.parquet_verification import parquet_problems
from aggregate_results.verification import verify_groups
from export_contracts.exported_table import ExportedTable
from export_contracts.layout import parquet_prefix
from export_contracts.parquet import CSV, PARQUET, ParquetColumn, ParquetFile, ParquetFiles
from export_contracts.plan import Export
from export_runtime.store import ObjectStore

from tests.unit.lambdas.aggregate_results.exports import EXPORT, deliver, deliver_all, event, group_of, put_table

BOTH = replace(EXPORT, formats=(CSV, PARQUET))
PREFIX = parquet_prefix(EXPORT.root, "dag", EXPORT.export_id)
DEFINITIONS = group_of("definitions")


def put_parquet(store: ObjectStore, *rows: int, export: Export = BOTH, table: str = "dag") -> ParquetFiles:
    """Write files of so many rows, and return what the manifest says of them."""
    files = []
    for number, count in enumerate(rows, 1):
        key = f"{parquet_prefix(export.root, table, export.export_id)}part-{number}.parquet"
        body = f"{count} rows".encode()
        store.write(key, body, "application/vnd.apache.parquet")
        files.append(ParquetFile(key, count, len(body), base64.b64encode(hashlib.sha256(body).digest()).decode()))
    return ParquetFiles((ParquetColumn("id", "int", "id"),), tuple(files), {})


def delivered(store: ObjectStore, parquet: ParquetFiles | None) -> list[str]:
    """Return the problems of a table with three rows and these Parquet files."""
    table: ExportedTable = replace(put_table(store, "dag"), parquet=parquet)
    return [problem for _, problem in parquet_problems({"dag": table}, BOTH, store)]


@pytest.mark.parametrize("rows", [(3,), (1, 0, 2)])
def test_given_files_of_as_many_rows_as_the_csv_then_nothing_is_wrong(store, rows):
    assert delivered(store, put_parquet(store, *rows)) == []


def test_given_an_export_that_lacks_the_files_it_was_to_bring_then_its_group_has_failed(store):
    deliver_all(store)
    [found] = [each for each in verify_groups(event(export=BOTH), store) if each.group == DEFINITIONS]
    assert found.missing == ("dag", "variable")
    assert "table 'dag' has no Parquet files" in found.cause.text
    assert all(each.cause is None for each in verify_groups(event(), store))


def test_given_files_of_all_tables_then_they_are_in_the_summarys_details(store):
    tables = {
        table.table: replace(put_table(store, table.table), parquet=put_parquet(store, 3, table=table.table))
        for table in DEFINITIONS.tables
    }
    deliver(store, DEFINITIONS, tables=tables)
    [found] = [each for each in verify_groups(event(export=BOTH), store) if each.group == DEFINITIONS]
    assert found.cause is None
    assert found.manifest.tables["dag"].parquet == tables["dag"].parquet


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: None, "has no Parquet files"),
        (lambda files: replace(files, files=()), "has no Parquet files"),
        (lambda files: replace(files, files=files.files[:1]), "has 3 rows in CSV, but 1 in Parquet"),
        (lambda files: replace(files, columns=(ParquetColumn("a", "int", "a"),)), "other columns in Parquet"),
        (lambda files: replace(files, columns=()), "other columns in Parquet"),
        (lambda files: replace(files, nulled={"other": 1}), "which is no column"),
        (lambda files: with_first(files, object_bytes=9), "bytes, the manifest says 9"),
        (lambda files: with_first(files, checksum_sha256="abc="), "the manifest says 'abc='"),
        (lambda files: with_first(files, key=f"{PREFIX}part-9.parquet"), "part-9.parquet does not exist"),
        (lambda files: with_first(files, key="exports/other/part-1.parquet"), "expected was one below"),
    ],
)
def test_given_files_that_are_not_what_the_manifest_says_then_that_is_said(store, change, said):
    assert any(said in problem for problem in delivered(store, change(put_parquet(store, 1, 2))))


def with_first(files: ParquetFiles, **changes) -> ParquetFiles:
    return replace(files, files=(replace(files.files[0], **changes), *files.files[1:]))


def test_given_a_file_that_nobody_lists_then_it_counts_as_damage_since_readers_would_take_it(store):
    files = put_parquet(store, 3)
    store.write(f"{PREFIX}part-2.parquet", b"of an earlier attempt", "application/vnd.apache.parquet")
    [problem] = delivered(store, files)
    assert "part-2.parquet" in problem
    assert "not of this export" in problem
