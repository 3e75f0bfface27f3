"""A table that cannot be exported costs only itself; a retry repeats only what is missing."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest
from metadata_export import plan, statements
from metadata_export.arguments import parse_arguments
from metadata_export.aws import s3_client
from metadata_export.errors import ExportError
from metadata_export.export import export_group
from metadata_export.storage import Store
from metadata_export.task import Failure, Result, Session, Task, run_task

from local.aws.settings import REGION
from tests.integration.engine.conftest import PREFIX, ROOT, Database, Engine
from tests.waiting import wait_until

SCHEMA = json.loads((ROOT / "docs/contracts/group_manifest.schema.json").read_text())
TABLES = {"dag": "full", "job": "full", "variable": "full", "xcom": "full"}
GOOD = ["dag", "job", "variable"]
SIBLINGS = {"EXPORT_GROUPS": '["runs", "tasks"]', "SNAPSHOT_HOLD_SECONDS": "0"}
JOB = f"{PREFIX}job_143022.csv.gz"


@pytest.fixture
def airflow(database: Database) -> Database:
    """Four tables of a row each."""
    for name in TABLES:
        database.execute(
            f'CREATE TABLE "{name}" (id int PRIMARY KEY, value bytea)', f"INSERT INTO \"{name}\" VALUES (1, 'one')"
        )
    return database


def damage_toast(database: Database) -> None:
    """Delete what a value of xcom has outside of its row, as a disk does that loses a page."""
    database.execute(
        "ALTER TABLE xcom ALTER COLUMN value SET STORAGE EXTERNAL",
        "INSERT INTO xcom VALUES (7, convert_to(repeat('x', 10000), 'UTF8'))",
    )
    with database.connect() as connection:
        toast = connection.execute("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'xcom'")
        name = toast.fetchall()[0][0]
        connection.execute("SET allow_system_table_mods = on")
        # PostgreSQL refuses to change a TOAST table: for a moment it is none.
        for statement in (
            f"UPDATE pg_class SET relkind = 'r' WHERE oid = '{name}'::regclass",
            f"DELETE FROM {name}",
            f"UPDATE pg_class SET relkind = 't' WHERE oid = '{name}'::regclass",
            "VACUUM xcom",
        ):
            connection.execute(statement)


def grow_too_large(database: Database) -> None:
    """Store a value whose hex digits are more than a gigabyte; it compresses to some megabytes."""
    database.execute("INSERT INTO xcom VALUES (7, convert_to(repeat('x', 540000000), 'UTF8'))")


@contextmanager
def reader(database: Database, *closed: str) -> Iterator[str]:
    """A role that may read every table but these."""
    name = f"reader_{database.name}"
    database.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{name}'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
        *(f"REVOKE SELECT ON {table} FROM {name}" for table in closed),
    )
    try:
        yield name
    finally:
        database.execute(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def exported(engine: Engine) -> list[str]:
    """The tables that are in S3."""
    return [key.removeprefix(PREFIX).removesuffix("_143022.csv.gz") for key in engine.files()]


def rows(engine: Engine, table: str) -> int:
    return gzip.decompress(engine.body(table)).count(b"\n") - 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_toast, r"missing chunk number 0 for toast value \d+"),
        (grow_too_large, "invalid memory alloc request size"),
    ],
    ids=["damaged TOAST value", "bytea over 512 MB"],
)
def test_a_table_that_cannot_be_read_costs_the_others_nothing(
    engine: Engine, airflow: Database, damage: Callable[[Database], None], said: str
) -> None:
    damage(airflow)
    with pytest.raises(ExportError, match=said) as raised:
        engine.export(TABLES)

    # THEN the others are exported and listed, and the table is named with its error
    manifest = engine.manifest()
    jsonschema.validate(manifest, SCHEMA)
    assert sorted(manifest["tables"]) == GOOD == exported(engine)
    assert list(manifest["failed_tables"]) == ["xcom"]
    assert "cannot export the table xcom" in manifest["failed_tables"]["xcom"]

    # AND the run says in one line what there is to do
    message = str(raised.value)
    assert message.startswith("1 of 4 tables of the group runs cannot be exported: xcom; the others are exported")
    assert "repair it and redrive" in message
    assert "exclude_tables" in message
    assert "ExcludeTables" in message
    assert "\n" not in message
    wait_until(lambda: airflow.open_transactions() == 0)


def test_tables_that_may_not_be_read_are_all_named(engine: Engine, airflow: Database) -> None:
    with reader(airflow, "job", "xcom") as name:
        source = airflow.source(username=name, password=name)
        with pytest.raises(ExportError, match=r"2 of 4 tables .*: job, xcom;"):
            engine.export(TABLES, source=source)
    failed = engine.manifest()["failed_tables"]
    assert {table: error.partition(": ")[2] for table, error in failed.items()} == {
        table: f"permission denied for table {table} (SQLSTATE 42501)" for table in ("job", "xcom")
    }
    assert exported(engine) == ["dag", "variable"]


def test_an_unknown_table_that_fails_is_named_too(engine: Engine, airflow: Database) -> None:
    damage_toast(airflow)
    with pytest.raises(ExportError, match="xcom"):
        engine.export({"dag": "full"}, CATALOGUED_TABLES='["dag", "job"]')
    manifest = engine.manifest()
    assert sorted(manifest["tables"]) == ["dag", "variable"]
    assert list(manifest["failed_tables"]) == ["xcom"]
    assert manifest["uncatalogued_tables"] == ["variable", "xcom"]


@pytest.mark.parametrize(
    ("part_of", "lost"),
    [("task_instance", ["task_instance"]), ("dag_run", ["dag_run", "task_instance"])],
    ids=["of a table that tells of runs", "of the runs"],
)
def test_a_part_that_nobody_can_read_costs_only_what_depends_on_it(
    engine: Engine, database: Database, part_of: str, lost: list[str]
) -> None:
    # GIVEN a foreign table without a handler that inherits from one of Airflow's
    key = "dag_id text, run_id text, updated_at timestamptz"
    database.execute(
        f"CREATE TABLE dag_run (id int PRIMARY KEY, state text, {key}, UNIQUE (dag_id, run_id))",
        f"CREATE TABLE task_instance ({key}, FOREIGN KEY (dag_id, run_id) REFERENCES dag_run (dag_id, run_id))",
        "CREATE TABLE job (id int)",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER far FOREIGN DATA WRAPPER nothing",
        f"CREATE FOREIGN TABLE far () INHERITS ({part_of}) SERVER far",
    )
    window = {"CUTOFF": "2026-11-11T14:30:22Z", "MAX_AGE_IN_DAYS": "30"}
    rules = {"dag_run": "run", "task_instance": "follow", "job": "date"}

    # WHEN the window is exported
    with pytest.raises(ExportError, match=rf"{len(lost)} of 3 tables .* no handler"):
        engine.export(rules, **window)

    # THEN the others are exported, and what tells of no run is named
    manifest = engine.manifest()
    assert (sorted(manifest["failed_tables"]), manifest["unread_evidence"]) == (lost, [part_of])
    assert sorted(manifest["tables"]) == sorted(rules.keys() - lost)


def test_a_large_table_that_fails_in_the_middle_leaves_no_part_and_is_not_read_on(
    engine: Engine, airflow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a table of many chunks with one value that cannot be read, about its middle
    monkeypatch.setattr(plan, "SMALL_TABLE_BYTES", 32 * 1024)
    monkeypatch.setattr(statements, "CHUNK_BYTES", 32 * 1024)
    airflow.execute("INSERT INTO xcom SELECT g, decode(repeat('00', 400), 'hex') FROM generate_series(1001, 1500) g")
    damage_toast(airflow)
    airflow.execute("INSERT INTO xcom SELECT g, decode(repeat('00', 400), 'hex') FROM generate_series(2001, 2500) g")
    ran: list[str] = []

    # WHEN it is exported
    with pytest.raises(ExportError, match="cannot export the table xcom"):
        run(engine, ran)

    # THEN the chunks to come are not read, no upload is left, and the others are there
    chunks = [description for description in ran if description.startswith("xcom: chunk")]
    assert 1 < len(chunks) < int(chunks[0].rpartition(" ")[2])
    assert engine.uploads() == []
    assert exported(engine) == GOOD
    assert airflow.open_transactions() == 0


def run(engine: Engine, ran: list[str], fail: Callable[[str], bool] = lambda description: False) -> dict[str, Any]:
    """Export in this process; note which tasks run, and let some fail as those of every table would."""

    class Runner:
        def __init__(self, session: Session) -> None:
            self._session = session

        def run(self, task: Task, description: str) -> Result:
            ran.append(description)
            if fail(description):
                raise Failure("the credentials expired", ends_run=True).error()
            result = run_task(self._session, task, attempt=self._session.attempts - 1)
            if isinstance(result, Failure):
                raise result.error()
            return result

        def cancel(self) -> None:
            """Nothing runs elsewhere."""

    @contextmanager
    def start(session: Session) -> Iterator[Runner]:
        yield Runner(session)

    arguments = parse_arguments(engine.arguments(TABLES, JOB_RUN_ID=f"jr_{len(ran)}", MAX_CONNECTIONS="2"))
    return export_group(arguments, engine.database.source(), Store(s3_client(REGION), engine.bucket), 1, start)


def test_what_ends_a_run_early_leaves_what_is_whole_in_the_manifest(
    engine: Engine, airflow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an error that is not about a table, after the large one is exported
    monkeypatch.setattr(plan, "SMALL_TABLE_BYTES", 32 * 1024)
    airflow.execute("INSERT INTO xcom SELECT g, decode(repeat('00', 400), 'hex') FROM generate_series(2, 500) g")
    ran: list[str] = []
    with pytest.raises(ExportError, match=r"^the credentials expired$"):
        run(engine, ran, fail=lambda description: "small tables" in description)
    first = engine.manifest()
    assert (list(first["tables"]), first["failed_tables"]) == (["xcom"], {})

    # WHEN it is tried again
    ran.clear()
    second = run(engine, ran)

    # THEN only the rest is read, and the manifest has all
    assert [description for description in ran if "xcom" in description] == []
    assert sorted(second["tables"]) == sorted(TABLES)
    assert second["tables"]["xcom"] == first["tables"]["xcom"]


def test_a_retry_repeats_only_what_is_missing_and_says_that_the_moments_differ(
    engine: Engine, airflow: Database
) -> None:
    # GIVEN an attempt at which one table failed
    with reader(airflow, "xcom") as name, pytest.raises(ExportError):
        engine.export(TABLES, source=airflow.source(username=name, password=name), JOB_RUN_ID="jr_first", **SIBLINGS)
    assert engine.manifest()["consistency"] == "snapshot"

    # WHEN it can be read, and all tables have more rows
    for table in TABLES:
        airflow.execute(f'INSERT INTO "{table}" VALUES (2)')
    manifest = engine.export(TABLES, JOB_RUN_ID="jr_second", **SIBLINGS)

    # THEN only it is read
    assert {table: rows(engine, table) for table in TABLES} == {"dag": 1, "job": 1, "variable": 1, "xcom": 2}
    assert {table: entry["rows"] for table, entry in manifest["tables"].items()} == dict.fromkeys(GOOD, 1) | {"xcom": 2}
    assert manifest["failed_tables"] == {}
    jsonschema.validate(manifest, SCHEMA)

    # AND that is not one moment
    assert manifest["consistency"] == "per-group"
    assert "3 of 4 tables show another snapshot, that of the attempt jr_first" in manifest["snapshot"]["reason"]

    # AND an attempt that finds everything says the same
    again = engine.export(TABLES, JOB_RUN_ID="jr_third", **SIBLINGS)
    assert (again["consistency"], again["snapshot"]) == (manifest["consistency"], manifest["snapshot"])
    assert (again["tables"], again["job_run_id"]) == (manifest["tables"], "jr_third")


def test_an_attempt_that_finds_everything_shows_the_snapshot_of_the_earlier_one(
    engine: Engine, airflow: Database
) -> None:
    first = engine.export(TABLES, JOB_RUN_ID="jr_first", **SIBLINGS)
    again = engine.export(TABLES, JOB_RUN_ID="jr_second", **SIBLINGS)
    assert first["consistency"] == "snapshot"
    assert again["snapshot"] == first["snapshot"]
    assert (again["consistency"], again["tables"]) == ("snapshot", first["tables"])


@pytest.mark.parametrize("damaged", [None, b"another table"], ids=["gone", "another"])
def test_an_object_that_is_not_what_the_manifest_says_is_exported_again(
    engine: Engine, airflow: Database, damaged: bytes | None
) -> None:
    engine.export(TABLES)
    for table in TABLES:
        airflow.execute(f'INSERT INTO "{table}" VALUES (2)')
    if damaged is None:
        s3_client(REGION).delete_object(Bucket=engine.bucket, Key=JOB)
    else:
        s3_client(REGION).put_object(Bucket=engine.bucket, Key=JOB, Body=damaged, ChecksumAlgorithm="SHA256")
    engine.export(TABLES)
    assert {table: rows(engine, table) for table in TABLES} == dict.fromkeys(TABLES, 1) | {"job": 2}
