"""`create`: an export into an empty database, tables at the same time, and everything undone if it fails.

A table is made and loaded in one transaction, so that its rows are written frozen and, where the server logs the
minimum, without a log. Foreign keys come when every table is there and analyzed: without statistics PostgreSQL takes
ten times as long to check them. The revisions of the schema are written last: Airflow starts on no half a database.

COPY FREEZE: https://www.postgresql.org/docs/current/sql-copy.html
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from psycopg import sql

from metadata_restore.commit import commit, number_of
from metadata_restore.database import Address, Connection, begin, naming, rollback
from metadata_restore.entries import Entry
from metadata_restore.errors import RefusedError, RestoreError, TargetError, UncertainError
from metadata_restore.fernet import Keys, check_keys, count_encrypted, rewrite_of
from metadata_restore.fill import Examination, Outcome, Watcher, check_objects
from metadata_restore.objects import Objects
from metadata_restore.options import Options
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.refusals import create_refusals
from metadata_restore.schema_file import SchemaFile, name_of, read_schema_file
from metadata_restore.sequences import restart
from metadata_restore.settle import settle
from metadata_restore.stream import load
from metadata_restore.target import Target, examine
from metadata_restore.undo import Made, undo
from metadata_restore.workers import Work, Workers

JOBS = 2
SMALL = 8 << 20  # bytes of CSV: its indexes are made at once
# Indexes are sorted and foreign keys hashed in memory, as long as the server has some: it gives no less to its buffers.
# https://www.postgresql.org/docs/current/populate.html#POPULATE-WORK-MEM
_MORE_MEMORY = """
SELECT pg_catalog.set_config('maintenance_work_mem', more || 'B', true)
FROM (SELECT least(pg_size_bytes(current_setting('shared_buffers')), pg_size_bytes('256MB')) AS more) AS of_server
WHERE more > pg_size_bytes(current_setting('maintenance_work_mem'))
"""


def look_at_create(address: Address, plan: RestorePlan, options: Options) -> Examination:
    """Say what a create would do; nothing is changed.

    Raises:
        TargetError: the database does not answer, or does not let itself be looked at.
    """
    with address.connected() as connection:
        begin(connection, read_only=True)
        target = examine(connection)
        rollback(connection)
    order = sorted(plan.tables, key=lambda table: (-table.csv_bytes, table.name))
    left_out = dict.fromkeys(plan.schema.left_out if plan.schema else (), "an export does not carry it")
    return Examination(target, {}, tuple(order), {}, left_out, tuple(create_refusals(plan, target, options)))


def create(
    address: Address,
    objects: Objects,
    plan: RestorePlan,
    options: Options,
    keys: Keys | None,
    watcher: Watcher,
    jobs: int = JOBS,
) -> Outcome:
    """Make the exported database in an empty one: complete, or empty again.

    Args:
        keys: Fernet keys; None: what is encrypted stays as it is.
        jobs: how many connections work at the same time.

    Raises:
        RefusedError: it must not begin; nothing was changed.
        FernetKeyError: the keys do not fit; nothing was changed.
        DamagedObjectError, ObjectsUnavailableError, TargetError: it failed; what was made is gone again.
        UncertainError: it failed, and what was made is still there.
    """
    found = look_at_create(address, plan, options)
    if found.refusals or plan.schema is None:
        raise RefusedError(found.refusals)
    check_objects(objects, plan)
    schema = read_schema_file(objects, plan.schema)
    if lacking := sorted({table.name for table in plan.tables} - schema.names):
        raise RefusedError([f"The export's schema has no table {', '.join(lacking)}: restore it with --mode fill."])
    if keys is not None:
        check_keys(objects, plan, keys, lambda size: None)
    making = _Making(objects, plan, keys, watcher, schema)
    with address.connected() as first, undoing(address, first, making.made):
        making.first(first)
        with Workers(address, jobs) as workers:
            workers.run(making.works())
        watcher.table("foreign keys")
        # another one: the role may have its sessions ended that have been idle for as long as that took
        with address.connected() as connection:
            with _transaction(connection):
                _make(connection, schema.last)
            return making.finish(address, connection, options)


@contextmanager
def undoing(address: Address, connection: Connection, made: Sequence[Made]) -> Iterator[None]:
    """Take away again, by this connection if it can, what has been made when the block fails."""
    try:
        yield
    except BaseException as error:
        undo(address, connection, made, str(error) if isinstance(error, RestoreError) else "It was interrupted.")
        if isinstance(error, UncertainError):
            raise TargetError("The connection was lost at the last commit, and all was dropped again") from error
        raise


class _Making:
    """Makes the database; `made` grows with each transaction before its COMMIT, since the answer may be lost."""

    def __init__(
        self, objects: Objects, plan: RestorePlan, keys: Keys | None, watcher: Watcher, schema: SchemaFile
    ) -> None:
        self._objects, self._plan, self._keys, self._schema = objects, plan, keys, schema
        self._watcher, self._lock = watcher, threading.Lock()
        self.made: list[Made] = []

    def first(self, connection: Connection) -> None:
        """Make what must be there before any row is loaded."""
        with self._making(connection, self._schema.first):
            _make(connection, self._schema.first)

    def works(self) -> Iterator[Work]:
        """Yield a work for each table, the largest first."""
        planned = {table.name: table for table in self._plan.tables}
        for name in sorted(
            self._schema.names, key=lambda name: (-planned[name].csv_bytes if name in planned else 0, name)
        ):
            yield partial(self._table, name, planned.get(name))

    def _table(self, name: str, table: PlannedTable | None, connection: Connection) -> Iterable[Work]:
        entry, keys = self._schema.tables.get(name, (None, ()))
        indexes = self._schema.indexes.get(name, ())
        small = table is None or table.csv_bytes < SMALL
        with self._making(connection, [entry] if entry else []):
            if entry is not None:
                _make(connection, [entry])
            if table is not None:
                self._load(connection, table, frozen=entry is not None)
            _make(connection, (*keys, *(indexes if small else ())))
        return () if small else [partial(_index, index) for index in indexes]

    @contextmanager
    def _making(self, connection: Connection, entries: Iterable[Entry]) -> Iterator[None]:
        with _transaction(connection):
            yield
            self.made.append(Made(number_of(connection), tuple(entries)))

    def _load(self, connection: Connection, table: PlannedTable, *, frozen: bool) -> None:
        with self._lock:
            self._watcher.table(table.name)
        relation = relation_of(self._schema, table.name)
        rewrite, options = rewrite_of(table, self._keys), ", FREEZE" if frozen else ""
        load(connection, self._objects, table, relation, self._read, rewrite=rewrite, options=options)
        with naming(f"analyze {table.name}"):
            connection.execute(sql.SQL("ANALYZE {}").format(relation))

    def _read(self, size: int) -> None:
        with self._lock:
            self._watcher.read(size)

    def finish(self, address: Address, connection: Connection, options: Options) -> Outcome:
        """Settle what was unfinished, have the sequences go on, and say which schema this is."""
        loaded = {table.name: table.rows for table in self._plan.tables}
        with _transaction(connection, partial(commit, address)):
            target = examine(connection)
            settled = settle(connection, target.tables, loaded, self._plan.export_id, options)
            encrypted = {} if self._keys else count_encrypted(connection, target.tables, loaded.keys())
            restart(connection, target.tables, loaded, self._plan.sequences)
            _make(connection, [entry for entry in self._schema.sequences if entry.last_value is not None])
            _write_heads(connection, target, self._plan, loaded)
        return Outcome(loaded, {}, settled, encrypted)


def relation_of(schema: SchemaFile, name: str) -> sql.Identifier:
    """Return a table as statements name it."""
    made = [entry for entry, _ in schema.tables.values()]
    return next(
        sql.Identifier(entry.schema, entry.name)
        for entry in (*made, *schema.first)
        if entry.kind == "table" and name_of(entry) == name
    )


def _index(entry: Entry, connection: Connection) -> Iterable[Work]:
    with _transaction(connection):
        _make(connection, [entry])
    return ()


def _commit(connection: Connection) -> None:
    with naming("commit"):
        connection.execute("COMMIT")


@contextmanager
def _transaction(connection: Connection, end: Callable[[Connection], None] = _commit) -> Iterator[None]:
    begin(connection)
    try:
        with naming("begin a transaction in the target database"):
            # what the body of a function refers to may come later
            connection.execute("SET LOCAL check_function_bodies = off")
            connection.execute(_MORE_MEMORY)
            # Every index is a work of its own: `jobs` says how many processors it may take, and workers cost more.
            connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        yield
    except BaseException:
        rollback(connection)
        raise
    end(connection)


def _make(connection: Connection, entries: Iterable[Entry]) -> None:
    for entry in entries:
        with naming(f"make the {entry.kind} {entry.name} of {name_of(entry) or entry.schema or 'the database'}"):
            connection.execute(entry.sql.encode())


def _write_heads(connection: Connection, target: Target, plan: RestorePlan, loaded: Iterable[str]) -> None:
    for name, heads in plan.alembic_heads.items():
        if name in target.tables and name not in loaded:
            statement = sql.SQL("INSERT INTO {} (version_num) VALUES (%s)").format(target.tables[name].relation)
            with naming(f"write the revision of the schema into {name}"):
                for head in heads:
                    connection.execute(statement, [head])
