"""What an export costs the database that others work with."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest
from metadata_export.errors import MESSAGE_LIMIT, ExportError, TransientSourceError
from metadata_export.source import BEHAVIOUR_SETTINGS, naming, source_error

from local.postgres import USER
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
    """Collect the locks of the export's sessions, and how many connections this process has, while it runs.

    Connections are counted here, for a session is among the server's for a while after its connection was closed.
    """
    locks: set[tuple[str, str]] = set()
    connections: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        with database.connect() as connection:
            while not stop.is_set():
                locks.update(connection.execute(LOCKS).fetchall())
                connections.append(_connected(database.server.port) - 1)  # this one

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield locks, connections
    finally:
        stop.set()
        watcher.join()


def _connected(port: int) -> int:
    established = [
        each
        for each in psutil.Process().net_connections("tcp")
        if each.raddr and each.status == psutil.CONN_ESTABLISHED
    ]
    return sum(each.raddr.port == port for each in established)


def test_no_lock_is_stronger_than_access_share_and_connections_are_bounded(engine: Engine, database: Database) -> None:
    # GIVEN a table of many chunks
    database.execute(
        "CREATE TABLE log (id int, extra text)",
        "ALTER TABLE log ALTER extra SET STORAGE PLAIN",
        "INSERT INTO log SELECT g, repeat('x', 4000) FROM generate_series(1, 60000) g",
    )

    # WHEN it is exported with at most three connections
    with observer(database) as (locks, connections):
        manifest = engine.export({"log": "full"}, MAX_CONNECTIONS="3")

    # THEN that is what was used, with the weakest lock there is
    assert manifest["tables"]["log"]["rows"] == 60_000
    assert {mode for kind, mode in locks if kind == "relation"} == {"AccessShareLock"}
    assert {kind for kind, mode in locks if mode != "AccessShareLock"} <= {"virtualxid"}
    assert 2 <= max(connections) <= 3


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
        with pytest.raises(
            ExportError, match=r"t0: cannot export the table t0: .*ExcludeTables in all to come$"
        ) as failed:
            engine.export({"t0": "full"})
        blocker.execute("ROLLBACK")
    assert len(str(failed.value)) < MESSAGE_LIMIT
    assert re.search(r"t4 \([^)]*\) and 3 more; .*redrive the execution$", engine.manifest()["failed_tables"]["t0"])


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


LIMITS = {  # what the role, the database or the server may say, and who would end the transaction for it
    "statement_timeout": "300ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "300ms",
    "idle_session_timeout": "2s",  # a busy machine may take longer than the others between connecting and BEGIN
    "transaction_timeout": "300ms",  # PostgreSQL 17
}
PAUSED_SECONDS = 1


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
@pytest.mark.parametrize("owner", ["ROLE", "DATABASE"])
def test_given_limits_of_the_role_or_database_when_exported_then_none_ends_the_export(
    engine: Engine, database: Database, owner: str
) -> None:
    # GIVEN a table that takes longer than every limit
    database.execute("CREATE TABLE xcom (id int, value text)")
    database.execute("INSERT INTO xcom SELECT g, repeat(md5(g::text), 40) FROM generate_series(1, 250000) g")

    # WHEN it is exported
    with limits(database, owner, LIMITS) as limited:
        assert len(limited) >= len(LIMITS) - 1
        manifest = engine.export({"xcom": "full"})

    # THEN it is all there
    assert manifest["tables"]["xcom"]["rows"] == 250_000


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
@pytest.mark.parametrize("shared", [False, True], ids=["a new snapshot", "that of another"])
def test_given_limits_of_the_role_when_its_transaction_pauses_then_it_lives(database: Database, shared: bool) -> None:
    with limits(database, "ROLE", LIMITS), database.source().connect() as holder, database.source().connect() as reader:
        database.source().begin(holder)
        snapshot_id = str(holder.execute("SELECT pg_catalog.pg_export_snapshot()").fetchall()[0][0])
        database.source().begin(reader, snapshot_id if shared else None)
        time.sleep(PAUSED_SECONDS)
        for connection in (holder, reader):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
            connection.execute("ROLLBACK")


def test_given_a_server_that_drops_slow_readers_when_a_reader_pauses_then_its_copy_goes_on(database: Database) -> None:
    with limits(database, "ROLE", {"tcp_user_timeout": "100ms"}), database.source().connect() as connection:
        database.source().begin(connection)
        rows = 0
        with connection.cursor().copy(
            "COPY (SELECT repeat('x', 2000) FROM generate_series(1, 20000)) TO STDOUT"
        ) as copy:
            for _ in copy:
                rows += 1
                if rows == 10:
                    time.sleep(3)  # the sockets' buffers are full long before
        connection.execute("ROLLBACK")
    assert rows == 20_000


@pytest.mark.parametrize(
    "limit", ["idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout"]
)
def test_a_connection_that_a_limit_has_ended_is_lost_and_may_be_had_again(database: Database, limit: str) -> None:
    with database.connect() as connection:
        connection.execute(f"SET {limit} TO '100ms'")
        if limit != "idle_session_timeout":
            connection.execute("BEGIN")
        time.sleep(PAUSED_SECONDS)
        with pytest.raises(TransientSourceError, match=r"cannot read: .*SQLSTATE"), naming("read"):
            connection.execute("SELECT 1")


@contextmanager
def limits(database: Database, owner: str, settings: dict[str, str]) -> Iterator[list[str]]:
    """Give the role or the database limits, as far as this server knows them; yield their names."""
    name = USER if owner == "ROLE" else database.name
    known = [row[0] for row in database.rows("SELECT name FROM pg_settings") if row[0] in settings]
    database.execute(*(f"ALTER {owner} {name} SET {each} TO '{settings[each]}'" for each in known))
    try:
        yield known
    finally:
        database.execute(f"ALTER {owner} {name} RESET ALL")
