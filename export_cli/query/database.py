"""A DuckDB in memory that sees the exported tables and nothing else of this machine or the network."""

import contextlib
import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from export_runtime.figures import counted
from export_runtime.text import one_line

from export_cli.errors import InvalidOptionError, LocalError
from export_cli.query.cache import ADVICE
from export_cli.query.connection import Result, connected, interruptible
from export_cli.query.filesystem import PROTOCOL, ExportFiles
from export_cli.query.source import TABLES, Source
from export_cli.query.types import identifier, literal
from export_cli.query.versions import Scope, names_like
from export_cli.query.views import changed_types, history_select, versions_select, view_columns

VERSIONS = "versions"
_EXPORTS = {
    "export_id": "VARCHAR", "started": "TIMESTAMPTZ", "status": "VARCHAR", "scope": "VARCHAR", "trigger": "VARCHAR",
    "airflow_version": "VARCHAR", "max_age_days": "BIGINT", "tables": "BIGINT", "rows": "BIGINT",
    "csv_bytes": "BIGINT", "object_bytes": "BIGINT", "duration_seconds": "DOUBLE",
}  # fmt: skip
_EXPORTED_TABLES = {
    "export_id": "VARCHAR", "table_name": "VARCHAR", "table_group": "VARCHAR", "rows": "BIGINT",
    "csv_bytes": "BIGINT", "object_bytes": "BIGINT", "duration_seconds": "DOUBLE",
}  # fmt: skip
OWN_TABLES = ("exports", "exported_tables")


