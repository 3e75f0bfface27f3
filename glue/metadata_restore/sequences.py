"""Sequences: they go on after the numbers that are taken.

``setval`` survives a ROLLBACK, ``ALTER SEQUENCE ... RESTART`` does not.
https://www.postgresql.org/docs/current/functions-sequence.html
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psycopg import sql

from metadata_restore.database import Connection, naming
from metadata_restore.target import TargetTable

# A sequence belongs to a column by ownership (serial, identity), by the column's default, or, as FAB makes its tables
# since Airflow 3.2, by nothing but its name: <table>_<column>_seq.
_SEQUENCES = """
SELECT n.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqmin, q.seqmax, q.seqincrement
FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
LEFT JOIN LATERAL (
  SELECT d.refobjid AS relation, d.refobjsubid AS number FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
  UNION ALL
  SELECT f.adrelid, f.adnum FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
  WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refobjid = s.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass
  UNION ALL
  SELECT c.oid, c_a.attnum FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute c_a ON c_a.attrelid = c.oid
  WHERE c.relnamespace = s.relnamespace AND c.relkind IN ('r', 'p') AND c_a.attnum > 0 AND NOT c_a.attisdropped
    AND s.relname = c.relname || '_' || c_a.attname || '_seq'
  LIMIT 1
) AS owner ON true
LEFT JOIN pg_catalog.pg_class t ON t.oid = owner.relation
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = owner.relation AND a.attnum = owner.number
WHERE s.relkind = 'S' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, s.relname
"""


@dataclass(frozen=True)
class Sequence:
    """A sequence of the target, table and column that take their numbers from it (if one does), and its bounds."""

    name: str
    relation: sql.Identifier
    owner: tuple[str, str] | None
    lowest: int
    highest: int
    increment: int


def read_sequences(connection: Connection) -> tuple[Sequence, ...]:
    """Return the sequences of the database, by its catalog.

    Raises:
        TargetError: it does not answer.
    """
    with naming("look at the sequences of the target database"):
        return tuple(_sequence(row) for row in connection.execute(_SEQUENCES).fetchall())


def restart(
    connection: Connection,
    tables: Mapping[str, TargetTable],
    loaded: Collection[str],
    recorded: Mapping[str, int] | None,
    kept: Collection[str] = (),
) -> tuple[str, ...]:
    """Have the sequences of loaded tables go on, within the connection's transaction.

    Args:
        tables: of the target, by name.
        loaded: those whose rows were loaded.
        recorded: what each sequence gives out next in the exported database; a sequence that is not recorded goes on
            after the largest number in its column.
        kept: loaded tables that have kept rows of their own too: their sequences go on after these as well.

    Returns:
        What a person should know: sequences that have no number left.

    Raises:
        TargetError: the role does not own a sequence, or the connection is lost.
    """
    notes = []
    for sequence in read_sequences(connection):
        with naming(f"restart the sequence {sequence.name}"):
            following = _following(connection, sequence, tables, loaded, recorded or {}, kept)
            if following is None:
                continue
            if not sequence.lowest <= following <= sequence.highest:
                notes.append(f"the sequence {sequence.name} has no number left (the next would be {following:,})")
                following = min(max(following, sequence.lowest), sequence.highest)
            statement = sql.SQL("ALTER SEQUENCE {} RESTART WITH {}")
            connection.execute(statement.format(sequence.relation, sql.Literal(following)))
    return tuple(notes)


def _following(
    connection: Connection,
    sequence: Sequence,
    tables: Mapping[str, TargetTable],
    loaded: Collection[str],
    recorded: Mapping[str, int],
    kept: Collection[str],
) -> int | None:
    """Return the number that a sequence gives out next; None: it is left alone."""
    known = recorded.get(sequence.name)
    if sequence.owner is None:  # of no column: only what was recorded is known
        return known
    table, column = sequence.owner
    if table not in loaded or (known is not None and table not in kept):
        return known if table in loaded else None
    free = _after_largest(connection, sequence, tables[table], column)
    return free if known is None else (max if sequence.increment > 0 else min)(free, known)


def _after_largest(connection: Connection, sequence: Sequence, table: TargetTable, column: str) -> int:
    extreme, first = ("max", sequence.lowest) if sequence.increment > 0 else ("min", sequence.highest)
    query = sql.SQL("SELECT {}({})::numeric FROM {}").format(sql.SQL(extreme), sql.Identifier(column), table.relation)
    [[taken]] = connection.execute(query).fetchall()
    if taken is None:
        return first
    following = int(str(taken)) + sequence.increment
    return max(following, first) if sequence.increment > 0 else min(following, first)


def _sequence(row: tuple[object, ...]) -> Sequence:
    schema, name, table_schema, table, column, lowest, highest, increment = row
    return Sequence(
        name=_name(schema, name),
        relation=sql.Identifier(str(schema), str(name)),
        owner=(_name(table_schema, table), str(column)) if table else None,
        lowest=int(str(lowest)),
        highest=int(str(highest)),
        increment=int(str(increment)),
    )


def _name(schema: object, name: object) -> str:
    return str(name) if schema == "public" else f"{schema}.{name}"
