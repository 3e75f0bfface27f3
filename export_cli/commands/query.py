"""`query`: SQL over the exported tables, where they lie."""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from export_runtime.figures import count, counted, size

from export_cli.errors import InvalidOptionError
from export_cli.exports import LATEST
from export_cli.files import partial_file
from export_cli.options import Session, with_session
from export_cli.query.questions import HISTORY, TWO_EXPORTS, Question, questions, statement
from export_cli.query.reading import Reading, reading, with_cache
from export_cli.query.result import as_text, csv_line, json_row
from export_cli.query.types import duckdb_type, unique_names
from export_cli.query.versions import Scope, names_like, one_export, two_exports
from export_cli.screen import Screen

if TYPE_CHECKING:
    from export_cli.query.database import Database

FORMATS = ("table", "csv", "json", "parquet")
_AT_ONCE = 10_000
_ADVICE = "Make room there or name another file."


@click.command()
@click.argument("sql", required=False)
@click.option(
    "--export",
    "reference",
    default=LATEST,
    metavar="EXPORT",
    show_default=True,
    help="Its id, latest, newest, or a day (2026-12-11, UTC): the newest complete one of that day.",
)
@click.option("--history", is_flag=True, help="All exports: of each row the newest version, deleted rows included.")
@click.option("--since", metavar="DAY", help="With --history: only exports of this day (UTC) and later.")
@click.option("--output", "-o", type=click.Choice(FORMATS), help="Default: table.")
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there; the ending says how: .csv, .json, .parquet.",
)
@click.option(
    "--limit", "-n", type=click.IntRange(1), default=100, show_default=True, help="How many rows a table shows at most."
)
@click.option("--list", "listed", is_flag=True, help="List the questions that have a name.")
@click.option("--tables", is_flag=True, help="List the tables.")
@click.option("--schema", "described", metavar="TABLE", help="List the columns of a table.")
@with_cache
@with_session
def query(
    session: Session, sql: str | None, reference: str, history: bool, since: str | None, output: str | None,
    file: Path | None, limit: int, listed: bool, tables: bool, described: str | None,
    offline: bool, cache: Path, cache_limit: float,
) -> None:  # fmt: skip
    """Ask the exported tables in SQL, or one of the questions of --list by its name.

    \b
    mwaa-metadata-export query "SELECT state, count(*) FROM dag_run GROUP BY state"
    mwaa-metadata-export query --history slowest-tasks

    SQL of DuckDB, one SELECT; - reads it from standard input. It sees the exported tables and nothing of this machine.
    """
    if listed:
        _list(session.screen)
        return
    form = _form(output, file, session.screen.as_json)
    if sum((sql is not None, tables, described is not None)) != 1:
        raise InvalidOptionError("Say what to ask: SQL or a question's name, --tables, --schema TABLE, or --list.")
    asked = None if sql is None else statement(_text(sql))
    history = history or (asked is not None and asked.over == HISTORY)
    _check(asked, reference, history, since)
    with reading(session, cache, cache_limit, offline) as (given, temporary):
        scope = _scope(given, asked, reference, history, since)
        if tables:
            _show_tables(session.screen, scope)
        elif described:
            _describe(session.screen, scope, described)
        elif asked:
            _answer(given, scope, asked.sql, form, file, limit, temporary)


def _form(output: str | None, file: Path | None, as_json: bool) -> str:
    ending = file.suffix.removeprefix(".").lower() if file else ""
    form = output or ("json" if as_json else ending or "table")
    if form not in FORMATS or (file and form == "table"):
        raise InvalidOptionError(f"--to {file}: its ending is none of .csv, .json, .parquet. Say --output.")
    if form == "parquet" and not file:
        raise InvalidOptionError("--output parquet needs a file: --to FILE.")
    return form


def _check(asked: Question | None, reference: str, history: bool, since: str | None) -> None:
    if asked and asked.over == TWO_EXPORTS and (history or since or reference != LATEST):
        raise InvalidOptionError(f"{asked.name} compares the newest two exports: leave out --export and --history.")
    if since and not history:
        raise InvalidOptionError("--since is for --history; one export of a day: --export 2026-12-11.")
    if history and reference != LATEST:
        over = f", and {asked.name} is over all of them" if asked and asked.name else ""
        raise InvalidOptionError(f"--export and --history exclude each other: one export, or all of them{over}.")


def _text(sql: str) -> str:
    return sys.stdin.read() if sql == "-" else sql


