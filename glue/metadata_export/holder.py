"""Keeps the transaction that holds a snapshot alive, and talking.

AWS documented: RDS Proxy closes a client's connection that is idle for 30 minutes, or as long as somebody has set.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-connections.html

AWS assumed: PgBouncer and RDS Proxy of MWAA leave a transaction alone that sends a statement every few seconds.
"""

import threading
from types import TracebackType

import psycopg

from metadata_export.errors import ExportError, describe
from metadata_export.log import warning
from metadata_export.source import Connection, release

HEARTBEAT_SECONDS = 5.0


class SnapshotHolder:
    """Talks on a connection until it is left; the connection belongs to it meanwhile, and is closed at the end."""

    def __init__(self, connection: Connection, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self.connection = connection
        self._seconds = heartbeat_seconds
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._talk, name="snapshot-holder", daemon=True)
        self.lost: str | None = None
        """why the snapshot can no longer be imported, when it cannot"""

    def __enter__(self) -> "SnapshotHolder":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._released.set()
        self._thread.join(timeout=60)
        release(self.connection)

    def explained(self, error: ExportError) -> ExportError:
        """Return what has ended the run, with the loss of the snapshot where that came before."""
        if self.lost is None:
            return error
        return ExportError(f"{describe(error)} - the connection that held the snapshot was lost before: {self.lost}")

    def _talk(self) -> None:
        while not self._released.wait(self._seconds):
            try:
                self.connection.execute("SELECT 1")
            except psycopg.Error as error:
                self.lost = str(error)
                warning(f"the connection that holds the snapshot is lost: {error}")
                return
