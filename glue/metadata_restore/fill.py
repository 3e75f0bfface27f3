"""`fill`: the rows of an export into a database that Airflow has migrated, in one transaction: all, or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from metadata_restore.commit import commit
from metadata_restore.constraints import Deferred, keys_to_defer
from metadata_restore.database import Address, Connection, begin, naming, rollback
from metadata_restore.errors import DamagedObjectError, RefusedError
from metadata_restore.fernet import Keys, check_keys, count_encrypted, rewrite_of
from metadata_restore.locks import begin_locked
from metadata_restore.objects import Objects
from metadata_restore.options import Options
from metadata_restore.order import against, load_order
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.refusals import fill_refusals, kept, left_out, to_load
from metadata_restore.running import clear_jobs, load_jobs, mark_parsed
from metadata_restore.sequences import restart
from metadata_restore.settle import Settled, settle
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
        left_out: tables of the plan that would not be loaded, and what else would not be there -> why.
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
    """What was restored.

    Args:
        rows: by table.
        orphans: rows that were left out because a parent does not exist, by table.
        settled: what was paused and failed.
        encrypted: rows with a value that only the exported environment's Fernet key decrypts, by table; none when the
            keys were given.
        notes: what else a person should know.
    """

    rows: Mapping[str, int]
    orphans: Mapping[str, int]
    settled: Settled
    encrypted: Mapping[str, int]
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
    committing: Callable[[str, Outcome], None] = field(default=lambda transaction, outcome: None)
    """everything is done but the COMMIT of the transaction with this number; only of a fill"""


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


Check = Callable[[Connection, Examination, Mapping[str, int], Mapping[str, int]], None]
"""looks at what was loaded, by its rows and the orphans that were left out, and raises where something is wrong"""


def fill(
    address: Address,
    objects: Objects,
    plan: RestorePlan,
    options: Options,
    keys: Keys | None,
    watcher: Watcher,
    check: Check = lambda connection, found, rows, orphans: None,
) -> Outcome:
    """Restore: everything, or nothing.

    What speaks against it is looked for again once the tables are locked: the target may have changed since.

    Args:
        keys: Fernet keys; None: what is encrypted stays as it is.
        check: is called when everything is loaded, before anything is paused or failed, and within the transaction.

    Raises:
        RefusedError: it must not begin; nothing was changed.
        FernetKeyError: the keys do not fit; nothing was changed.
        DamagedObjectError, ObjectsUnavailableError, TargetError: it failed; nothing was changed.
        UncertainError: see there.
    """
    check_objects(objects, plan)
    if keys is not None:
        check_keys(objects, plan, keys, lambda size: None)
    with address.connected() as connection:
        begin(connection, read_only=True)
        found = examine_fill(connection, plan, options)
        rollback(connection)
        _must_not_be_refused(found)
        begin_locked(connection, _to_lock(found), watcher.waiting, options.lock_seconds)
        try:
            outcome = _fill(connection, objects, plan, options, keys, watcher, check)
        except BaseException:
            rollback(connection)
            raise
        commit(address, connection, lambda transaction: watcher.committing(transaction, outcome))
        return outcome


def _fill(
    connection: Connection,
    objects: Objects,
    plan: RestorePlan,
    options: Options,
    keys: Keys | None,
    watcher: Watcher,
    check: Check,
) -> Outcome:
    found = examine_fill(connection, plan, options)
    _must_not_be_refused(found)
    tables = found.target.tables
    _empty(connection, found, options)
    loaded, orphans, notes = _load(connection, objects, plan, options, keys, watcher, found)
    check(connection, found, loaded, orphans)
    settled = settle(connection, tables, loaded, plan.export_id, options)
    encrypted = {} if keys else count_encrypted(connection, tables, loaded.keys())
    no_numbers = restart(connection, tables, loaded, plan.sequences, kept(options))
    if options.while_running:
        mark_parsed(connection, found.target)
    return Outcome(loaded, orphans, settled, encrypted, (*notes, *no_numbers))


def _load(
    connection: Connection,
    objects: Objects,
    plan: RestorePlan,
    options: Options,
    keys: Keys | None,
    watcher: Watcher,
    found: Examination,
) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Load all tables, and return their rows, the rows that were left out as orphans, and notes."""
    tables, names = found.target.tables, [table.name for table in found.order]
    deferred = Deferred(connection, tables, keys_to_defer(found.target, names, plan, options.without_orphans))
    loaded: dict[str, int] = {}
    orphans: dict[str, int] = {}
    notes: list[str] = []
    for table in found.order:
        watcher.table(table.name)
        loaded[table.name] = table.rows
        if table.name in kept(options):
            if taken := load_jobs(connection, objects, table, tables[table.name], watcher.read):
                loaded[table.name] -= taken
                notes.append(f"{taken:,} rows of {table.name} were left out: running components have their numbers")
        else:
            rewrite = rewrite_of(table, keys)
            load(connection, objects, table, tables[table.name].relation, watcher.read, rewrite=rewrite)
        if options.without_orphans:
            # parents that are not restored are as they were
            orphans[table.name] = deferred.leave_out(table.name, {*loaded, *(set(tables) - set(names))})
    if options.without_orphans and against(names, found.target.references()):
        _leave_out_of_circles(deferred, names, orphans)
    deferred.check()
    rows = {name: number - orphans.get(name, 0) for name, number in loaded.items()}
    return rows, {name: number for name, number in orphans.items() if number}, notes


def _leave_out_of_circles(deferred: Deferred, names: list[str], orphans: dict[str, int]) -> None:
    """Leave out rows until none lacks a parent: in a circle of tables each may cost another one its parent."""
    everything = deferred.tables()
    while sum(gone := [deferred.leave_out(name, everything) for name in names]):
        for name, number in zip(names, gone, strict=True):
            orphans[name] += number


def check_objects(objects: Objects, plan: RestorePlan) -> None:
    """See that every object is there, before anything is begun.

    Raises:
        DamagedObjectError, ObjectsUnavailableError: one is not.
    """
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
    names = planned | found.target.referring(planned)
    return [found.target.tables[name].relation for name in sorted(names)]


def _empty(connection: Connection, found: Examination, options: Options) -> None:
    """Empty what has rows, together with the tables that refer to it: those are empty, and PostgreSQL wants them named.

    Never by CASCADE, which would empty tables that nobody spoke of.
    """
    if options.while_running and "job" in found.emptied:
        clear_jobs(connection, found.target.tables["job"])
    emptied = found.emptied.keys() - kept(options)
    if not emptied:
        return
    names = sorted({*emptied, *found.target.referring(emptied)})
    relations = sql.SQL(", ").join(found.target.tables[name].relation for name in names)
    with naming("empty the target's tables"):
        connection.execute(sql.SQL("TRUNCATE {}").format(relations))
