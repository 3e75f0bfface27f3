"""`show`: one export, as text or as its report in a browser."""

import shlex
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from export_contracts.exported_table import ExportedTable
from export_contracts.proofs import proof_of, said
from export_contracts.summary import Summary
from export_runtime.figures import count, counted, duration, size

from export_cli.errors import NotFoundError
from export_cli.exports import LATEST, Export
from export_cli.options import Session, with_session
from export_cli.reports import temporary_report
from export_cli.screen import Screen, age
from export_cli.target import Target

# AWS documented: an execution can be redriven for 14 days.
# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
REDRIVABLE = timedelta(days=14)


@click.command()
@click.argument("export", default=LATEST)
@click.option("--open", "in_browser", is_flag=True, help="Open its report in a browser.")
@with_session
def show(session: Session, export: str, in_browser: bool) -> None:
    """Show an EXPORT: verdict, scope, warnings, tables. Default: latest."""
    target = session.target()
    exports = session.exports(target)
    found = exports.find(export)
    if in_browser:
        _open(session, found, target)
        return
    summary = found.read()
    if session.screen.as_json:
        session.screen.document(summary.to_json())
        return
    proof = proof_of(session.store(target), target.where(), found.export_id)
    proven = said(proof) if proof else f"not tried: {session.ours(f'prove {found.export_id} --record', target)}"
    where = session.store(target).uri(found.folder)
    _facts(session.screen, found, summary, exports.scope(found), where, proven)
    if not exports.is_full(found):
        session.screen.line("Partial: no backup of the environment, and nothing counts it as one.", style="yellow")
    _warnings(session.screen, summary)
    if not summary.complete:
        _what_to_do(session, target, found, summary)
    _tables(session.screen, summary.details)


def _open(session: Session, export: Export, target: Any) -> None:
    store = session.store(target)
    report = store.read(export.report_key)
    if report is None:
        raise NotFoundError(f"Export {export.export_id} has no report: {store.uri(export.report_key)} does not exist.")
    file = temporary_report(f"export_report_{export.export_id}.html", report.body)
    opened = webbrowser.open(file.as_uri())
    if session.screen.as_json:
        session.screen.document({"report": store.uri(export.report_key), "file": str(file), "opened": opened})
    session.screen.line("Opened" if opened else "No browser here. The report is", str(file))


def _what_to_do(session: Session, target: Target, export: Export, summary: Summary) -> None:
    screen, now = session.screen, datetime.now(UTC)
    screen.blank()
    if now - export.started > REDRIVABLE:
        screen.line(
            "What to do: nothing; AWS redrives an execution for 14 days. See whether a newer export is complete:"
        )
        screen.line(session.ours("list", target))
        return
    screen.line("What to do: correct the cause, then let it export what is missing:", style="bold")
    screen.line(session.ours(f"redrive {export.export_id}", target))
    failed = sorted(name for group in summary.failed_groups for name in group.failed_tables)
    if failed:
        without = " ".join(f"-x {shlex.quote(name)}" for name in failed)
        screen.line("Or, where a table cannot be repaired, export without it (and set the parameter ExcludeTables):")
        screen.line(session.ours(f"export {without}", target))


def _facts(screen: Screen, export: Export, summary: Summary, scope: str, where: str, proven: str) -> None:
    window = "everything" if summary.cutoff_date is None else f"since {summary.cutoff_date}"
    pairs = {
        "verdict": summary.status,
        "scope": scope,
        "proof": proven,
        "export": f"{export.export_id}, {age(export.started, datetime.now(UTC))}, started by {summary.trigger}",
        "environment": f"{summary.environment}, Airflow {summary.airflow_version or 'unknown'}",
        "where": where,
        "selection": str(export.coverage or "not known"),
        "window": window,
        "consistency": summary.consistency,
        "tables": f"{counted(len(summary.details), 'table')} with {counted(summary.total_rows, 'row')}",
        "size": f"{size(summary.object_bytes)} ({size(summary.csv_bytes)} of CSV)",
        "took": duration(summary.duration_seconds),
        "Fernet key": f"kept, version {summary.fernet_key_version}" if summary.fernet_key_version else "not kept",
        "execution": summary.execution_arn,
    }
    screen.facts(pairs)


def _warnings(screen: Screen, summary: Summary) -> None:
    for group in summary.failed_groups:
        screen.blank()
        screen.line(f"Group {group.group} failed:", style="bold red")
        screen.line(group.error)
        for name, error in group.failed_tables.items():
            screen.line(f"{name}: {error}")
        screen.line(f"Missing: {', '.join(group.tables) or 'not known'}")
        screen.line(f"Log: {group.log_url or 'none'}")
    for problem in summary.problems:
        screen.line(problem, style="red")
    for fall in summary.row_falls:
        rows = f"{count(fall.previous_rows)} -> {count(fall.rows)} rows"
        screen.line(f"Far fewer rows in {fall.table}: {rows} (-{fall.percent:g} %)", style="yellow")
    masked = [f"{table}.{column}" for table, names in summary.masked_columns.items() for column in names]
    if masked:
        screen.line(f"Masked, empty in every row: {', '.join(masked)}", style="yellow")
    if summary.uncatalogued_tables:
        screen.blank()
        screen.line(f"Unknown to this version, exported too: {', '.join(summary.uncatalogued_tables)}", style="yellow")


def _tables(screen: Screen, details: Mapping[str, ExportedTable]) -> None:
    filled = {name: entry for name, entry in details.items() if entry.rows}
    by_size = sorted(filled.items(), key=lambda item: (-item[1].object_bytes, item[0]))
    rows = [
        [name, entry.group, count(entry.rows), size(entry.object_bytes), duration(entry.duration_seconds)]
        for name, entry in by_size
    ]
    screen.blank()
    screen.table(["table", "group", "rows ", "size ", "took "], rows, drop=("took ", "group"))
    if len(details) > len(filled):
        screen.line(f"and {counted(len(details) - len(filled), 'table')} without a row in the window", style="dim")
