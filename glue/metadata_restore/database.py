"""The PostgreSQL boundary: connections, their one transaction, and errors that name what was attempted.

As for exports it must work behind PgBouncer in transaction mode: no session state, everything is SET LOCAL.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from metadata_restore.errors import TargetError

Connection = psycopg.Connection[tuple[object, ...]]

# Values come as the export wrote them. Nothing of the role or the database may end the transaction or change a value,
# and of a restore that was killed the server notices within a minute that nobody is there.
SETTINGS = {
    "client_encoding": "UTF8",
    "search_path": "",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "5min",
    "row_security": "off",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
# Not every server knows them (PostgreSQL 17).
_LIFT = "SELECT pg_catalog.set_config({name}, '0', true) WHERE pg_catalog.current_setting({name}, true) IS NOT NULL"
_LIFTED = ("transaction_timeout",)


@dataclass(frozen=True)
class Address:
    """A database; what must stay secret is not in its repr.

    ``conninfo``: as libpq takes it, a URL among others. What it lacks comes from where libpq looks, PGPASSWORD and the
    password file among others.
    """

    conninfo: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no address.

        Raises:
            TargetError: without what was given: a password may be in it.
        """
        try:
            parts = conninfo_to_dict(self.conninfo)
        except psycopg.Error:
            parts = {"port": "none"}
        # The rest of a password that was not encoded is taken for these, and errors would show it.
        if "@" in str(parts.get("host", "")) or not re.fullmatch(r"[\d,]*", str(parts.get("port", ""))):
            raise TargetError(
                "That is no address of a database. Allowed is a URL as postgresql://user@host:5432/database; "
                "characters such as @ : / in its parts are percent-encoded."
            )

    def connect(self) -> Connection:
        """Open a connection.

        Raises:
            TargetError: naming host and port, never the password.
        """
        with naming("connect to the target database"):
            return psycopg.connect(
                self.conninfo,
                application_name="mwaa-metadata-export restore",
                connect_timeout=15,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
                autocommit=True,  # the transactions are explicit
                prepare_threshold=None,
            )

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Open a connection and close it at the end: what was not committed is undone."""
        connection = self.connect()
        try:
            yield connection
        finally:
            connection.close()


def begin(connection: Connection, *, read_only: bool = False) -> None:
    """Begin the transaction, in one round trip.

    Raises:
        TargetError: the server does not answer.
    """
    statements: list[sql.Composable] = [
        sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if read_only else "BEGIN")
    ]
    statements += [sql.SQL(_LIFT).format(name=sql.Literal(name)) for name in _LIFTED]
    for name, value in SETTINGS.items():
        statements.append(sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(value)))
    with naming("begin a transaction in the target database"):
        connection.execute(sql.SQL("; ").join(statements))


def rollback(connection: Connection) -> None:
    """End the transaction, whatever its state; no error when the connection is lost, since that ended it too."""
    with suppress(psycopg.Error):
        connection.execute("ROLLBACK")


@contextmanager
def naming(action: str) -> Iterator[None]:
    """Turn an error of psycopg into one that says what was attempted.

    It is no cause of the new one: a traceback would show it, with the row that it is about.
    """
    try:
        yield
    except psycopg.Error as error:
        raise TargetError(f"Could not {action}: {told(error)}{_advice(error)}", unable=_is_unable(error)) from None


def told(error: psycopg.Error) -> str:
    """Return what PostgreSQL says, in one line, and without the row that it is about: a secret may be in it."""
    place = _PLACE.match(error.diag.context or "")
    message = error.diag.message_primary or str(error)
    if (error.sqlstate or "").startswith(_ABOUT_A_VALUE):
        message = _QUOTED.sub("...", message)
    parts = [message, f"({place[0]})" if place else ""]
    state = f"(SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return " ".join(" ".join([*parts, state]).split())


# What the server cannot do is its own trouble: connections, resources, operators, its system; or it says no more.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNABLE = ("08", "53", "57", "58")


def _is_unable(error: psycopg.Error) -> bool:
    state = error.sqlstate
    return state.startswith(_UNABLE) if state else isinstance(error, psycopg.OperationalError)


_ABOUT_A_VALUE = "22"  # data exceptions: 'invalid input syntax for type uuid: "..."'
_QUOTED = re.compile(r'["«»„“”「].*["«»„“”」]', re.DOTALL)  # in the languages that PostgreSQL speaks
_PLACE = re.compile(r"COPY .+?, line \d+(, column [^:]+)?")


def _advice(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return ". With --mode fill, --without-orphans leaves out rows whose parents do not exist"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return ". Connect as the owner of the target's tables"
    return ""
