"""`diff`: two exports of an environment."""

import json
from typing import Any

import click
from export_runtime.figures import count

from export_cli.comparison import Difference, TableChange, compare
from export_cli.errors import BAD, OK, NotFoundError
from export_cli.exports import LATEST, Export, Exports
from export_cli.options import Session, with_session


@click.command()
@click.argument("before", required=False)
@click.argument("after", default=LATEST)
@with_session
def diff(session: Session, before: str | None, after: str) -> int:
    """Compare two exports: facts, tables, columns, rows by number and content. Exit code 1 when they differ.

    AFTER is latest when it is not given, BEFORE the export before AFTER.
    """
    exports = session.exports(session.target())
    new = exports.find(after)
    old = exports.find(before) if before else _one_before(exports, new)
    difference = compare(old.read(), new.read())
    if session.screen.as_json:
        session.screen.document(_document(old, new, difference))
    else:
        _print(session, exports, old, new, difference)
    return BAD if difference else OK


def _one_before(exports: Exports, export: Export) -> Export:
    found = exports.newest(1, before=export.export_id)
    if not found:
        raise NotFoundError(f"There is no export before {export.export_id} to compare it with.")
    return found[0]


def _print(session: Session, exports: Exports, old: Export, new: Export, difference: Difference) -> None:
    screen = session.screen
    before, after = (f"{export.export_id} ({exports.scope(export)})" for export in (old, new))
    screen.line(f"{before} -> {after}", style="bold")
    if not difference:
        what = "rows" if difference.by_content else "numbers of rows: what is in them is not in both summaries"
        screen.line(f"no difference in facts, tables, columns and {what}")
        return
    for name, (was, now) in difference.facts.items():
        screen.line(f"{name.replace('_', ' ')}: {json.dumps(was)} -> {json.dumps(now)}", style="yellow")
    rows = [
        [change.table, _rows(change.before), _rows(change.after), _change(change), "; ".join(change.columns)]
        for change in difference.tables
    ]
    if rows:
        screen.table(["table", "before ", "after ", "change ", "columns"], rows)


def _rows(rows: int | None) -> str:
    return "-" if rows is None else count(rows)


def _change(change: TableChange) -> str:
    if change.before is None:
        return "new"
    if change.after is None:
        return "gone"
    if not change.difference:
        return ""
    share = f" ({change.difference / change.before:+.1%})" if change.before else ""
    return f"{change.difference:+,}{share}"


def _document(old: Export, new: Export, difference: Difference) -> dict[str, Any]:
    return {
        "before": old.export_id,
        "after": new.export_id,
        "differ": bool(difference),
        "facts": {name: {"before": was, "after": now} for name, (was, now) in difference.facts.items()},
        "tables": {
            change.table: {"rows_before": change.before, "rows_after": change.after, "columns": list(change.columns)}
            for change in difference.tables
        },
    }
