"""Where each sequence stands. It tells the moment, not the snapshot: never less than the rows of the snapshot need."""

from dataclasses import dataclass, replace

from psycopg import sql

from metadata_export.errors import SourceError
from metadata_export.log import warning
from metadata_export.schema.entries import SEQUENCE_STATE, Entry
from metadata_export.schema.names import USERS, own
from metadata_export.source import Connection, naming, savepoint

SEQUENCES = f"""
SELECT n.nspname, c.relname, q.seqincrement
FROM pg_class c JOIN pg_sequence q ON q.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {USERS} AND {own("pg_class", "c.oid")} ORDER BY n.nspname, c.relname
"""
STATE = "SELECT {}::int, last_value, is_called FROM {}"
# RESTART gives the sequence a new file, so that a ROLLBACK undoes setval too.
RESTORE = "ALTER SEQUENCE {} RESTART; SELECT pg_catalog.setval({}, {}, {});"
NOT_KNOWN = "-- Its state could not be read."


@dataclass(frozen=True)
class Sequence:
    """A sequence, and where it stands: not known where this role may not read it, or where it is gone."""

    schema: str
    name: str
    increment: int
    last_value: int | None = None
    is_called: bool | None = None

    @property
    def following(self) -> int | None:
        """The number that it gives out next, bounds apart."""
        return self.last_value + self.increment if self.last_value is not None and self.is_called else self.last_value

    @property
    def relation(self) -> sql.Identifier:
        """The sequence as statements name it."""
        return sql.Identifier(self.schema, self.name)


def read_sequences(connection: Connection) -> list[Sequence]:
    """Return every sequence, within the connection's transaction.

    Raises:
        SourceError: the connection is lost.
    """
    with naming("read the sequences"):
        rows = connection.execute(SEQUENCES.encode()).fetchall()
    sequences = [Sequence(str(schema), str(name), int(str(increment))) for schema, name, increment in rows]
    try:
        return _with_states(connection, sequences)
    except SourceError as error:
        if error.transient:
            raise
        return [_alone(connection, sequence) for sequence in sequences]


def sequence_entry(connection: Connection, sequence: Sequence) -> Entry:
    """Return the statements that have a sequence stand where it stood."""
    text = sql.Literal(sequence.relation.as_string(connection))
    value, called = sql.Literal(sequence.last_value), sql.Literal(sequence.is_called)
    statements = sql.SQL(RESTORE).format(sequence.relation, text, value, called).as_string(connection)
    return Entry(
        section="data",
        kind=SEQUENCE_STATE,
        schema=sequence.schema,
        name=sequence.name,
        sql=statements if sequence.last_value is not None else NOT_KNOWN,
        last_value=sequence.last_value,
        is_called=sequence.is_called,
    )


def _with_states(connection: Connection, sequences: list[Sequence]) -> list[Sequence]:
    if not sequences:
        return []
    each = (sql.SQL(STATE).format(sql.Literal(number), sequence.relation) for number, sequence in enumerate(sequences))
    with naming(f"read the sequence {', '.join(each.name for each in sequences[:3])}"), savepoint(connection):
        rows = connection.execute(sql.SQL(" UNION ALL ").join(each)).fetchall()
    states = {int(str(number)): (int(str(value)), bool(called)) for number, value, called in rows}
    return [
        replace(sequence, last_value=states[number][0], is_called=states[number][1])
        for number, sequence in enumerate(sequences)
    ]


def _alone(connection: Connection, sequence: Sequence) -> Sequence:
    try:
        return _with_states(connection, [sequence])[0]
    except SourceError as error:
        if error.transient:
            raise
        warning(f"the state of the sequence {sequence.name} is not known: {error}")
        return sequence
