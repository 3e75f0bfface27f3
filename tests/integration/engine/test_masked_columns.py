"""Masked columns on a real PostgreSQL: their values are nowhere in the files, and what is left loads back."""

import gzip
import json

import pytest
from metadata_export.errors import ExportError
from psycopg import sql

from tests.integration.engine.conftest import Database, Engine

SECRET = "CANARY-7b1"
TRIGGER = """
CREATE TABLE trigger (
    id integer PRIMARY KEY, classpath varchar(1000) NOT NULL, kwargs text NOT NULL, conf json NOT NULL,
    data jsonb NOT NULL, raw bytea NOT NULL, note text, moment timestamptz NOT NULL, tenant varchar(9) NOT NULL UNIQUE
)
"""
TASK = "CREATE TABLE task_instance (id integer PRIMARY KEY, trigger_id integer REFERENCES trigger, extra text)"
MASKED = ["kwargs", "conf", "data", "raw", "note"]
TABLES = {"trigger": "full", "task_instance": "full"}


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with a secret in each column that can hold one."""
    text, document = f"'{SECRET}'", f'\'{{"password": "{SECRET}"}}\''
    values = f"'path', {text}, {document}, {document}, {text}::bytea, {text}, now()"
    database.execute(
        TRIGGER,
        TASK,
        f"INSERT INTO trigger SELECT i, {values}, i::text FROM generate_series(1, 3000) i",
        f"INSERT INTO task_instance SELECT i, i, {text} FROM generate_series(1, 5) i",
    )
    return database


def masks(*columns: str, table: str = "trigger") -> str:
    return json.dumps([f"{table}.{column}" for column in columns])


def test_given_masked_columns_then_no_value_leaves_and_all_rows_load_back(filled: Database, engine: Engine) -> None:
    engine.export(TABLES, MASK_COLUMNS=masks(*MASKED))

    body = gzip.decompress(engine.body("trigger"))
    assert SECRET.encode() not in body
    assert body.decode().splitlines()[1].startswith('1,path,"",{},{},\\x,,')
    assert SECRET.encode() in gzip.decompress(engine.body("task_instance"))
    manifest = engine.manifest()
    assert manifest["masked_columns"] == {"trigger": MASKED}
    entry = manifest["tables"]["trigger"]
    assert [each["name"] for each in entry["columns"]][:3] == ["id", "classpath", "kwargs"]
    assert entry["rows"] == 3000

    filled.execute("CREATE TABLE copied (LIKE trigger INCLUDING ALL)")
    with (
        filled.connect() as connection,
        connection.cursor().copy(sql.SQL("COPY copied FROM STDIN (FORMAT csv, HEADER match)")) as target,
    ):
        target.write(body)
    same = "SELECT count(*) FROM copied c JOIN trigger t USING (id, classpath, moment, tenant)"
    assert filled.rows(same) == [(3000,)]
    assert filled.rows("SELECT DISTINCT kwargs, conf::text, data::text, raw, note FROM copied") == [
        ("", "{}", "{}", b"", None)
    ]


@pytest.mark.parametrize(
    ("table", "column", "why"),
    [
        ("trigger", "kwarg", "has no such column"),
        ("trigger", "id", "belongs to a key"),
        ("trigger", "tenant", "belongs to a key"),
        ("task_instance", "trigger_id", "belongs to a key"),
        ("trigger", "moment", "timestamp with time zone and NOT NULL"),
    ],
)
def test_given_a_column_that_cannot_be_masked_then_nothing_of_its_table_is_exported_and_the_error_names_it(
    filled: Database, engine: Engine, table: str, column: str, why: str
) -> None:
    with pytest.raises(ExportError, match=f"{table}.{column} cannot be masked.*{why}.*MaskColumns"):
        engine.export(TABLES, MASK_COLUMNS=masks(column, table=table))
    assert list(engine.manifest()["failed_tables"]) == [table]
    assert not any(f"/{table}_" in key for key in engine.files())


def test_given_a_mask_of_a_table_that_is_not_here_then_the_others_are_exported(
    filled: Database, engine: Engine
) -> None:
    manifest = engine.export(TABLES, MASK_COLUMNS=masks("data", table="callback"))
    assert manifest["masked_columns"] == {}
    assert set(manifest["tables"]) == set(TABLES)
