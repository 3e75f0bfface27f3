"""What there is of a group at the end of a run, and what a person must know about the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metadata_export.errors import ExportError
from metadata_export.introspection import still_there
from metadata_export.log import info
from metadata_export.plan import GroupPlan
from metadata_export.source import Connection
from metadata_export.work import ExportedTable

SHOWN_TABLES = 5
GONE = "dropped while the export ran; the table registry does not know it"
ERROR_LIMIT = 300  # of one table, in the error of the run: the next action must fit into Glue's ErrorMessage


@dataclass(frozen=True)
class Kept:
    """Tables that an earlier attempt of this export has delivered, as its manifest has them."""

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    job_run_id: str = ""
    consistency: str = ""
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    orphans: Mapping[str, int] = field(default_factory=dict)
    """as the attempt counted them: of the rows that the files hold, whatever the database has now"""


@dataclass(frozen=True)
class Delivery:
    """What there is of a group at the end of a run."""

    tables: Sequence[ExportedTable]
    failed: Mapping[str, str] = field(default_factory=dict)
    """table -> its error, in one line"""
    gone: Mapping[str, str] = field(default_factory=dict)
    """table that was dropped meanwhile, which is no loss -> the reason to skip it"""
    kept: Kept = field(default_factory=Kept)


def without_gone(delivery: Delivery, plan: GroupPlan, connection: Connection) -> Delivery:
    """Report an unknown table that was dropped meanwhile as gone: the export loses nothing without it.

    `airflow db clean` makes tables for what it deletes and drops them again.
    """
    missing = [plan.catalog.tables[name] for name in plan.selection.uncatalogued if name in delivery.failed]
    there = still_there(connection, missing) if missing else frozenset()
    gone = {table.name: GONE for table in missing if table.name not in there}
    for table in gone:
        info(f"skipped {table}: {GONE}", table=table)
    failed = {name: error for name, error in delivery.failed.items() if name not in gone}
    return replace(delivery, failed=failed, gone=gone)


def failed_tables_error(group: str, delivery: Delivery) -> ExportError:
    """Return what a person must know about tables that cannot be exported, in one line."""
    names = sorted(delivery.failed)
    more = f" and {len(names) - SHOWN_TABLES} more" if len(names) > SHOWN_TABLES else ""
    total = len(names) + len(delivery.tables) + len(delivery.kept.tables)
    first = delivery.failed[names[0]]
    return ExportError(
        f"{len(names)} of {total} tables of the group {group} cannot be exported: "
        f"{', '.join(names[:SHOWN_TABLES])}{more}; the others are exported. {names[0]}: "
        f"{first if len(first) <= ERROR_LIMIT else f'{first[:ERROR_LIMIT]}...'} - repair it and redrive the execution, "
        "or leave the table out: exclude_tables in a new execution, the stack's ExcludeTables in all to come"
    )
