"""What the command `restore` shows of a plan and of what became of it."""

from collections.abc import Mapping
from typing import Any

from export_contracts.manifest import SNAPSHOT
from export_contracts.summary import Summary
from export_runtime.figures import count, size
from metadata_restore.fill import Examination, Outcome
from metadata_restore.options import FAIL, Options
from metadata_restore.plan import RestorePlan
from metadata_restore.target import COUNTED

from export_cli.screen import Screen

_SHOWN = 12
_ENCRYPTED = (
    "encrypted with the exported environment's Fernet key: {}. With another key Airflow reads variables as null, its "
    "connections fail: restore again with --old-fernet-key and --fernet-key, or give Airflow that key"
)


def show_plan(
    screen: Screen,
    summary: Summary,
    plan: RestorePlan,
    found: Examination,
    options: Options,
    encrypted: Mapping[str, int] | None,
    how: str,
) -> None:
    """Print what will be restored, what it overwrites, and what speaks against it.

    Args:
        summary: of the export.
        plan: what is restored.
        found: where to.
        options: how.
        encrypted: values that the keys decrypt, by table; None: no key was tried.
        how: by which connections and transactions, in words.
    """
    where = f"{found.target.place} (PostgreSQL {found.target.server_version_num // 10_000})"
    what = f"{count(len(found.order))} tables, {count(sum(table.rows for table in found.order))} rows, "
    screen.facts(
        {
            "export": f"{plan.export_id}, Airflow {plan.airflow_version or 'not known'}, {summary.status}",
            "into": where,
            "restores": what + f"{size(sum(table.object_bytes for table in found.order))}, {how}",
            "DAGs": "all paused" if options.paused else "as exported: active ones start to run",
            "unfinished": "failed, with a note" if options.unfinished == FAIL else "kept: Airflow goes on with them",
            "encrypted": _keys_fact(encrypted),
        }
    )
    screen.blank()
    rows = [
        [number, table.name, count(table.rows), size(table.object_bytes), _rows_there(found.emptied, table.name)]
        for number, table in enumerate(found.order, 1)
    ]
    if rows:
        screen.table([" # ", "table", "rows ", "size ", "overwrites "], rows)
        screen.blank()
    for name, reason in found.left_out.items():
        table = plan.table(name)
        has = f" ({count(table.rows)} rows)" if table else ""
        screen.line("unknown", f"{name} is left out{has}: {reason}")
    for name, columns in plan.masked_columns.items():
        screen.line("unknown", f"{name} comes without the values of {', '.join(columns)}: they were not exported")
    if summary.consistency != SNAPSHOT:
        screen.line("unknown", "the tables are not all of one moment: rows may lack what they refer to")
    if options.without_orphans and plan.orphans:
        told = ", ".join(f"{name} ({count(number)})" for name, number in plan.orphans.items())
        screen.line(
            "unknown", f"rows are left out that refer to a row which does not exist: {told}, and what refers to them"
        )
    for refusal in found.refusals:
        screen.line("bad", refusal)


def _keys_fact(encrypted: Mapping[str, int] | None) -> str:
    if encrypted is None:
        return "stays as it is: no Fernet key was given, or it was not tried"
    values = ", ".join(f"{name} {count(number)}" for name, number in encrypted.items())
    return f"the keys fit: {values or 'nothing is encrypted'}"


def _rows_there(emptied: Mapping[str, int], name: str) -> str:
    number = emptied.get(name)
    if number is None:
        return "-"
    return f"over {count(COUNTED)}" if number > COUNTED else count(number)


def show_outcome(screen: Screen, found: Examination, outcome: Outcome) -> None:
    """Print what was restored, and what a person should know of it."""
    for name, number in outcome.orphans.items():
        screen.line("unknown", f"{name}: {count(number)} rows were left out, whose parents do not exist")
    settled = outcome.settled
    if settled.paused:
        screen.line("ok", f"{count(len(settled.paused))} DAGs that were active are paused:", _several(settled.paused))
    for name, number in (settled.failed or {}).items():
        screen.line("ok", f"{name}: {count(number)} were unfinished and have ended now")
    for name, number in (settled.removed or {}).items():
        screen.line("unknown", f"{name}: {count(number)} requests to run a DAG's callbacks were left out")
    for note in outcome.notes:
        screen.line("unknown", note)
    if outcome.encrypted:
        values = ", ".join(f"{name} ({count(number)})" for name, number in outcome.encrypted.items())
        screen.line("unknown", _ENCRYPTED.format(values))
    rows = count(sum(outcome.rows.values()))
    screen.line("ok", f"restored {count(len(outcome.rows))} tables, {rows} rows into {found.target.place}")


def _several(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more (--json has all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def plan_document(plan: RestorePlan, found: Examination, dry_run: bool) -> dict[str, Any]:
    """Return the plan for scripts."""
    return {
        "export_id": plan.export_id,
        "target": found.target.place,
        "dry_run": dry_run,
        "tables": [{"table": each.name, "rows": each.rows, "object_bytes": each.object_bytes} for each in found.order],
        "overwrites": dict(found.emptied),
        "left_out": dict(found.left_out),
        "refusals": list(found.refusals),
        "restored": None,
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return what became of it, for scripts."""
    return {
        "restored": {
            "rows": dict(outcome.rows),
            "orphans": dict(outcome.orphans),
            "paused": list(outcome.settled.paused),
            "failed": dict(outcome.settled.failed or {}),
            "removed": dict(outcome.settled.removed or {}),
            "encrypted": dict(outcome.encrypted),
            "notes": list(outcome.notes),
        }
    }
