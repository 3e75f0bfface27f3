"""What an export costs the database that others work with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from metadata_export.errors import ExportError
from metadata_export.source import BEHAVIOUR_SETTINGS, source_error

from tests.integration.engine.conftest import Database, Engine

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'metadata_export%'"
# While PostgreSQL starts a session it locks the session's own database object, whatever the session is for:
# InitPostgres() in postinit.c.
LOCKS = f"""
    SELECT DISTINCT locktype, mode FROM pg_locks
    WHERE pid IN ({SESSIONS}) AND (locktype, classid) IS DISTINCT FROM ('object', 'pg_database'::regclass)
"""


@contextmanager
def observer(database: Database) -> Iterator[tuple[set[tuple[str, str]], list[int]]]:
    """Collect the locks of the export's sessions, and how many sessions there are, while it runs."""
    locks: set[tuple[str, str]] = set()
    sessions: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        with database.connect() as connection:
            while not stop.is_set():
                locks.update(connection.execute(LOCKS).fetchall())
                sessions.append(len(connection.execute(SESSIONS).fetchall()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield locks, sessions
    finally:
        stop.set()
        watcher.join()


def test_no_lock_is_stronger_than_access_share_and_connections_are_bounded(engine: Engine, database: Database) -> None:
    # GIVEN a table of many chunks
    database.execute(
        "CREATE TABLE log (id int, extra text)",
        "ALTER TABLE log ALTER extra SET STORAGE PLAIN",
        "INSERT INTO log SELECT g, repeat('x', 4000) FROM generate_series(1, 60000) g",
    )

    # WHEN it is exported with at most three connections
    with observer(database) as (locks, sessions):
        manifest = engine.export({"log": "full"}, MAX_CONNECTIONS="3")

    # THEN that is what was used, with the weakest lock there is
    assert manifest["tables"]["log"]["rows"] == 60_000
    assert {mode for kind, mode in locks if kind == "relation"} == {"AccessShareLock"}
    assert {kind for kind, mode in locks if mode != "AccessShareLock"} <= {"virtualxid"}
    assert 2 <= max(sessions) <= 3


def test_a_statement_that_takes_too_long_fails_the_group(engine: Engine, database: Database) -> None:
    database.execute(
        "CREATE TABLE busy (id int)",
    )
    with database.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK busy IN ACCESS EXCLUSIVE MODE")  # as a migration does
        source = database.source(statement_timeout_seconds=1)
        with pytest.raises(ExportError, match="statement timeout"):
            engine.export({"busy": "full"}, source=source)
        blocker.execute("ROLLBACK")
    assert database.open_transactions() == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a lock no longer than a moment."""
    monkeypatch.setitem(BEHAVIOUR_SETTINGS, "lock_timeout", "200ms")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("rows", [0, 10], ids=["when it is empty", "with rows"])
def test_given_a_migration_that_has_locked_a_table_then_the_error_names_it_and_who_holds_it(
    engine: Engine, database: Database, rows: int
) -> None:
    database.execute("CREATE TABLE dag_run (id int)", f"INSERT INTO dag_run SELECT generate_series(1, {rows})")
    with database.connect(application_name="alembic") as blocker:
        blocker.execute("BEGIN")
        blocker.execute("ALTER TABLE dag_run ADD COLUMN added int")
        holder = blocker.info.backend_pid
        with pytest.raises(ExportError, match=rf"locked are now dag_run \(by process {holder}, alembic\).*redrive"):
            engine.export({"dag_run": "full"})
        blocker.execute("ROLLBACK")
    assert database.open_transactions() == 0


@pytest.mark.usefixtures("impatient")
def test_given_a_migration_that_holds_many_tables_then_the_error_stays_short_and_keeps_the_next_action(
    engine: Engine, database: Database
) -> None:
    database.execute(*(f"CREATE TABLE t{number} (id int)" for number in range(8)))
    with database.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK t0, t1, t2, t3, t4, t5, t6, t7 IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ExportError, match=r"t4 \([^)]*\) and 3 more; .*redrive the execution$"):
            engine.export({"t0": "full"})
        blocker.execute("ROLLBACK")


@pytest.mark.usefixtures("impatient")
def test_given_an_index_that_is_rebuilt_then_the_copy_that_waits_for_it_names_the_table(
    engine: Engine, database: Database
) -> None:
    database.execute("CREATE TABLE busy (id int PRIMARY KEY)", "INSERT INTO busy VALUES (1)")
    with database.connect(application_name="maintenance") as blocker:
        blocker.execute("BEGIN")
        blocker.execute("REINDEX TABLE busy")  # the catalog can be read meanwhile; who copies the table waits
        with pytest.raises(ExportError, match=r"cannot export the table busy.*locked are now busy .*maintenance"):
            engine.export({"busy": "full"})
        blocker.execute("ROLLBACK")
    assert database.open_transactions() == 0


def test_given_a_lock_that_has_gone_when_asked_then_the_error_says_so(database: Database) -> None:
    with database.source().connect() as connection:
        error = source_error("read", psycopg.errors.LockNotAvailable("timeout"), connection)
    assert not error.transient
    assert "the lock has gone since" in str(error)


def test_sessions_end_by_themselves_when_nobody_talks_to_them(engine: Engine, database: Database) -> None:
    source = database.source()
    with source.connect() as connection:
        source.begin(connection)
        limit = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        assert limit == ("5min",)
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        connection.execute("ROLLBACK")
