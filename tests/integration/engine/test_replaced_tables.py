"""What a plain SELECT sees in the snapshot is what the file holds, whatever the table consists of and becomes.

Each change comes at either of two moments: after the snapshot and before the catalog is read, or after that and before
the rows are.
"""

import csv
import gzip
import io
from collections.abc import Callable

import pytest
from metadata_export import export
from metadata_export.errors import ExportError, SourceError
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.introspection import read_catalog
from metadata_export.sizes import UNKNOWN_BYTES, measure
from metadata_export.source import releasing
from psycopg import sql

from tests.integration.engine.conftest import Database, Engine

pytestmark = pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)

DAG_RUN = "CREATE TABLE dag_run (id int PRIMARY KEY, dag_id text, run_id text)"
PLAIN = (
    "CREATE TABLE job (id int, state text)",
    "INSERT INTO job SELECT g, 'running' FROM generate_series(1, 50) g",
)
PARTITIONS = (
    "CREATE SCHEMA archive",
    "CREATE TABLE job (id int, state text) PARTITION BY RANGE (id)",
    "CREATE TABLE archive.low PARTITION OF job FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE middle (note text, state text, id int)",  # other columns, in another order
    "ALTER TABLE middle DROP COLUMN note",
    "ALTER TABLE job ATTACH PARTITION middle FOR VALUES FROM (100) TO (200)",
    "CREATE TABLE upper PARTITION OF job FOR VALUES FROM (200) TO (300) PARTITION BY RANGE (id)",
    "CREATE TABLE archive.upper_leaf PARTITION OF upper FOR VALUES FROM (200) TO (300)",
    "CREATE TABLE empty PARTITION OF job FOR VALUES FROM (300) TO (400) PARTITION BY RANGE (id)",
    "CREATE TABLE rest PARTITION OF job DEFAULT",
    "INSERT INTO job SELECT g * 10, 'x' FROM generate_series(0, 49) g WHERE g NOT BETWEEN 30 AND 39",
)
CHILDREN = (
    "CREATE SCHEMA archive",
    "CREATE TABLE job (id int, state text)",
    "CREATE TABLE archive.kid () INHERITS (job)",
    "CREATE TABLE archive.grandkid (more text) INHERITS (archive.kid)",
    "INSERT INTO job SELECT g, 'own' FROM generate_series(1, 10) g",
    "INSERT INTO archive.kid SELECT g, 'kid' FROM generate_series(1, 20) g",
    "INSERT INTO archive.grandkid SELECT g, 'grandkid', 'm' FROM generate_series(1, 30) g",
)
SCENARIOS = {
    # name: (how it is made, what happens meanwhile, whether the file can hold what a SELECT sees)
    "unchanged": (PLAIN, "SELECT 1", True),
    "written": (PLAIN, "INSERT INTO job VALUES (2, 'late')", True),
    "wider": (PLAIN, "ALTER TABLE job ADD COLUMN note text", True),
    "emptied": (PLAIN, "DELETE FROM job", True),
    "truncated": (PLAIN, "TRUNCATE job", False),
    "rewritten": (PLAIN, "ALTER TABLE job ALTER COLUMN id TYPE bigint", False),
    "vacuumed": (PLAIN, "VACUUM FULL job", False),
    "dropped": (PLAIN, "DROP TABLE job", False),
    "created again": (PLAIN, "DROP TABLE job; CREATE TABLE job (id int, state text)", False),
    "renamed": (PLAIN, "ALTER TABLE job RENAME TO job_old", False),
    "swapped": (PLAIN, "ALTER TABLE job RENAME TO job_old; CREATE TABLE job (LIKE job_old)", False),
    "in another schema": (PLAIN, "CREATE SCHEMA archive; ALTER TABLE job SET SCHEMA archive", False),
    "columns swapped": (
        ("CREATE TABLE job (id text, state text)", "INSERT INTO job VALUES ('id', 'state')"),
        "ALTER TABLE job RENAME id TO x; ALTER TABLE job RENAME state TO id; ALTER TABLE job RENAME x TO state",
        False,
    ),
    "column dropped": (PLAIN, "ALTER TABLE job DROP COLUMN state", False),
    "view instead": (PLAIN, "ALTER TABLE job RENAME TO job_old; CREATE VIEW job AS SELECT * FROM job_old", False),
    "partitions": (PARTITIONS, "SELECT 1", True),
    "partition truncated": (PARTITIONS, "TRUNCATE archive.low", False),
    "partition loaded again": (
        PARTITIONS,
        "BEGIN; TRUNCATE archive.low; INSERT INTO archive.low SELECT g, 'y' FROM generate_series(0, 9) g; COMMIT",
        False,
    ),
    "partition dropped": (PARTITIONS, "DROP TABLE archive.low", False),
    "partition detached": (PARTITIONS, "ALTER TABLE job DETACH PARTITION archive.low", True),
    "middle level detached": (PARTITIONS, "ALTER TABLE job DETACH PARTITION upper", True),
    "leaf detached": (PARTITIONS, "ALTER TABLE upper DETACH PARTITION archive.upper_leaf", True),
    "leaf renamed": (PARTITIONS, "ALTER TABLE archive.upper_leaf RENAME TO other", False),
    "partition moved": (PARTITIONS, "ALTER TABLE middle SET SCHEMA archive", False),
    "partition attached": (
        PARTITIONS,
        "CREATE TABLE late PARTITION OF empty FOR VALUES FROM (350) TO (351); INSERT INTO late VALUES (350, 'l')",
        True,
    ),
    "partitioned created again": (PARTITIONS, "DROP TABLE job; CREATE TABLE job (id int, state text)", False),
    "children": (CHILDREN, "SELECT 1", True),
    "child detached": (CHILDREN, "ALTER TABLE archive.kid NO INHERIT job", True),
    "child truncated": (CHILDREN, "TRUNCATE archive.kid", False),
    "child dropped": (CHILDREN, "DROP TABLE archive.grandkid", False),
    "child made": (CHILDREN, "CREATE TABLE late () INHERITS (job); INSERT INTO late VALUES (1, 'late')", True),
    "child dropped after it was detached": (
        CHILDREN, "ALTER TABLE archive.grandkid NO INHERIT archive.kid; DROP TABLE archive.grandkid", False
    ),
}  # fmt: skip


