"""The SQL of the views that a query sees: a table's versions, one export, or its history."""

from collections.abc import Iterable, Mapping, Sequence

from export_contracts.exported_table import Column

from export_cli.query.types import TEXT, common_type, duckdb_type, identifier, literal, unique_names
from export_cli.query.versions import Version

EXPORT_ID = "export_id"
Shape = tuple[tuple[str, str, str, str], ...]
_HIVE = {
    "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT", "float": "FLOAT", "double": "DOUBLE",
    "boolean": "BOOLEAN", "timestamp": "TIMESTAMPTZ", "date": "DATE", "binary": "BLOB", "string": TEXT,
}  # fmt: skip


def view_columns(versions: Iterable[Version]) -> dict[str, str]:
    """Return the columns of all versions with their types, in the order of the newest that has them."""
    types: dict[str, list[str]] = {}
    for version in versions:
        for name, column in _named(version.entry.columns):
            types.setdefault(name, []).append(duckdb_type(column.type))
    return {name: common_type(found) for name, found in types.items()}


def changed_types(versions: Iterable[Version]) -> dict[str, list[str]]:
    """Return the columns that are text in the view because their type changed, with the types of PostgreSQL."""
    types: dict[str, dict[str, str]] = {}
    for version in versions:
        for name, column in _named(version.entry.columns):
            types.setdefault(name, {})[column.type] = duckdb_type(column.type)
    mixed = {name: found for name, found in types.items() if len(set(found.values())) > 1}
    return {name: sorted(found) for name, found in mixed.items() if common_type(found.values()) == TEXT}


def versions_select(versions: Sequence[Version], files: Mapping[str, Sequence[str]]) -> str:
    """Return the SELECT of all rows of these versions.

    Args:
        versions: newest first, at least one.
        files: names of the Parquet files of each export, by export id.
    """
    columns = view_columns(versions)
    alike: dict[Shape, list[str]] = {}
    for version in versions:
        alike.setdefault(_shape(version), []).extend(files[version.export_id])
    return "\nUNION ALL\n".join(_select(columns, shape, paths) for shape, paths in alike.items())


def history_select(source: str, columns: Iterable[str], key: Sequence[str], left_out: Iterable[str] = ()) -> str:
    """Return the SELECT of the newest row of each key.

    The newest export of each key is found first, and the rows are joined with that: DISTINCT ON or arg_max would hold
    whole rows in memory, thirty times the rows when exports of 30 days overlap.

    Args:
        source: a relation with all versions.
        columns: what is selected, beside the export id.
        key: columns that tell rows apart.
        left_out: exports in which they do not.
    """
    keys = ", ".join(map(identifier, key))
    shown = ", ".join(f"v.{identifier(name)}" for name in (*columns, EXPORT_ID))
    same = " AND ".join(f"v.{identifier(name)} = n.{identifier(name)}" for name in (*key, EXPORT_ID))
    with_key = " AND ".join(f"{EXPORT_ID} <> {literal(each)}" for each in left_out) or "true"
    newest = f"SELECT {keys}, max({EXPORT_ID}) AS {EXPORT_ID} FROM {source} WHERE {with_key} GROUP BY {keys}"
    return f"SELECT {shown} FROM {source} AS v JOIN ({newest}) AS n ON {same}"


def _shape(version: Version) -> Shape:
    """Return the columns of a version's files: name in the view, its type there, name in the file, its type there."""
    types = {name: (column.name, duckdb_type(column.type)) for name, column in _named(version.entry.columns)}
    if version.entry.parquet is None:
        return tuple((name, kind, name, kind) for name, (_, kind) in types.items())
    found = {column.source: (column.name, _HIVE[column.type]) for column in version.entry.parquet.columns}
    return tuple((name, kind, *found[source]) for name, (source, kind) in types.items() if source in found)


def _select(columns: Mapping[str, str], shape: Shape, paths: Sequence[str]) -> str:
    here = {name: _value(kind, file_name, file_type) for name, kind, file_name, file_type in shape}
    kinds = {name: kind for name, kind, *_ in shape}
    shown = [
        f"{_as(here.get(name), kinds.get(name), wanted)} AS {identifier(name)}" for name, wanted in columns.items()
    ]
    files = ", ".join(map(literal, paths))
    read = f"read_parquet([{files}], hive_partitioning = true, hive_types = {{{EXPORT_ID}: {TEXT}}})"
    return f"SELECT {', '.join([*shown, EXPORT_ID])} FROM {read}"


def _value(kind: str, name: str, file_type: str) -> str:
    """Return a column of a file as the type that it has in the view of one export."""
    if (file_type, kind) == (TEXT, "BLOB"):
        return f"unhex(substr({identifier(name)}, 3))"  # a column whose type has changed is text, as PostgreSQL has it
    return f"CAST({identifier(name)} AS {kind})"  # where the file has that very type already, this costs nothing


def _as(value: str | None, here: str | None, wanted: str) -> str:
    if value is None:
        return f"CAST(NULL AS {wanted})"
    if (here, wanted) == ("BLOB", TEXT):  # XComs of Airflow 2 are JSON in bytes
        return f"coalesce(TRY(decode({value})), CAST({value} AS {TEXT}))"
    return value if here == wanted else f"CAST({value} AS {wanted})"


def _named(columns: Sequence[Column]) -> Iterable[tuple[str, Column]]:
    return zip(unique_names(column.name for column in columns), columns, strict=True)