class Database:
    """The tables of a scope, each read when a statement names it first.

    A statement can read them and compute; it cannot read or write files, load extensions, or change settings.
    """

    def __init__(self, scope: Scope, source: Source, temporary: Path, target: Path | None = None) -> None:
        """Open it.

        Args:
            scope: the exports.
            source: gives the tables' files.
            temporary: folder for what does not fit into memory.
            target: the one file that may be written.
        """
        self._scope, self._source, self._files = scope, source, ExportFiles()
        self._made: set[str] = set()
        self.notes: list[str] = []
        self._connection = connected(temporary)
        self._connection.register_filesystem(self._files)
        allowed = literal(str(target)) if target else ""
        self._connection.execute(
            f"CREATE SCHEMA {VERSIONS};"
            f"SET allowed_directories = [{literal(str(temporary / TABLES))}, '{PROTOCOL}://'];"
            f"SET allowed_paths = [{allowed}];"
            "SET enable_external_access = false"
        )
        self._make_own_tables()
        self._connection.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Give everything back."""
        with contextlib.suppress(duckdb.Error):
            self._connection.unregister_filesystem(PROTOCOL)
        self._connection.close()

    def run(self, statement: str) -> duckdb.DuckDBPyConnection:
        """Run one SELECT and return what its rows can be fetched from.

        Raises:
            InvalidOptionError: it is no SELECT, or DuckDB refuses it.
            ExportError: a table cannot be read; see ``Source.files``.
        """
        for schema, name in self._named(statement):
            self._make(schema, name)
        return self._explained(lambda: self._connection.execute(statement))

    def write_parquet(self, statement: str, target: Path) -> None:
        """Write the rows of one SELECT into the file that may be written; see ``run`` for errors."""
        for schema, name in self._named(statement):
            self._make(schema, name)
        one = statement.strip().rstrip(";")
        copy = f"COPY ({one}\n) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        self._explained(lambda: self._connection.execute(copy))

    def _explained(self, work: Callable[[], Result]) -> Result:
        """Return what a statement returns, in a way that Ctrl-C ends; see ``run`` for errors."""
        try:
            return interruptible(self._connection, work)
        except duckdb.Error as error:
            if self._files.failure:  # what DuckDB made an error of its own of
                raise self._files.failure from error
            place = re.compile(r"\n+LINE \d+: .*", re.DOTALL)  # with a mark below it, which one line cannot have
            told = f"DuckDB: {one_line(place.sub('', str(error)), 2000)}"
            raise (LocalError(f"{told}. {ADVICE}") if _has_no_room(error) else InvalidOptionError(told)) from error

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of one SELECT; see ``run`` for errors."""
        found = self.run(statement)
        return self._explained(found.fetchall)

    def fetch(self, found: duckdb.DuckDBPyConnection, rows: int) -> list[tuple[Any, ...]]:
        """Return the next rows, so many at most; see ``run`` for errors."""
        return self._explained(lambda: found.fetchmany(rows))

    def _named(self, statement: str) -> list[tuple[str, str]]:
        """Return schema and name of what a statement reads, or refuse it."""
        [answer] = self._connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchone() or ["{}"]
        tree = json.loads(answer)
        if tree.get("error_type") == "not implemented":
            raise InvalidOptionError(
                "Only SELECT, WITH, FROM, VALUES, DESCRIBE and SUMMARIZE are run: exports are read and never changed."
            )
        if tree.get("error"):
            raise InvalidOptionError(f"The SQL cannot be run: {one_line(str(tree.get('error_message')), 1000)}")
        if len(tree["statements"]) != 1:
            raise InvalidOptionError(f"One SELECT is run at a time, this is {len(tree['statements'])}.")
        nodes = list(_nodes(tree))
        if any(node.get("show_type") == "SHOW_SPECIAL" for node in nodes):  # SHOW TABLES and the like
            raise InvalidOptionError(
                "A table is only there when the SQL names it: query --tables lists all, query --schema TABLE describes "
                "one."
            )
        return list(dict.fromkeys(_tables_in(nodes)))

    def _make(self, schema: str, name: str) -> None:
        table = names_like(list(self._scope.tables), schema, name)
        if table is None:
            if name.lower() not in OWN_TABLES and schema.lower() in ("", VERSIONS):
                self._suggest(name)
            return
        if schema.lower() == VERSIONS or self._scope.history:
            self._make_versions(table)
        if schema.lower() != VERSIONS:
            self._make_view(schema or "main", name, table)

    def _suggest(self, name: str) -> None:
        close = difflib.get_close_matches(name.lower(), [*self._scope.tables, *OWN_TABLES], 3)
        if close:
            self.notes.append(f"There is no table {name}; there are {', '.join(close)}.")

    def _make_versions(self, table: str) -> None:
        versions = self._scope.tables[table]
        target = f"{VERSIONS}.{identifier(table)}"
        if self._first(target):
            number = list(self._scope.tables).index(table)
            files = self._source.files(self._files, number, table, versions, self.notes)
            self._create(target, versions_select(versions, files))
            for column, types in changed_types(versions).items():
                self.notes.append(f"{table}.{column} is text here: it was {' and '.join(types)}.")

    def _make_view(self, schema: str, name: str, table: str) -> None:
        target = f"{identifier(schema)}.{identifier(name)}"
        if not self._first(target):
            return
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
        versions = self._scope.tables[table]
        if not self._scope.history:
            self._make_versions(table)
            self._create(target, f"SELECT * FROM {VERSIONS}.{identifier(table)}")
            return
        key = self._scope.key(table)
        if key is None:
            raise InvalidOptionError(
                f"The newest summary does not know what tells the rows of {table} apart: it names no primary key, or "
                "a column of it is masked. "
                f"{VERSIONS}.{table} has the rows of every export, each with its export_id."
            )
        source = f"{VERSIONS}.{identifier(table)}"
        if key.left_out:
            self.notes.append(
                f"{table}: {counted(len(key.left_out), 'export')} until {max(key.left_out)} left out, which have "
                f"another key than {', '.join(key.columns)}; {source} has all rows."
            )
        self._create(target, history_select(source, view_columns(versions), key.columns, key.left_out))

    def _create(self, target: str, select: str) -> None:
        self._explained(lambda: self._connection.execute(f"CREATE VIEW {target} AS {select}"))

    def _first(self, target: str) -> bool:
        new = target.lower() not in self._made
        self._made.add(target.lower())
        return new

    def _make_own_tables(self) -> None:
        exports = [_export_row(export) for export in self._scope.exports]
        tables = [
            {"export_id": version.export_id, "table_name": table, "table_group": version.entry.group}
            | {name: getattr(version.entry, name) for name in ("rows", "csv_bytes", "object_bytes", "duration_seconds")}
            for table, versions in self._scope.tables.items()
            for version in versions
        ]
        self._make_table("exports", _EXPORTS, exports)
        self._make_table("exported_tables", _EXPORTED_TABLES, tables)

    def _make_table(self, name: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
        # One document of all rows: row by row DuckDB takes a millisecond for each.
        select = f"SELECT unnest(from_json(?::VARCHAR, {literal(json.dumps([columns]))}), recursive := true)"
        self._connection.execute(f"CREATE TABLE {name} AS {select}", [json.dumps(rows)])


def _has_no_room(error: duckdb.Error) -> bool:
    """Say whether it is memory, or the disk for what does not fit into memory, that did not suffice."""
    unwritten = isinstance(error, duckdb.IOException) and "could not write" in str(error).lower()
    return unwritten or isinstance(error, duckdb.OutOfMemoryException)


def _export_row(export: Any) -> dict[str, Any]:
    summary = export.read()
    facts = ("status", "scope", "trigger", "airflow_version", "max_age_days", "csv_bytes", "object_bytes")
    return {
        "export_id": export.export_id,
        "started": export.started.isoformat(),
        "tables": len(summary.details),
        "rows": summary.total_rows,
        "duration_seconds": summary.duration_seconds,
    } | {fact: getattr(summary, fact) for fact in facts}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a statement as DuckDB's parser has it."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _nodes(each)


def _tables_in(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield schema and name of every table that is read or described."""
    for node in nodes:
        if node.get("type") == "BASE_TABLE" or node.get("show_type") == "SHOW":
            yield str(node.get("schema_name") or ""), str(node["table_name"])
