"""`fill`: the rows of an export into a database that Airflow has migrated, in one transaction: all, or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from metadata_restore.database import Address, Connection, begin, naming, rollback
from metadata_restore.errors import DamagedObjectError, RefusedError, TargetError, UncertainError
from metadata_restore.locks import begin_locked
from metadata_restore.objects import Objects
from metadata_restore.options import Options
from metadata_restore.order import load_order
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.refusals import fill_refusals, left_out, referring, to_load
from metadata_restore.sequences import restart
from metadata_restore.stream import load
from metadata_restore.target import Target, count_rows, examine


@dataclass(frozen=True)
class Examination:
    """The target, and what a fill would do there.

    Args:
        target: what it is.
        rows: of its tables that have any, by name.
        order: the tables that would be loaded, in this order.
        emptied: tables whose rows would go first -> how many.
        left_out: tables of the plan that would not be loaded -> why.
        refusals: why it must not begin; none: it may.
    """

    target: Target
    rows: Mapping[str, int]
    order: tuple[PlannedTable, ...]
    emptied: Mapping[str, int]
    left_out: Mapping[str, str]
    refusals: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What was restored: rows by table, and what a person should know."""

    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watcher:
    """Is told how far the restore has come."""

    table: Callable[[str], None] = field(default=lambda name: None)
    """a table begins"""
    read: Callable[[int], None] = field(default=lambda size: None)
    """so many bytes of objects were read"""
    waiting: Callable[[float], None] = field(default=lambda seconds: None)
    """it has waited so many seconds for locks"""


def examine_fill(connection: Connection, plan: RestorePlan, options: Options) -> Examination:
    """Say what a fill would do, within the connection's transaction.

    Raises:
        TargetError: the database does not answer, or does not let itself be looked at.
    """
    target = examine(connection)
    rows = count_rows(connection, target.tables.values())
    planned = {table.name: table for table in to_load(plan, target)}
    return Examination(
        target=target,
        rows=rows,
        order=tuple(planned[name] for name in load_order(planned, target.references())),
        emptied={name: number for name, number in rows.items() if name in planned},
        left_out=left_out(plan, target),
        refusals=tuple(fill_refusals(plan, target, rows, options)),
    )


def look_at_fill(address: Address, plan: RestorePlan, options: Options) -> Examination:
    """Say what a fill would do; nothing is changed.

    Raises:
        TargetError: see ``examine_fill``; also when it cannot be reached.
    """
    with address.connected() as connection:
        begin(connection, read_only=True)
        found = examine_fill(connection, plan, options)
        rollback(connection)
        return found


def fill(address: Address, objects: Objects, plan: RestorePlan, options: Options, watcher: Watcher) -> Outcome:
    """Restore: everything, or nothing.

    What speaks against it is looked for again once the tables are locked: the target may have changed since.

    Raises:
        RefusedError: it must not begin; nothing was changed.
        DamagedObjectError, ObjectsUnavailableError, TargetError: it failed; nothing was changed.
        UncertainError: see there.
    """
    _check_objects(objects, plan)
    with address.connected() as connection:
        begin(connection, read_only=True)
        found = examine_fill(connection, plan, options)
        rollback(connection)
        _must_not_be_refused(found)
        begin_locked(connection, _to_lock(found), watcher.waiting)
        try:
            outcome = _fill(connection, objects, plan, options, watcher)
        except BaseException:
            rollback(connection)
            raise
        _commit(address, connection)
        return outcome


def _fill(connection: Connection, objects: Objects, plan: RestorePlan, options: Options, watcher: Watcher) -> Outcome:
    found = examine_fill(connection, plan, options)
    _must_not_be_refused(found)
    _empty(connection, found)
    loaded: dict[str, int] = {}
    for table in found.order:
        watcher.table(table.name)
        relation = found.target.tables[table.name].relation
        loaded[table.name] = load(connection, objects, table, relation, watcher.read)
    notes = restart(connection, found.target.tables, loaded, plan.sequences)
    return Outcome(loaded, notes)


def _check_objects(objects: Objects, plan: RestorePlan) -> None:
    """See that every object is there, before anything is begun."""
    for table in plan.tables:
        size = objects.size(table.key)
        if size is None:
            raise DamagedObjectError(f"{table.key} does not exist. Choose another export.")
        if size != table.object_bytes:
            raise DamagedObjectError(
                f"{table.key} has {size:,} bytes, the export says {table.object_bytes:,}. Choose another export."
            )


def _must_not_be_refused(found: Examination) -> None:
    if found.refusals:
        raise RefusedError(found.refusals)


def _to_lock(found: Examination) -> list[sql.Identifier]:
    planned = {table.name for table in found.order}
    names = planned | referring(found.target, planned)
    return [found.target.tables[name].relation for name in sorted(names)]


def _empty(connection: Connection, found: Examination) -> None:
    """Empty what has rows, together with the tables that refer to it: those are empty, and PostgreSQL wants them named.

    Never by CASCADE, which would empty tables that nobody spoke of.
    """
    if not found.emptied:
        return
    names = sorted({*found.emptied, *referring(found.target, found.emptied)})
    relations = sql.SQL(", ").join(found.target.tables[name].relation for name in names)
    with naming("empty the target's tables"):
        connection.execute(sql.SQL("TRUNCATE {}").format(relations))


def _commit(address: Address, connection: Connection) -> None:
    """Commit. When the connection is lost meanwhile, ask the server what became of it.

    https://www.postgresql.org/docs/current/functions-info.html (pg_xact_status)
    """
    with naming("finish the restore"):
        [[transaction]] = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchall()
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if not connection.broken:
            raise TargetError(
                f"Could not commit the restore: {str(error).strip()}. The target is as it was."
            ) from error
        if not _was_committed(address, str(transaction), error):
            raise TargetError(
                f"The connection was lost at the commit ({str(error).strip()}). The target is as it was: try again."
            ) from error


def _was_committed(address: Address, transaction: str, lost: psycopg.Error) -> bool:
    try:
        with address.connected() as connection:
            query = "SELECT pg_catalog.pg_xact_status(%s::text::pg_catalog.xid8)"
            [[status]] = connection.execute(query, [transaction]).fetchall()
    except (psycopg.Error, TargetError) as error:
        raise UncertainError(
            f"The connection was lost at the commit ({str(lost).strip()}), and the server does not answer any more. "
            f"The target is as it was, or complete: SELECT pg_xact_status('{transaction}') tells."
        ) from error
    return status == "committed"
