"""The PostgreSQL boundary: connections, and the one transaction each of them runs.

It must work behind PgBouncer in transaction mode and behind RDS Proxy: no session state, no prepared statement, no
startup option, so everything is SET LOCAL in one explicit transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import botocore
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from metadata_export.errors import SnapshotError, SourceError, TransientSourceError
from metadata_export.secret import Credentials

Connection = psycopg.Connection[tuple[object, ...]]

LOCK_TIMEOUT = "60s"  # a migration holds ACCESS EXCLUSIVE: say so instead of waiting for it
IDLE_TIMEOUT = "5min"  # no transaction outlives a killed run for longer than this

# How values are written: the same text on every server, whatever its configuration or the role's.
FORMAT_SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "search_path": "",
}
# How statements run: bounded, one backend each, and an error instead of rows that a policy hides.
BEHAVIOUR_SETTINGS = {
    "lock_timeout": LOCK_TIMEOUT,
    "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
    "row_security": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
# Limits of the role, the database or the server that not every server knows. They would end the transaction, or the
# connection of a reader that pauses. The server itself is asked, for a pooler reports a version of its own. Inside of a
# transaction transaction_timeout (PostgreSQL 17) can be neither raised nor lowered, whatever SHOW says; 0 stops it.
# https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT
# https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-USER-TIMEOUT
LIFTED_WHERE_KNOWN = ("transaction_timeout", "tcp_user_timeout")
LIFT = "SELECT pg_catalog.set_config({name}, '0', true) WHERE pg_catalog.current_setting({name}, true) IS NOT NULL"

# Connection exceptions, too many connections, the server going down or coming up, and limits that end the connection
# (25P03 idle in a transaction, 25P04 transaction, 57P05 idle session):
# https://www.postgresql.org/docs/current/errcodes-appendix.html
TRANSIENT_STATES = ("08", "25P03", "25P04", "53300", "57P01", "57P02", "57P03", "57P05")
UNKNOWN_SNAPSHOT_STATES = ("22023", "42704", "55000")
LOCK_TIMEOUT_STATE = "55P03"
# Undefined table, column or schema: what the snapshot's catalog has described is not there any more.
CHANGED_STATES = ("42P01", "42703", "3F000")
CHANGED = "it has changed since the export's snapshot (airflow db clean? a migration?): redrive when that has ended"
SHOWN_LOCKS = 5  # a migration may hold them all, and the next action must fit into Glue's ErrorMessage
POOL_EXHAUSTED = "query_wait_timeout"  # PgBouncer's word for no server connection within its bound
EXCLUSIVE_LOCKS = """
SELECT DISTINCT c.relname, l.pid, a.application_name
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = l.relation
JOIN pg_catalog.pg_class c ON c.oid = COALESCE(i.indrelid, l.relation)
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p')
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY c.relname, l.pid
"""
# For sslmode verify-ca and verify-full: the public certificate authorities, since RDS Proxy has a public certificate.
AUTHORITIES = Path(botocore.__file__).with_name("cacert.pem")


@dataclass(frozen=True)
class Source:
    """A database and how its statements are bounded; what must stay secret is not in the repr."""

    credentials: Credentials
    statement_timeout_seconds: int
    application_name: str

    def connect(self) -> Connection:
        """Open a connection.

        Raises:
            CredentialsError: they have expired.
            SourceError: naming host and port, never the password.
        """
        credentials = self.credentials
        credentials.check_fresh(datetime.now(UTC))
        with naming(f"connect to PostgreSQL at {credentials.host}:{credentials.port}"):
            connection: Connection = psycopg.connect(
                host=credentials.host,
                port=credentials.port,
                dbname=credentials.dbname,
                user=credentials.username,
                password=credentials.password,
                sslmode=credentials.sslmode,
                sslrootcert=str(AUTHORITIES) if credentials.sslmode.startswith("verify-") else None,
                gssencmode="disable",
                application_name=self.application_name,
                connect_timeout=15,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
                autocommit=True,  # the transactions below are explicit
                prepare_threshold=None,
            )
            return connection

    def open(self, snapshot_id: str) -> Connection:
        """Open a connection and begin its transaction with a snapshot."""
        connection = self.connect()
        try:
            self.begin(connection, snapshot_id)
        except BaseException:
            release(connection)
            raise
        return connection

    def begin(self, connection: Connection, snapshot_id: str | None = None) -> None:
        """Begin the connection's one transaction, in one round trip.

        Args:
            connection: outside of a transaction.
            snapshot_id: of another transaction that is still open; None takes a new one.

        Raises:
            SnapshotError: that transaction has ended, or the snapshot belongs to another database.
        """
        statements: list[sql.Composable] = [sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")]
        if snapshot_id is not None:
            statements.append(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot_id)))
        statements += [sql.SQL(LIFT).format(name=sql.Literal(name)) for name in LIFTED_WHERE_KNOWN]
        timeouts = {"statement_timeout": f"{self.statement_timeout_seconds}s"}
        for name, value in (FORMAT_SETTINGS | BEHAVIOUR_SETTINGS | timeouts).items():
            statements.append(sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(value)))
        try:
            connection.execute(sql.SQL("; ").join(statements))
        except psycopg.Error as error:
            if snapshot_id is not None and error.sqlstate in UNKNOWN_SNAPSHOT_STATES:
                raise SnapshotError(f"snapshot {snapshot_id} cannot be imported: {error}") from error
            raise source_error("begin a transaction", error) from error


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo at the end what was done within: an error ends the statement alone, and no table stays locked."""
    connection.execute("SAVEPOINT here")
    try:
        yield
    finally:
        connection.execute("ROLLBACK TO SAVEPOINT here; RELEASE SAVEPOINT here")