@pytest.fixture(params=["make_plan", "read_catalog"], ids=["before the rows", "before the catalog"])
def meanwhile(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, database: Database
) -> Callable[[str], None]:
    """Runs statements in the middle of an export: after the plan is made, or between snapshot and catalog."""

    def run(statements: str) -> None:
        step = getattr(export, request.param)

        def with_change(*arguments: object) -> object:
            if request.param == "make_plan":
                made = step(*arguments)
                database.execute(*statements.split("; "))
                return made
            database.execute(*statements.split("; "))
            return step(*arguments)

        monkeypatch.setattr(export, request.param, with_change)

    return run


@pytest.mark.parametrize(("made", "change", "holds"), SCENARIOS.values(), ids=SCENARIOS)
def test_given_a_change_then_the_file_holds_what_a_select_saw_or_the_error_names_the_table(
    engine: Engine,
    database: Database,
    meanwhile: Callable[[str], None],
    made: tuple[str, ...],
    change: str,
    holds: bool,
) -> None:
    # GIVEN a table that a plain SELECT reads
    database.execute(DAG_RUN, *made)
    seen = sorted(database.rows("SELECT id::text, state FROM job"))

    # WHEN something happens to it while it is exported
    meanwhile(change)
    if not holds:
        with pytest.raises(ExportError, match="job"):
            engine.export({"job": "full"})
        manifest = engine.manifest()
        assert (list(manifest["tables"]), list(manifest["failed_tables"])) == ([], ["job"])
        return
    manifest = engine.export({"job": "full"})

    # THEN its file holds the same rows
    assert sorted(rows_of(engine, "job")) == seen
    assert manifest["tables"]["job"]["rows"] == len(seen) > 0


@pytest.mark.parametrize("loaded", [False, True], ids=["in sight", "loaded again"])
def test_given_a_partition_of_what_decides_about_rows_then_its_loss_is_not_silent(
    engine: Engine, database: Database, meanwhile: Callable[[str], None], loaded: bool
) -> None:
    database.execute(
        "CREATE SCHEMA archive",
        "CREATE TABLE dag_run (id int, dag_id text, run_id text, state text) PARTITION BY RANGE (id)",
        "CREATE TABLE archive.first PARTITION OF dag_run FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE second PARTITION OF dag_run DEFAULT",
        "INSERT INTO dag_run SELECT g, 'd', 'r' || g, 'running' FROM generate_series(1, 20) g",
        "CREATE TABLE xcom (dag_id text, run_id text)",
        "INSERT INTO xcom SELECT dag_id, run_id FROM dag_run",
    )
    window = {"CUTOFF": "2026-11-11T14:30:22Z", "MAX_AGE_IN_DAYS": "30"}
    if loaded:
        meanwhile("TRUNCATE archive.first")
        with pytest.raises(ExportError, match=r"dag_run \(archive.first\): truncated"):
            engine.export({"xcom": "follow"}, **window)
        return
    meanwhile("ALTER TABLE dag_run DETACH PARTITION archive.first")
    assert engine.export({"xcom": "follow"}, **window)["tables"]["xcom"]["rows"] == 20


