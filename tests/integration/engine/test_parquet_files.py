"""Parquet files of large tables, of attempts that repeat others, and of columns whose type changes."""

import io
import json
from typing import Any

import pyarrow as pa
import pytest
from metadata_export import statements
from metadata_export.aws import s3_client
from metadata_export.errors import ExportError
from pyarrow import parquet

from local.aws.injection.client import Faults
from local.aws.settings import REGION
from tests.contracts import violations
from tests.integration.engine.conftest import EXPORT_ID, Database, Engine

BOTH = '["csv","parquet"]'
ROOT = "exports/env-backups/parquet"
FOLDER = f"{ROOT}/t/export_id={EXPORT_ID}/"
LARGE = "CREATE TABLE t AS SELECT n AS id, repeat(md5(n::text), 4) AS text FROM generate_series(1, 40000) n"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of megabytes is a large one, of several chunks."""
    monkeypatch.setattr(statements, "CHUNK_BYTES", 1024 * 1024)
    for module in ("metadata_export.plan.SMALL_TABLE_BYTES", "metadata_export.statements.SMALL_TABLE_BYTES"):
        monkeypatch.setattr(module, 64 * 1024)


def export(engine: Engine, **changes: str) -> dict[str, Any]:
    """Export the table t, and return what the manifest says of it."""
    engine.export({"t": "full"}, **{"FORMATS": BOTH} | changes)
    manifest = engine.manifest()
    assert violations("group_manifest", manifest) == []
    return dict(manifest["tables"]["t"])


def read(engine: Engine, key: str) -> pa.Table:
    return parquet.read_table(io.BytesIO(s3_client(REGION).get_object(Bucket=engine.bucket, Key=key)["Body"].read()))


def put(engine: Engine, key: str, body: bytes) -> None:
    s3_client(REGION).put_object(Bucket=engine.bucket, Key=key, Body=body)


def test_chunks_are_files_of_their_own_that_hold_all_rows_once(engine: Engine, database: Database) -> None:
    database.execute(LARGE)

    files = export(engine)["parquet"]["files"]

    assert len(files) > 2
    assert engine.keys(ROOT) == sorted(file["key"] for file in files)
    tables = [read(engine, file["key"]) for file in files]
    assert [table.num_rows for table in tables] == [file["rows"] for file in files]
    assert sorted(pa.concat_tables(tables)["id"].to_pylist()) == list(range(1, 40001))


def test_csv_alone_writes_no_parquet_and_says_nothing_of_it(engine: Engine, database: Database) -> None:
    database.execute(LARGE)
    assert "parquet" not in export(engine, FORMATS='["csv"]')
    assert engine.keys(ROOT) == []


def test_a_large_table_without_rows_in_the_window_is_a_file_with_the_schema(engine: Engine, database: Database) -> None:
    database.execute(LARGE, "DELETE FROM t")
    [file] = export(engine)["parquet"]["files"]
    assert (file["key"], file["rows"]) == (f"{FOLDER}part-1.parquet", 0)
    assert read(engine, file["key"]).column_names == ["id", "text"]


def test_a_retry_leaves_no_file_of_the_attempt_before(engine: Engine, database: Database) -> None:
    database.execute(LARGE)
    put(engine, f"{FOLDER}part-99.parquet", b"of a killed attempt, which had more chunks")
    put(engine, f"{FOLDER}part-1.parquet", b"half of it")
    files = export(engine)["parquet"]["files"]
    assert engine.keys(ROOT) == sorted(file["key"] for file in files)


@pytest.mark.parametrize("damage", ["missing", "other bytes", "one too many"])
def test_a_retry_keeps_what_is_whole_and_repeats_what_is_not(engine: Engine, database: Database, damage: str) -> None:
    database.execute(LARGE)
    first = export(engine)
    kept = export(engine)
    assert kept == first
    if damage == "missing":
        s3_client(REGION).delete_object(Bucket=engine.bucket, Key=first["parquet"]["files"][1]["key"])
    else:
        name = "part-1" if damage == "other bytes" else "part-99"
        put(engine, f"{FOLDER}{name}.parquet", b"damaged")
    again = export(engine)
    assert again["parquet"] == first["parquet"]
    assert engine.keys(ROOT) == sorted(file["key"] for file in first["parquet"]["files"])


def test_an_upload_that_s3_refuses_costs_the_table_with_all_its_files_and_says_why(
    engine: Engine, database: Database, faults: Faults
) -> None:
    database.execute(LARGE, "CREATE TABLE other (id int)")
    faults.refuse("s3", "PutObject", "AccessDenied", 403, resource=r"parquet/t/.*part-2\.", times=None)
    with pytest.raises(ExportError, match=r"1 of 2 tables.*cannot be exported: t; .*parquet/t/"):
        engine.export({"t": "full", "other": "full"}, FORMATS=BOTH)
    assert list(engine.manifest()["tables"]) == ["other"]
    assert engine.keys(FOLDER) == []


def test_a_column_of_another_type_gets_a_second_name(engine: Engine, database: Database) -> None:
    known = {"format_version": 2, "tables": {"t": [
        {"name": "value", "type": "binary", "source": "value", "postgresql": "bytea", "since": "20260101T000000Z"},
    ]}}  # fmt: skip
    put(engine, f"{ROOT}/_columns.json", json.dumps(known).encode())
    database.execute("CREATE TABLE t (id int, value jsonb)", "INSERT INTO t VALUES (1, '{\"a\": null}')")
    entry = export(engine)["parquet"]
    assert entry["columns"][1] == {"name": "value_jsonb", "type": "string", "source": "value"}
    assert read(engine, entry["files"][0]["key"]).to_pylist() == [{"id": 1, "value_jsonb": '{"a": null}'}]


def test_damaged_knowledge_of_columns_ends_the_run(engine: Engine, database: Database) -> None:
    database.execute("CREATE TABLE t (id int)")
    put(engine, f"{ROOT}/_columns.json", b'{"tables": [')
    with pytest.raises(ExportError, match=r"_columns\.json is damaged.*restore an earlier version"):
        engine.export({"t": "full"}, FORMATS=BOTH)
