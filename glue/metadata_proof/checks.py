"""What a restored database must be: every row, every constraint valid, every sequence ahead of its keys."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from metadata_restore.database import Connection, naming
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.sequences import Sequence, read_sequences
from metadata_restore.target import Target, examine
from psycopg import sql

from metadata_proof.content import Content, read_content

# What PostgreSQL has not checked, and indexes that it does not use. Of partitions the parent's are enough.
_UNCHECKED = """
SELECT format('the constraint %s of %s is not valid', k.conname, k.conrelid::pg_catalog.regclass)
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE NOT k.convalidated AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
UNION ALL
SELECT format('the index %s is not valid', i.indexrelid::pg_catalog.regclass)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname !~ '^pg_'
ORDER BY 1
"""
_CONSTRAINTS = """
SELECT count(*) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE k.contype <> 'n' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what is wrong.

    Args:
        problems: each a sentence that names table, constraint or sequence.
        notes: what could not be compared, and what was not exported.
        rows: that are there, by table.
        contents: tables whose content equals what the export recorded.
        constraints: how many there are.
        sequences: how many go with a column.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    rows: Mapping[str, int]
    contents: int
    constraints: int
    sequences: int


def check(
    connection: Connection, plan: RestorePlan, left_out: Mapping[str, int], watch: Callable[[str], None]
) -> Checked:
    """Compare a restored database with what the export recorded, within the connection's transaction.

    Args:
        left_out: rows that were not restored because they refer to a row that does not exist, by table.
        watch: is told which table is read.

    Raises:
        TargetError: the database does not answer.
    """
    target = examine(connection)
    with naming("look at the constraints"):
        unchecked = [str(row[0]) for row in connection.execute(_UNCHECKED).fetchall()]
        [[constraints]] = connection.execute(_CONSTRAINTS).fetchall()
    owned = [each for each in read_sequences(connection) if each.owner and each.owner[0] in target.tables]
    behind = list(_behind(connection, owned, target))
    problems, notes, rows, contents = compare_rows(connection, plan.tables, target, left_out, watch)
    notes += masked(plan)
    if plan.schema and plan.schema.left_out:
        notes.append(
            f"not in the restored database, for an export does not carry it: {', '.join(plan.schema.left_out)}"
        )
    return Checked((*problems, *unchecked, *behind), tuple(notes), rows, contents, int(str(constraints)), len(owned))


def masked(plan: RestorePlan) -> list[str]:
    """Return what an export cannot bring back, since it never left the database."""
    columns = {name: ", ".join(names) for name, names in plan.masked_columns.items()}
    return [f"{name}: the values of {names} were not exported (MaskColumns)" for name, names in columns.items()]


def compare_rows(
    connection: Connection,
    tables: Iterable[PlannedTable],
    target: Target,
    left_out: Mapping[str, int],
    watch: Callable[[str], None] = lambda table: None,
) -> tuple[list[str], list[str], dict[str, int], int]:
    """Compare tables with what the export recorded, within the connection's transaction.

    Returns:
        Problems, notes, rows by table, and how many contents are equal; see ``Checked``.

    Raises:
        TargetError: the database does not answer.
    """
    problems, notes, rows, contents = list[str](), list[str](), dict[str, int](), 0
    for table in tables:
        watch(table.name)
        if table.name not in target.tables:
            problems.append(f"the table {table.name} is not there")
            continue
        columns = [column.name for column in table.columns]
        found = read_content(connection, target.tables[table.name].relation, columns)
        rows[table.name] = found.rows
        wrong, note = _compare(table, found, left_out.get(table.name, 0))
        problems += wrong
        notes += note
        contents += not wrong and not note
    return problems, notes, rows, contents


def _compare(table: PlannedTable, found: Content, left_out: int) -> tuple[list[str], list[str]]:
    """Return what is wrong with a table, and what could not be compared."""
    expected = table.rows - left_out
    if found.rows != expected:
        of = f" ({left_out:,} orphans were left out)" if left_out else ""
        return [f"the table {table.name} has {found.rows:,} rows, the export recorded {table.rows:,}{of}"], []
    if left_out:
        return [], [f"{table.name}: {left_out:,} orphans were left out, so its content was not compared"]
    if table.content_checksum is None:
        return [], [f"{table.name}: the export recorded no checksum of its content (before 2026-12)"]
    if found.checksum != table.content_checksum:
        said = f"{found.checksum}, the export recorded {table.content_checksum}"
        return [f"the content of {table.name} is not what was exported: its checksum is {said}"], []
    return [], []


def _behind(connection: Connection, sequences: list[Sequence], target: Target) -> Iterator[str]:
    """Yield sequences that would give out a number which is taken."""
    for sequence in sequences:
        if sequence.owner is None:
            continue
        name, column = sequence.owner
        extreme = sql.SQL("max" if sequence.increment > 0 else "min")
        query = sql.SQL("SELECT {}({})::numeric FROM {}").format(
            extreme, sql.Identifier(column), target.tables[name].relation
        )
        state = sql.SQL("SELECT last_value, is_called FROM {}").format(sequence.relation)
        with naming(f"look at the sequence {sequence.name}"):
            [[taken]] = connection.execute(query).fetchall()
            [[last, called]] = connection.execute(state).fetchall()
        following = int(str(last)) + (sequence.increment if called else 0)
        if taken is not None and (following - int(str(taken))) * sequence.increment <= 0:
            yield f"the sequence {sequence.name} gives out {following} next, but {name}.{column} has {taken} already"
