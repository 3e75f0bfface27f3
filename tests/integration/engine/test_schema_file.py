"""The file of the schema makes the same database again, whatever is in it."""

import gzip
from pathlib import Path
from typing import Any

import psycopg
import pytest
from metadata_export.aws import s3_client
from metadata_export.errors import ExportError, SourceError
from metadata_export.parts import sha256_base64
from metadata_export.schema import document
from metadata_export.schema.document import read_schema
from metadata_export.schema.entries import file_text
from metadata_export.source import releasing
from metadata_restore.entries import SEQUENCE_STATE, read_entries

from local.aws.settings import REGION
from tests.contracts import violations
from tests.integration.engine.conftest import PREFIX, Database, Engine
from tests.integration.engine.test_bad_tables import reader
from tests.schema_dumps import dumped_schema, run_psql, sequence_states

HOSTILE = Path(__file__).with_name("hostile_schema.sql")
KEY = f"{PREFIX}export_schema_143022.sql.gz"
SINCE_18 = (
    "CREATE TABLE temporal (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS))",
    "CREATE TABLE virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, CHECK (a > 0) NOT ENFORCED)",
    "CREATE TABLE nulls (a int, b int); INSERT INTO nulls VALUES (NULL, 1)",
    "ALTER TABLE nulls ADD CONSTRAINT later NOT NULL a NOT VALID",
    "CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY) PARTITION BY LIST (id)",
    "CREATE TABLE numbered_1 PARTITION OF numbered FOR VALUES IN (1)",
)


def schema_file(engine: Engine) -> bytes:
    return gzip.decompress(s3_client(REGION).get_object(Bucket=engine.bucket, Key=KEY)["Body"].read())


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
def test_a_database_made_from_the_file_has_the_same_schema_and_sequences(
    engine: Engine, database: Database, tmp_path: Path
) -> None:
    # GIVEN hostile names, types and kinds of objects
    server = database.server
    run_psql(server, database.name, HOSTILE)
    if server.bin_dir.parent.name == "pginstall18":
        database.execute(*SINCE_18)
    database.execute("CREATE VIEW reports AS SELECT 1", "CREATE RULE quiet AS ON DELETE TO kid2 DO INSTEAD NOTHING")

    # WHEN any table is exported
    manifest = engine.export({"my plugin": "full", "ünï 表 👩": "full"})

    # THEN the manifest tells of the file, what is not in it, and how the tables hang together
    assert violations("group_manifest", manifest) == []
    told = manifest["schema"]
    body = s3_client(REGION).get_object(Bucket=engine.bucket, Key=KEY)["Body"].read()
    assert (told["key"], told["object_bytes"], told["checksum_sha256"]) == (KEY, len(body), sha256_base64(body))
    assert told["left_out"] == ["rule quiet on public.kid2", "view public.reports"]
    assert told["sql_bytes"] == len(gzip.decompress(body))
    numbers = {
        "my plugin_a_seq": 2,
        "my plugin_b_seq": 99,
        "my plugin_c_seq": 2,
        "ab_x_id_seq": 5,
        "plugcols_id_seq": 9,
    }
    assert numbers.items() <= told["sequences"].items()
    plugin, child = manifest["tables"]["my plugin"], manifest["tables"]["ünï 表 👩"]
    assert (plugin["primary_key"], child["primary_key"]) == (["a"], [])
    assert plugin["sequences"][0] == {"name": "my plugin_a_seq", "column": "a"}
    key = {"columns": ["dag_run_id"], "parent": "my plugin", "parent_columns": ["a"]}
    assert child["foreign_keys"] == [{"name": "fk"} | key, {"name": "fk2"} | key]

    # AND a database made from it is the same, but for what the manifest names
    database.execute("DROP VIEW reports", "DROP RULE quiet ON kid2")
    (tmp_path / "schema.sql").write_bytes(gzip.decompress(body))
    copy = f"{database.name}_copy"
    server.create_database(copy, template="template0")
    try:
        run_psql(server, copy, tmp_path / "schema.sql")
        assert dumped_schema(server, copy) == dumped_schema(server, database.name)
        assert sequence_states(server, copy) == sequence_states(server, database.name)
        assert sequence_states(server, copy)["public", "ab_x_id_seq"] == (8, True)  # five are taken at a time
    finally:
        server.drop_database(copy)


