"""Databases with rows as a real Airflow 3.3.1 has them, made by PostgreSQL itself and kept between benchmarks."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.console import Note
from local.postgres import PostgresServer

SQL = Path(__file__).parent / "sql"
ROWS_PER_RUN = {"dag_run": 1, "task_instance": 6, "xcom": 4, "log": 9}
UPDATES = {"dag_run": 3, "task_instance": 4}  # of each row, in its file
TABLES = tuple(ROWS_PER_RUN)
LANES = (("definitions", "dag_run", "task_instance"), ("xcom", "log"))  # made at the same time
YEAR_BEGINS, YEAR_DAYS = datetime(2025, 11, 1, tzinfo=UTC), 365  # as build.run_moment has it
SLICE_RUNS = 1_000
TOLD_RUNS = 20_000  # a smaller database is made in seconds: its parts are not told
VACUUM_DEAD = 0.2  # of a table's rows, where autovacuum begins by default (autovacuum_vacuum_scale_factor)
# Nested loops: a slice of new rows is updated through the primary key of the table, however large that is by now.
MAKING = {"maintenance_work_mem": "256MB", "work_mem": "64MB", "jit": "off"}
NESTED_LOOPS = {"enable_hashjoin": "off", "enable_mergejoin": "off"}


@dataclass(frozen=True)
class Dataset:
    """A database of the benchmark.

    Args:
        runs: number of dag runs; everything else follows from it.
        tables: those of TABLES that hold rows.
    """

    runs: int
    tables: tuple[str, ...] = TABLES

    @property
    def name(self) -> str:
        """Name of the database."""
        return f"airflow_{self.runs}" if self.tables == TABLES else f"{'_'.join(self.tables)}_{self.runs}"

    @property
    def rows(self) -> int:
        """Rows in its tables, those of a few definitions apart."""
        return self.runs * sum(ROWS_PER_RUN[table] for table in self.tables)

    def moment_before(self, runs: int) -> datetime:
        """Return the whole second in which, or before which, the last so many runs begin."""
        moment = YEAR_BEGINS + timedelta(days=YEAR_DAYS) * ((self.runs - runs) / self.runs)
        return moment.replace(microsecond=0)


@dataclass(frozen=True)
class Step:
    """A file of SQL and the runs that it makes: what is done in one transaction.

    Args:
        part: name of the file, and of what `build.made` notes.
        first, end: the runs [first, end).
    """

    part: str
    first: int
    end: int


def of_size(rows: int, tables: tuple[str, ...] = TABLES) -> Dataset:
    """Return the dataset with about `rows` rows in these tables together, never fewer."""
    return Dataset(runs=max(200, -(-rows // sum(ROWS_PER_RUN[table] for table in tables))), tables=tables)


def ensure(server: PostgresServer, dataset: Dataset, note: Note) -> str:
    """Make the database unless it is there, complete and made by this very SQL, and return its superuser's URL.

    One whose making was interrupted is continued with the slice that was not finished.
    """
    mark = f"{dataset.runs} runs, sql {_fingerprint()}"
    found = _mark(server, dataset.name)
    if found == mark:
        note(f"{dataset.name}: kept from an earlier benchmark")
        return server.url(dataset.name)
    url = server.url(dataset.name)
    if found != f"begun: {mark}":
        server.drop_database(dataset.name)
        server.create_database(dataset.name)
        with _connect(url, dataset) as connection, connection.transaction():
            _run(connection, "tables", "functions", "early_keys")
            _set_mark(connection, dataset.name, f"begun: {mark}")
    _make(url, dataset, note)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        _set_mark(connection, dataset.name, mark)
    note(f"{dataset.name}: {dataset.rows:,} rows, {_size(url) / 1e9:.2f} GB in PostgreSQL")
    return url


def folder(server: PostgresServer, dataset: Dataset) -> Path:
    """Return the folder of the database's files."""
    with psycopg.connect(server.url(dataset.name)) as connection:
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    return server.data_dir / "base" / str(row[0] if row else "")