def rollback(connection: Connection) -> None:
    """End the connection's transaction; it may have failed before."""
    with naming("end a transaction"):
        connection.execute("ROLLBACK")


def release(connection: Connection) -> None:
    """End the connection's transaction and close it; no error when it is lost, or closed already.

    PgBouncer closes the server connection of a client that leaves inside of a transaction: each task would cost
    the pool that Airflow lives on one of them, and Airflow would wait for a new one.
    """
    if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
    connection.close()


@contextmanager
def releasing(connection: Connection) -> Iterator[Connection]:
    """Release the connection at the end."""
    try:
        yield connection
    finally:
        release(connection)


@contextmanager
def naming(action: str, connection: Connection | None = None) -> Iterator[None]:
    """Turn an error of psycopg into one that says what was attempted and, of a `connection`, what locked it out."""
    try:
        yield
    except psycopg.Error as error:
        raise source_error(action, error, connection) from error


def source_error(action: str, error: psycopg.Error, connection: Connection | None = None) -> SourceError:
    """Return the error of this package that an error of psycopg amounts to.

    Args:
        connection: on which it happened; after a lock time-out its transaction ends, to ask who has locked what.
    """
    state = error.sqlstate
    if POOL_EXHAUSTED in str(error):  # waiting again would hold up those that have a connection already
        return SourceError(
            f"cannot {action}: PgBouncer gave no server connection in time ({POOL_EXHAUSTED}). Its pool needs one for "
            "each table group and at least one more: enlarge it, or export fewer groups at a time (include_tables)"
        )
    lost = state is None and isinstance(error, psycopg.OperationalError)
    transient = lost or (state is not None and state.startswith(TRANSIENT_STATES))
    kind = TransientSourceError if transient else SourceError
    advice = f" - {CHANGED}" if state in CHANGED_STATES else ""
    if connection is not None and state == LOCK_TIMEOUT_STATE:
        advice = f" - {_blockers(connection)}"
    return kind(f"cannot {action}: {error}" + (f" (SQLSTATE {state})" if state else "") + advice)


def _blockers(connection: Connection) -> str:
    """Return which tables are locked against readers and by whom: PostgreSQL's own error names neither."""
    rows: list[tuple[object, ...]] = []
    with suppress(psycopg.Error):
        while connection.pgconn.get_result() is not None:  # what is left to read of a COPY that failed
            pass
        connection.execute("ROLLBACK")
        rows = connection.execute(EXCLUSIVE_LOCKS).fetchall()
    held = [f"{table} (by process {pid}, {name or 'unnamed'})" for table, pid, name in rows]
    more = f" and {len(held) - SHOWN_LOCKS} more" if len(held) > SHOWN_LOCKS else ""
    locked = f"locked are now {', '.join(held[:SHOWN_LOCKS])}{more}" if held else "the lock has gone since"
    return f"{locked}; a migration? When it has ended, redrive the execution"