LEFT_OUT = {
    "CREATE VIEW seen AS SELECT 1 AS x": "view public.seen",
    "COMMENT ON VIEW seen IS 'x'; COMMENT ON COLUMN seen.x IS 'x'; COMMENT ON TYPE seen IS 'x'": None,
    "CREATE TRIGGER instead INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION "
    "suppress_redundant_updates_trigger(); COMMENT ON TRIGGER instead ON seen IS 'x'": None,
    "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS x; COMMENT ON MATERIALIZED VIEW kept IS 'x'": (
        "materialized view public.kept"
    ),
    "CREATE INDEX kept_x ON kept (x); COMMENT ON INDEX kept_x IS 'x'": None,
    "CREATE FUNCTION inner_one(int) RETURNS int LANGUAGE internal AS 'int4inc'; COMMENT ON FUNCTION inner_one IS 'x'": (
        "function public.inner_one"
    ),
    "CREATE FOREIGN DATA WRAPPER far": "foreign-data wrapper far",
    "CREATE SERVER away FOREIGN DATA WRAPPER far": "server away",
    "CREATE FOREIGN TABLE there (a int CONSTRAINT above CHECK (a > 0)) SERVER away; "
    "COMMENT ON CONSTRAINT above ON there IS 'x'": "foreign table public.there",
    "CREATE TYPE one AS (a int); CREATE CAST (one AS text) WITH INOUT": "cast from public.one to text",
    "CREATE FUNCTION said() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
    "CREATE EVENT TRIGGER on_create ON ddl_command_start EXECUTE FUNCTION said()": "event trigger on_create",
    "CREATE PUBLICATION told FOR ALL TABLES": "publication told",
    "CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple)": "text search dictionary public.words",
    "CREATE OPERATOR FAMILY kin USING btree": "operator family public.kin for access method btree",
    "SELECT lo_create(0)": "large objects (1)",
    "COMMENT ON SCHEMA public IS 'mine'": "the comment on schema public",
    "CREATE EXTENSION vector; CREATE TABLE dot (v vector(3)); CREATE INDEX dots ON dot (v); "
    "ALTER INDEX dots DEPENDS ON EXTENSION vector": "the dependency of index public.dots on extension vector",
}


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
def test_what_is_left_out_is_named_and_nothing_in_the_file_needs_it(database: Database, tmp_path: Path) -> None:
    database.execute(*LEFT_OUT)
    with releasing(database.source().connect()) as connection:
        database.source().begin(connection)
        schema = read_schema(connection)
    assert schema.left_out == tuple(sorted(filter(None, LEFT_OUT.values())))

    (tmp_path / "schema.sql").write_bytes(file_text("a test", schema.entries))
    copy = f"{database.name}_copy"
    database.server.create_database(copy, template="template0")
    try:
        run_psql(database.server, copy, tmp_path / "schema.sql")
    finally:
        database.server.drop_database(copy)


def test_an_entry_tells_what_must_be_there_before_any_row(engine: Engine, database: Database) -> None:
    run_psql(database.server, database.name, HOSTILE)
    engine.export({"my plugin": "full"})
    tables = {entry.name: entry.shared for entry in read_entries(schema_file(engine)) if entry.kind == "table"}
    assert [tables[name] for name in ("log", "l1a", "kid", "kid2", "self")] == [True] * 5
    assert not any(tables[name] for name in ("my plugin", "refs", "nocols"))


def test_a_sequence_that_may_not_be_read_is_there_without_its_state(engine: Engine, database: Database) -> None:
    database.execute("CREATE TABLE log (id serial)", "CREATE SEQUENCE other", "SELECT nextval('other')")
    with reader(database) as role:
        database.execute(f"GRANT SELECT ON other TO {role}")
        engine.export({"log": "full"}, source=database.source(username=role, password=role))
    states = {each.name: each for each in read_entries(schema_file(engine)) if each.kind == SEQUENCE_STATE}
    assert [(each.last_value, each.is_called) for each in states.values()] == [(None, None), (1, True)]
    assert engine.manifest()["schema"]["sequences"] == {"other": 2}