def steps(dataset: Dataset, lane: tuple[str, ...]) -> Iterator[Step]:
    """Yield what makes the tables of a lane: definitions at once, each table slice by slice and then its indexes."""
    for part in lane:
        if part == "definitions":
            yield Step(part, 0, dataset.runs)
        elif part in dataset.tables:
            for first in range(0, dataset.runs, SLICE_RUNS):
                yield Step(part, first, min(first + SLICE_RUNS, dataset.runs))
            yield Step(f"{part}_keys", 0, dataset.runs)


def _make(url: str, dataset: Dataset, note: Note) -> None:
    _make_lanes(url, dataset, note)
    if dataset.tables == TABLES:
        with _connect(url, dataset) as connection:
            for part in ("references", "cleared"):
                _take(connection, Step(part, 0, dataset.runs))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA build CASCADE")
        connection.execute("VACUUM (FREEZE, ANALYZE)")  # or the first contestant would pay for the hint bits
        connection.execute("CHECKPOINT")


def _make_lanes(url: str, dataset: Dataset, note: Note) -> None:
    """Make the lanes on one connection each; an interrupt ends the statements on the server too."""
    interrupted = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(len(LANES)) as threads:
        connections = [stack.enter_context(_connect(url, dataset)) for _ in LANES]
        futures = [
            threads.submit(_make_lane, connection, dataset, lane, note, interrupted)
            for connection, lane in zip(connections, LANES, strict=True)
        ]
        try:
            for future in futures:
                future.result()
        except BaseException:
            interrupted.set()
            for connection in connections:
                connection.cancel_safe()
            raise


def _make_lane(
    connection: psycopg.Connection[Any],
    dataset: Dataset,
    lane: tuple[str, ...],
    note: Note,
    interrupted: threading.Event,
) -> None:
    made = dict(connection.execute("SELECT part, runs FROM build.made").fetchall())
    dead = dict.fromkeys(UPDATES, 0.0)
    for step in steps(dataset, lane):
        if interrupted.is_set():
            return
        if step.end <= made.get(step.part, 0):
            continue
        _take(connection, step)
        if step.part in UPDATES:
            dead[step.part] += (step.end - step.first) * UPDATES[step.part]
            if dead[step.part] > VACUUM_DEAD * step.end:
                connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(step.part)))
                dead[step.part] = 0
        if 10 * step.end // dataset.runs > 10 * step.first // dataset.runs and dataset.runs > TOLD_RUNS:
            note(f"{dataset.name}: {step.part}, {step.end / dataset.runs:.0%}")


def _take(connection: psycopg.Connection[Any], step: Step) -> None:
    with connection.transaction():
        for name, value in (("bench.first", step.first), ("bench.end", step.end)):
            connection.execute("SELECT set_config(%s, %s, true)", (name, str(value)))
        _run(connection, step.part)
        connection.execute(
            "INSERT INTO build.made VALUES (%s, %s) ON CONFLICT (part) DO UPDATE SET runs = EXCLUDED.runs",
            (step.part, step.end),
        )


def _connect(url: str, dataset: Dataset) -> psycopg.Connection[tuple[Any, ...]]:
    connection = psycopg.connect(url, autocommit=True)
    settings = {
        **MAKING,
        **NESTED_LOOPS,
        "search_path": "public, build",
        "timezone": "UTC",
        "bench.runs": str(dataset.runs),
    }
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return connection


def _run(connection: psycopg.Connection[Any], *files: str) -> None:
    for file in files:
        connection.execute((SQL / f"{file}.sql").read_bytes())


def _mark(server: PostgresServer, database: str) -> str | None:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(query, (database,)).fetchone()
    return row[0] if row else None


def _set_mark(connection: psycopg.Connection[Any], database: str, mark: str) -> None:
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), mark))


def _size(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return row[0] if row else 0


def _fingerprint() -> str:
    """Return a hash over the SQL: when it changes, the databases are made again."""
    content = b"".join(file.name.encode() + file.read_bytes() for file in sorted(SQL.glob("*.sql")))
    return hashlib.sha256(content).hexdigest()[:12]
