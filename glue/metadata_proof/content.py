"""What is in a table of a database, as the export would record it: the same settings, COPY and checksum."""

from collections.abc import Sequence
from dataclasses import dataclass

from metadata_export.content import content_checksum
from metadata_export.copy_out import CopyOut, without_garbage_collector
from metadata_export.source import FORMAT_SETTINGS
from metadata_restore.database import Connection, naming
from psycopg import sql


@dataclass(frozen=True)
class Content:
    """How many rows there are, and their checksum as manifest and summary have it."""

    rows: int
    checksum: str


def read_content(connection: Connection, relation: sql.Composable, columns: Sequence[str]) -> Content:
    """Read a table within the connection's transaction, whose settings it changes.

    Args:
        columns: of the file, in its order.

    Raises:
        TargetError: the database does not give the rows.
    """
    settings = [
        sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in FORMAT_SETTINGS.items()
    ]
    selected = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv)").format(selected, relation)
    with naming("read back what was restored"), without_garbage_collector():
        connection.execute(sql.SQL("; ").join(settings))
        copy = CopyOut(connection, statement.as_string(connection))
        for _ in copy:
            pass
    return Content(copy.rows, content_checksum(copy.content))