def test_a_table_that_was_dropped_since_the_snapshot_is_left_out_with_all_that_is_about_it(database: Database) -> None:
    database.execute(
        "CREATE TABLE gone (id serial PRIMARY KEY, at int DEFAULT 1 CHECK (at > 0)) PARTITION BY RANGE (id)",
        "CREATE TABLE gone_1 PARTITION OF gone FOR VALUES FROM (1) TO (2)",
        "CREATE INDEX gone_at ON gone (at)",
        "CREATE STATISTICS gone_statistics ON id, at FROM gone",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER gone_trigger BEFORE INSERT ON gone FOR EACH ROW EXECUTE FUNCTION nothing()",
        "COMMENT ON TABLE gone IS 'gone'; COMMENT ON COLUMN gone.at IS 'gone'; COMMENT ON INDEX gone_at IS 'gone'",
        "COMMENT ON TRIGGER gone_trigger ON gone IS 'gone'; COMMENT ON CONSTRAINT gone_at_check ON gone IS 'gone'",
        "CREATE TABLE stays (id int REFERENCES gone)",
    )
    with releasing(database.source().connect()) as connection:
        database.source().begin(connection)
        connection.execute("SELECT 1")
        database.execute("DROP TABLE gone CASCADE")
        entries = read_schema(connection).entries
    assert {entry.name for entry in entries if entry.kind == "table"} == {"stays"}
    assert [entry.sql for entry in entries if "gone" in entry.sql] == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE dataset RENAME TO asset",
        "ALTER TABLE dataset RENAME COLUMN uri TO name",
        "ALTER TABLE dataset DROP COLUMN uri",
        "ALTER TABLE dataset SET SCHEMA elsewhere",
    ],
)
def test_a_table_that_has_another_name_now_than_in_the_snapshot_is_told_by_the_one_that_it_had(
    database: Database, change: str
) -> None:
    database.execute("CREATE TABLE dataset (id int PRIMARY KEY, uri text, note text)", "CREATE SCHEMA elsewhere")
    database.execute("ALTER TABLE dataset DROP COLUMN note", "CREATE INDEX uris ON dataset (id)")
    with releasing(database.source().connect()) as connection:
        database.source().begin(connection)
        connection.execute("SELECT 1")
        database.execute(change)
        with pytest.raises(
            SourceError, match=r"cannot read the schema: public\.dataset: it has changed since.*redrive"
        ):
            read_schema(connection)


def test_a_table_that_goes_while_the_schema_is_read_is_not_in_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE TABLE stays (id int)", "CREATE TABLE goes (id int PRIMARY KEY)")
    check = document._check_names

    def gone_before(connection: Any, objects: Any) -> None:
        database.execute("DROP TABLE IF EXISTS goes")
        check(connection, objects)

    monkeypatch.setattr(document, "_check_names", gone_before)
    with releasing(database.source().connect()) as connection:
        database.source().begin(connection)
        names = {entry.table for entry in read_schema(connection).entries}
    assert "stays" in names
    assert "goes" not in names


def test_a_schema_that_has_changed_fails_the_run_after_its_tables(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an index that is dropped after the snapshot was taken
    database.execute("CREATE TABLE log (id int)", "INSERT INTO log VALUES (1)", "CREATE INDEX later ON log (id)")
    with releasing(database.source().connect()) as connection:
        database.source().begin(connection)
        connection.execute("SELECT 1")
        database.execute("DROP INDEX later")
        with pytest.raises(SourceError, match="cannot read the schema: index later: it has changed since") as changed:
            read_schema(connection)

    # WHEN a run meets it
    def refuse(_: psycopg.Connection[tuple[object, ...]]) -> None:
        raise changed.value

    monkeypatch.setattr("metadata_export.schema.publication.read_schema", refuse)
    with pytest.raises(
        ExportError, match=r"the schema of the database cannot be exported.*its tables are there.*redrive"
    ):
        engine.export({"log": "full"})

    # THEN its tables are exported, and the next run brings the schema alone
    assert engine.manifest()["tables"]["log"]["rows"] == 1
    assert "schema" not in engine.manifest()
    monkeypatch.undo()
    first = engine.manifest()["tables"]
    assert engine.export({"log": "full"})["schema"]["key"] == KEY
    assert engine.manifest()["tables"] == first
