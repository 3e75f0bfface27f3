"""Columns whose values stay in the database: every row of the file has the same empty value there, and loads back.

What cannot be masked fails instead of being exported, and so does a mask that fits nothing: a typo, or a column that
another Airflow version names differently, must not let a secret out.
"""

from collections.abc import Iterable, Mapping, Sequence

from psycopg import sql

from metadata_export.catalog import Catalog, Column, Table
from metadata_export.errors import SourceError
from metadata_export.source import Connection, naming

# The empty value of a type, where NULL is not allowed.
EMPTY = {"text": "", "character varying": "", "character": "", "json": "{}", "jsonb": "{}", "bytea": "\\x"}
# The same value in every row would break a unique index, and most of them are keys.
KEYS = """
SELECT DISTINCT c.relname, a.attname
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indisunique AND c.relname = ANY (%s)
"""

Masks = Mapping[str, Sequence[str]]
"""table, as the registry names it -> columns"""


def masked_columns(table: str, masks: Masks) -> tuple[str, ...]:
    """Return the columns of a table to mask. A table of another schema has the schema before its name."""
    return tuple(masks.get(table) or masks.get(table.rpartition(".")[2]) or ())


def check_masks(connection: Connection, catalog: Catalog, names: Iterable[str], masks: Masks) -> None:
    """See that every column to mask of these tables is there and can be masked.

    Raises:
        SourceError: naming table and column, and why.
    """
    tables = {name: catalog.tables[name] for name in names if masked_columns(name, masks)}
    if not tables:
        return
    bare = [name.rpartition(".")[2] for name in tables]
    with naming("read the keys of tables with columns to mask", connection):
        keys = {(str(name), str(column)) for name, column in connection.execute(KEYS, [bare]).fetchall()}
    for name, table in tables.items():
        own = {column for key in table.foreign_keys for column in key.columns}
        own |= {column for owner, column in keys if owner == name.rpartition(".")[2]}
        for column in masked_columns(name, masks):
            _check(table, column, own)


def select_list(table: Table, masked: Sequence[str]) -> sql.Composable:
    """Return what is selected of a table under the alias t0: each column, or what is in its place."""
    return sql.SQL(", ").join(
        _instead(column) if column.name in masked else sql.Identifier("t0", column.name) for column in table.columns
    )


def _check(table: Table, name: str, keys: set[str]) -> None:
    column = table.column(name)
    if column is None:
        raise _refused(table, name, "this version of Airflow has no such column, and may have the values in another")
    if name in keys:
        raise _refused(table, name, "it belongs to a key, and the rows could not be loaded without it")
    if _takes_no_null(column) and _kind(column) not in EMPTY:
        raise _refused(table, name, f"it is {column.type} and NOT NULL, which has no empty value")


def _refused(table: Table, column: str, why: str) -> SourceError:
    return SourceError(
        f"{table.name}.{column} cannot be masked: {why}. Correct the stack's parameter MaskColumns, or leave the table "
        "out (ExcludeTables); nothing of it was exported"
    )


def _instead(column: Column) -> sql.Composable:
    # COPY writes the text of a value, whatever its type: NULL as nothing, an empty text as "".
    value = EMPTY[_kind(column)] if _takes_no_null(column) else None
    return sql.SQL("{} AS {}").format(sql.Literal(value), sql.Identifier(column.name))


def _takes_no_null(column: Column) -> bool:
    return column.not_null or column.takes_no_null


def _kind(column: Column) -> str:
    return column.type.partition("(")[0]
