"""Why a restore must not begin: everything at once, each with what to do."""

from collections.abc import Collection, Iterator, Mapping

from metadata_restore.options import Options
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.target import COUNTED, Target, TargetTable

# What Airflow itself writes into a new database: its migration, commands and first start (2.9 to 3.3).
MADE_BY_AIRFLOW = frozenset(
    {
        "ab_permission", "ab_permission_view", "ab_permission_view_role", "ab_role", "ab_view_menu",
        "log", "log_template", "slot_pool",
    }
)  # fmt: skip
_SHOWN = 5


def to_load(plan: RestorePlan, target: Target) -> tuple[PlannedTable, ...]:
    """Return the tables of the plan that the target has."""
    return tuple(table for table in plan.tables if table.name in target.tables)


def left_out(plan: RestorePlan, target: Target) -> dict[str, str]:
    """Return the tables of the plan that are not loaded, and why."""
    return {
        table.name: "the target has no such table: no migration makes it"
        for table in plan.tables
        if table.name not in target.tables
    }


def kept(options: Options) -> frozenset[str]:
    """Return the tables that keep rows of their own: what a running component's row in ``job`` goes, it goes too."""
    return frozenset({"job"} if options.while_running else ())


def fill_refusals(plan: RestorePlan, target: Target, rows: Mapping[str, int], options: Options) -> Iterator[str]:
    """Yield why the target cannot be filled.

    Args:
        rows: of all tables of the target that have any, by name.
    """
    if target.empty:
        yield (
            f"The target {target.place} has no tables. Let Airflow {plan.airflow_version or 'of the same version'} "
            "make them first (airflow db migrate), or restore with --mode create."
        )
        return
    yield from _read_only(target)
    yield from _other_version(plan, target)
    if target.running and not options.while_running:
        yield (
            f"Airflow is running on the target: {_several(target.running)}. Stop it, and wait two minutes if it was "
            "killed. --while-running restores beside it."
        )
    yield from _rows_in_the_way(plan, target, rows, options)
    for table in to_load(plan, target):
        yield from _columns(table, target.tables[table.name])
        if triggers := target.triggers.get(table.name):
            yield (
                f"The target's table {table.name} has the trigger {', '.join(triggers)}, which could change the rows "
                "or leave them out. Turn it off for the restore (ALTER TABLE ... DISABLE TRIGGER ...)."
            )
    if not plan.whole:
        for name in left_out(plan, target):
            yield f"The target has no table {name}: leave it out of --table."
    if plan.orphans and not options.without_orphans:
        yield from _orphans(plan, target)


def create_refusals(plan: RestorePlan, target: Target, options: Options) -> Iterator[str]:
    """Yield why no database can be made from the export in the target."""
    if plan.schema is None:
        version = plan.airflow_version or "the exported version"
        yield (
            "The export carries no schema (those from before 2026-12 do not): let Airflow "
            f"{version} make the target's tables (airflow db migrate), and restore with --mode fill."
        )
    yield from _read_only(target)
    if not target.empty:
        there = f"{len(target.tables):,} tables ({_several(sorted(target.tables))})"
        yield (
            f"The target {target.place} has {there}, and --mode create makes them itself. Choose an empty database, or "
            "--mode fill."
        )
    if not plan.whole:
        yield "--mode create restores a whole export: leave out --table, or restore with --mode fill."
    for flag, given in (
        ("--replace", options.replace),
        ("--while-running", options.while_running),
        ("--without-orphans", options.without_orphans),
    ):
        if given:
            yield f"{flag} is for --mode fill: an empty database has neither rows nor constraints in the way."


def _read_only(target: Target) -> Iterator[str]:
    if target.read_only:
        yield f"The target {target.place} lets nothing be written: {target.read_only}."


def _other_version(plan: RestorePlan, target: Target) -> Iterator[str]:
    version = plan.airflow_version or "the version that was exported"
    advice = f"Migrate the target with Airflow {version} (airflow db migrate)"
    if not plan.alembic_heads:
        yield "The export does not say which schema it has, so nothing tells whether the target fits."
    for table, heads in plan.alembic_heads.items():
        there = target.heads.get(table, ())
        if set(there) != set(heads):
            yield (
                f"The target's schema is another one: {table} is {', '.join(there) or 'not there'}, the export has "
                f"{', '.join(heads) or 'nothing'}. {advice}; no flag allows another version."
            )


def _rows_in_the_way(plan: RestorePlan, target: Target, rows: Mapping[str, int], options: Options) -> Iterator[str]:
    planned = {table.name for table in to_load(plan, target)} - kept(options)
    fresh = not (set(rows) - MADE_BY_AIRFLOW - set(target.heads))
    full = [name for name in sorted(planned & set(rows)) if not (fresh and name in MADE_BY_AIRFLOW)]
    if full and not options.replace:
        shown = [name for name in full if name not in MADE_BY_AIRFLOW] or full
        told = _several([f"{name} ({_count(rows[name])})" for name in shown])
        yield f"Tables of the target have rows: {told}. --replace empties them first; or choose a new database."
    emptied = planned & set(rows)
    for name in sorted(target.referring(emptied) & set(rows) - planned):
        yield (
            f"The target's table {name} has rows ({_count(rows[name])}) that refer to tables which would be emptied, "
            "and it is not restored. Restore it too (--table), or empty it yourself."
        )


def _columns(table: PlannedTable, there: TargetTable) -> Iterator[str]:
    known = {column.name: column for column in there.columns}
    ours = {column.name for column in table.columns}
    if missing := sorted(ours - set(known)):
        yield f"The target's table {table.name} has no column {', '.join(missing)}: its schema was changed by hand."
    if generated := sorted(name for name in ours & set(known) if known[name].generated):
        yield f"The target's table {table.name} computes {', '.join(generated)} itself: its schema was changed by hand."
    if required := sorted(name for name, column in known.items() if column.required and name not in ours):
        yield f"The target's table {table.name} demands {', '.join(required)}, which the export does not have."


def _orphans(plan: RestorePlan, target: Target) -> Iterator[str]:
    found = [f"{name} ({_count(plan.orphans[name])})" for name in sorted(plan.orphans) if name in target.tables]
    if found:
        yield (
            f"Rows of the export refer to rows that do not exist, and the target has the constraint: {_several(found)}."
            " --without-orphans leaves them out."
        )


def _several(names: Collection[str]) -> str:
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _count(number: int) -> str:
    return f"over {COUNTED:,}" if number > COUNTED else f"{number:,}"
