"""The one connection of a process, for credentials that open connections only for minutes; open ones stay open.

AWS documented: an IAM token is valid for 15 minutes and "doesn't affect the session after it is established".
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg import pq

from metadata_export.errors import CredentialsError, SnapshotError, SourceError, describe
from metadata_export.source import Connection, naming, release, rollback
from metadata_export.task import Session


class KeptConnection:
    """Opens a connection with the first task and keeps it for those to come, as long as it works."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self.lost: str | None = None
        """why there is no connection and never will be one again; None while there is, or may be"""

    @contextmanager
    def opened(self, session: Session) -> Iterator[Connection]:
        """Give the connection, in a transaction with the session's snapshot, to one task.

        Raises:
            CredentialsError: it must be opened, and they have expired.
            SourceError: it cannot be opened.
        """
        connection = self._connection = self._connection or self._open(session)
        try:
            yield connection
        except BaseException:
            self._recover(connection, session)
            raise

    def keep_alive(self, session: Session) -> None:
        """Talk: PostgreSQL ends a transaction that is idle for IDLE_TIMEOUT, and RDS Proxy drops silent clients."""
        if self._connection is None:
            return
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            self._give_up(self._connection, session, error)

    def release(self) -> None:
        """End the transaction and close the connection, if there is one."""
        if self._connection is not None:
            release(self._connection)
            self._connection = None

    def _open(self, session: Session) -> Connection:
        try:
            return session.source.open(session.snapshot_id)
        except CredentialsError:
            self.lost = self.lost or "it was not opened in time"
            raise

    def _recover(self, connection: Connection, session: Session) -> None:
        """Give the next task a transaction that has not failed."""
        try:
            begin_again(connection, session)
        except (SnapshotError, SourceError) as error:
            self._give_up(connection, session, error)

    def _give_up(self, connection: Connection, session: Session, error: Exception) -> None:
        self._connection = None
        connection.close()
        try:
            session.source.credentials.check_fresh(datetime.now(UTC))
        except CredentialsError:
            self.lost = describe(error)


def begin_again(connection: Connection, session: Session) -> None:
    """End a transaction that failed and begin one with the same snapshot, which lives as long as its holder does.

    Raises:
        SourceError: the connection is lost, or in the middle of a COPY that nobody reads any more.
        SnapshotError: the snapshot's holder has ended.
    """
    with naming("end a statement that failed"):
        while (result := connection.pgconn.get_result()) is not None:  # what is left of it to read
            if result.status == pq.ExecStatus.COPY_OUT:
                raise SourceError("the connection is in the middle of a COPY")
    rollback(connection)
    session.source.begin(connection, session.snapshot_id)