def _scope(given: Reading, asked: Question | None, reference: str, history: bool, since: str | None) -> Scope:
    if history:
        return given.history(since)
    exports = given.exports()
    if asked and asked.over == TWO_EXPORTS:
        return two_exports(exports)
    scope = one_export(exports, reference)
    [export] = scope.exports
    if not exports.is_backup(export):
        verdict = "" if export.complete else f"{export.read().status}, "
        given.session.screen.note(f"Export {export.export_id} is {verdict}{exports.scope(export)}.")
    return scope


def _list(screen: Screen) -> None:
    found = questions().values()
    if screen.as_json:
        screen.document([{"name": each.name, "question": each.title, "sql": each.sql} for each in found])
    screen.table([" question", ""], ([each.name, each.title] for each in found))


def _show_tables(screen: Screen, scope: Scope) -> None:
    newest = {table: versions[0].entry for table, versions in scope.tables.items()}
    if screen.as_json:
        documents = (
            {"table": table, "rows": entry.rows, "object_bytes": entry.object_bytes}
            | {"exports": len(scope.tables[table]), "key": _key(scope, table)}
            for table, entry in newest.items()
        )
        screen.document(list(documents))
    keys = {table: ", ".join(_key(scope, table)) or "not known: no history" for table in newest}
    rows = (
        [table, count(len(scope.tables[table])), count(entry.rows), size(entry.object_bytes), keys[table]]
        for table, entry in newest.items()
    )
    screen.table(["table", "exports ", "rows ", "size ", "key"], rows)


def _key(scope: Scope, table: str) -> list[str]:
    key = scope.key(table)
    return list(key.columns) if key else []


def _describe(screen: Screen, scope: Scope, described: str) -> None:
    table = names_like(list(scope.tables), "", described)
    if table is None:
        raise InvalidOptionError(f"There is no table {described} in it. --tables lists them.")
    newest = scope.tables[table][0].entry.columns
    rows = [{"column": each.name, "postgresql": each.type, "duckdb": duckdb_type(each.type)} for each in newest]
    if screen.as_json:
        screen.document(rows)
    screen.table(["column", "in PostgreSQL", "here"], (row.values() for row in rows))


def _answer(given: Reading, scope: Scope, sql: str, form: str, file: Path | None, limit: int, temporary: Path) -> None:
    screen = given.session.screen
    part = temporary / "result.parquet" if form == "parquet" else None
    with given.database(scope, temporary, part) as database:
        if part and file:
            database.write_parquet(sql, part)
            with part.open("rb") as written, partial_file(file, _ADVICE) as target:
                for block in iter(lambda: written.read(1 << 20), b""):
                    target.write(block)
                target.keep()
        else:
            _print(screen, database, sql, form, file, limit)
        for note in database.notes:
            screen.note(note)


def _print(screen: Screen, database: "Database", sql: str, form: str, file: Path | None, limit: int) -> None:
    try:
        found = database.run(sql)
    finally:
        notes, database.notes = database.notes, []
        for note in notes:
            screen.note(note)
    names = unique_names(column[0] for column in found.description)
    blocks = iter(lambda: database.fetch(found, _AT_ONCE), [])
    if form == "table":
        rows = database_rows(blocks, limit + 1)
        _print_table(screen, names, [str(column[1]) for column in found.description], rows[:limit])
        if len(rows) > limit:
            screen.note(f"Only the first {counted(limit, 'row')}: -n shows more, --to FILE writes all.")
        return
    lines = _lines(form, names, chain.from_iterable(blocks), ascii_only=not (file or screen.out.is_unicode))
    if file is None:
        for line in lines:
            screen.out.file.write(line)
        return
    with partial_file(file, _ADVICE) as target:
        for line in lines:
            target.write(line.encode())
        target.keep()


def database_rows(blocks: Iterator[list[tuple[Any, ...]]], limit: int) -> list[tuple[Any, ...]]:
    """Return the first rows of the blocks."""
    rows: list[tuple[Any, ...]] = []
    for block in blocks:
        rows += block
        if len(rows) >= limit:
            break
    return rows[:limit]


def _print_table(screen: Screen, names: list[str], types: list[str], rows: list[tuple[Any, ...]]) -> None:
    numbers = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "UBIGINT")
    columns = [f"{name} " if kind.startswith(numbers) else name for name, kind in zip(names, types, strict=True)]
    screen.table(columns, ([_cell(value) for value in row] for row in rows))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return as_text(value)


def _lines(form: str, names: list[str], rows: Iterator[tuple[Any, ...]], *, ascii_only: bool) -> Iterator[str]:
    if form == "csv":
        yield csv_line(names)
        yield from map(csv_line, rows)
        return
    before = "["
    for row in rows:
        yield f"{before}\n{json_row(names, row, ascii_only=ascii_only)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"