PUBLIC_CHILD = (
    DAG_RUN,
    "CREATE TABLE log (id int)",
    "CREATE TABLE log_2025 (more text) INHERITS (log)",
    "CREATE SCHEMA archive",
    "CREATE TABLE archive.log_2025_old () INHERITS (log_2025)",
    "INSERT INTO log VALUES (1)",
    "INSERT INTO log_2025 VALUES (2, 'm'), (3, 'm')",
    "INSERT INTO archive.log_2025_old VALUES (4, 'm'), (5, 'm'), (6, 'm')",
)
ALL_OF_IT = {"CATALOGUED_TABLES": '["dag_run", "log"]'}


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        (ALL_OF_IT, {"log": 1, "log_2025": 5}),
        ({"INCLUDE_TABLES": '["log"]'}, {"log": 6}),
        (ALL_OF_IT | {"EXCLUDE_TABLES": '["log_2025"]'}, {"log": 1}),
    ],
    ids=["with a file of its own", "without", "excluded"],
)
def test_given_a_child_in_public_then_each_row_is_in_one_file(
    engine: Engine, database: Database, changes: dict[str, str], rows: dict[str, int]
) -> None:
    database.execute(*PUBLIC_CHILD)
    tables = engine.export({"log": "full"}, **changes)["tables"]
    assert {name: table["rows"] for name, table in tables.items()} == rows


def test_given_a_foreign_table_as_partition_then_the_error_names_the_table(engine: Engine, database: Database) -> None:
    database.execute(
        DAG_RUN,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER far FOREIGN DATA WRAPPER nothing",
        "CREATE TABLE job (id int) PARTITION BY RANGE (id)",
        "CREATE FOREIGN TABLE far_job PARTITION OF job FOR VALUES FROM (0) TO (10) SERVER far",
    )
    with pytest.raises(ExportError, match=r"export the table job: .*no handler"):
        engine.export({"job": "full"})


def test_given_a_view_by_a_table_s_name_then_the_export_fails_and_says_so(engine: Engine, database: Database) -> None:
    database.execute(DAG_RUN, "CREATE TABLE log_all (id int)", "CREATE VIEW log AS SELECT * FROM log_all")
    with pytest.raises(ExportError, match="log is a view, not a table"):
        engine.export({"log": "full"})


def test_given_a_catalog_that_was_read_then_no_table_stays_locked(database: Database) -> None:
    database.execute(DAG_RUN, *PARTITIONS)
    source = database.source()
    with releasing(source.connect()) as connection:
        source.begin(connection)
        tables = read_catalog(connection, lambda _: True).tables
        measure(connection, tables.values())
        held = "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.oid >= 16384"
        assert database.rows(held) == []


def test_given_a_partitioned_table_then_its_size_is_that_of_its_leaves(database: Database) -> None:
    database.execute(*PARTITIONS)
    with releasing(database.source().connect()) as connection:
        connection.execute("BEGIN")
        tables = read_catalog(connection, lambda _: True).tables
        sizes = measure(connection, tables.values())
    assert list(tables) == ["job"]
    leaves = ("archive.low", "middle", "archive.upper_leaf", "rest")
    assert sorted(f"{heap.schema}.{heap.name}".removeprefix("public.") for heap in tables["job"].heaps) == sorted(
        leaves
    )
    expected = database.rows(f"SELECT {' + '.join(f'pg_table_size({leaf!r})' for leaf in leaves)}")[0][0]
    assert sum(size.total_bytes for size in sizes.values()) == expected > 0


def test_given_a_locked_table_then_the_sizes_are_what_vacuum_has_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("metadata_export.source").source.BEHAVIOUR_SETTINGS, "lock_timeout", "200ms")
    database.execute(*PLAIN, "VACUUM ANALYZE job")
    source = database.source()
    with releasing(source.connect()) as connection, database.connect() as other, other.transaction():
        source.begin(connection)
        tables = read_catalog(connection, lambda _: True).tables
        other.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
        (size,) = measure(connection, tables.values()).values()
        assert (size.pages, size.total_bytes) == (1, UNKNOWN_BYTES)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_given_hostile_names_then_what_they_stand_for_is_checked(database: Database) -> None:
    name, column = sql.Identifier('we"ird, {x} %s'), sql.Identifier("c'o\"l\\umn")
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE TABLE {} ({} int)").format(name, column))
    source = database.source()
    with releasing(source.connect()) as reading, database.connect() as connection:
        source.begin(reading)
        query = changed_query(read_catalog(reading, lambda _: True).tables.values())
        reading.execute(sql.SQL("SELECT {} FROM public.{}").format(column, name))
        check_unchanged(reading, query, "look")
        reading.execute("ROLLBACK")
        connection.execute(sql.SQL("ALTER TABLE {} RENAME {} TO other").format(name, column))
        source.begin(reading)
        with pytest.raises(SourceError, match=r"^we.*: truncated, rewritten or replaced"):
            check_unchanged(reading, query, "look")


def rows_of(engine: Engine, table: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in csv.reader(io.StringIO(gzip.decompress(engine.body(table)).decode()))][1:]
