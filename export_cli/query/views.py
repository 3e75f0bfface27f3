"""The SQL of the views that a query sees: a table's versions, one export, or its history."""

from collections.abc import Iterable, Mapping, Sequence

from export_contracts.exported_table import Column

from export_cli.query.types import TEXT, common_type, duckdb_type, identifier, literal, unique_names
from export_cli.query.versions import Version

EXPORT_ID = "export_id"


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
    alike: dict[tuple[Column, ...], list[str]] = {}
    for version in versions:
        alike.setdefault(version.entry.columns, []).extend(files[version.export_id])
    return "\nUNION ALL\n".join(_select(columns, shape, paths) for shape, paths in alike.items())


def history_select(source: str, columns: Iterable[str], key: Sequence[str]) -> str:
    """Return the SELECT of the newest row of each key.

    The newest export of each key is found first, and the rows are joined with that: DISTINCT ON or arg_max would hold
    whole rows in memory, thirty times the rows when exports of 30 days overlap.

    Args:
        source: a relation with all versions.
        columns: what is selected, beside the export id.
        key: columns that tell rows apart.
    """
    keys = ", ".join(map(identifier, key))
    shown = ", ".join(f"v.{identifier(name)}" for name in (*columns, EXPORT_ID))
    same = " AND ".join(f"v.{identifier(name)} = n.{identifier(name)}" for name in (*key, EXPORT_ID))
    newest = f"SELECT {keys}, max({EXPORT_ID}) AS {EXPORT_ID} FROM {source} GROUP BY {keys}"
    return f"SELECT {shown} FROM {source} AS v JOIN ({newest}) AS n ON {same}"


def _select(columns: Mapping[str, str], shape: tuple[Column, ...], paths: Sequence[str]) -> str:
    here = {name: duckdb_type(column.type) for name, column in _named(shape)}
    shown = [f"{_as(name, here.get(name), kind)} AS {identifier(name)}" for name, kind in columns.items()]
    files = ", ".join(map(literal, paths))
    read = f"read_parquet([{files}], hive_partitioning = true, hive_types = {{{EXPORT_ID}: {TEXT}}})"
    return f"SELECT {', '.join([*shown, EXPORT_ID])} FROM {read}"


def _as(name: str, here: str | None, wanted: str) -> str:
    if here is None:
        return f"CAST(NULL AS {wanted})"
    if (here, wanted) == ("BLOB", TEXT):  # XComs of Airflow 2 are JSON in bytes
        return f"coalesce(TRY(decode({identifier(name)})), CAST({identifier(name)} AS {TEXT}))"
    # Where the file has that very type already, the cast costs nothing.
    return f"CAST({identifier(name)} AS {wanted})"


def _named(columns: Sequence[Column]) -> Iterable[tuple[str, Column]]:
    return zip(unique_names(columns), columns, strict=True)
