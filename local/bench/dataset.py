"""Databases with rows as a real Airflow 3.3.1 has them, made by PostgreSQL itself and kept between benchmarks."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.console import Note
from local.postgres import PostgresServer

SQL = Path(__file__).parent / "sql"
ROWS_PER_RUN = {"dag_run": 1, "task_instance": 6, "xcom": 4, "log": 9}
TABLES = tuple(ROWS_PER_RUN)
LANES = (("definitions", "dag_run", "task_instance"), ("xcom", "log"))  # made at the same time
MAKING = {"maintenance_work_mem": "256MB", "work_mem": "64MB", "jit": "off"}


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


def of_size(rows: int, tables: tuple[str, ...] = TABLES) -> Dataset:
    """Return the dataset with about `rows` rows in these tables together, never fewer."""
    return Dataset(runs=max(200, -(-rows // sum(ROWS_PER_RUN[table] for table in tables))), tables=tables)


def ensure(server: PostgresServer, dataset: Dataset, note: Note) -> str:
    """Make the database unless it is there, complete and made by this very SQL, and return its superuser's URL."""
    mark = f"{dataset.runs} runs, sql {_fingerprint()}"
    if _mark(server, dataset.name) == mark:
        note(f"{dataset.name}: kept from an earlier benchmark")
        return server.url(dataset.name)
    server.drop_database(dataset.name)
    url = server.create_database(dataset.name)
    _make(url, dataset)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(dataset.name), mark))
    note(f"{dataset.name}: {dataset.rows:,} rows, {_size(url) / 1e9:.2f} GB in PostgreSQL")
    return url


def _make(url: str, dataset: Dataset) -> None:
    _execute(url, ["tables", "functions"], dataset)
    lanes = [[part for part in lane if part in dataset.tables or part == "definitions"] for lane in LANES]
    _execute_lanes(url, lanes, dataset)
    _execute(url, ["references"] if dataset.tables == TABLES else [], dataset)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA build CASCADE")
        connection.execute("VACUUM (FREEZE, ANALYZE)")  # or the first contestant would pay for the hint bits
        connection.execute("CHECKPOINT")


def _execute_lanes(url: str, lanes: list[list[str]], dataset: Dataset) -> None:
    """Execute files on one connection a lane; an interrupt ends the statements on the server too."""
    with ThreadPoolExecutor(len(lanes)) as threads, ExitStack() as stack:
        connections = [stack.enter_context(_connect(url, dataset)) for _ in lanes]
        futures = [threads.submit(_run, connection, lane) for connection, lane in zip(connections, lanes, strict=True)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for connection in connections:
                connection.cancel_safe()
            raise


def _execute(url: str, files: Sequence[str], dataset: Dataset) -> None:
    with _connect(url, dataset) as connection:
        _run(connection, files)


def _connect(url: str, dataset: Dataset) -> psycopg.Connection[tuple[Any, ...]]:
    connection = psycopg.connect(url, autocommit=True)
    settings = {**MAKING, "search_path": "public, build", "timezone": "UTC", "bench.runs": str(dataset.runs)}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return connection


def _run(connection: psycopg.Connection[Any], files: Sequence[str]) -> None:
    for file in files:
        connection.execute((SQL / f"{file}.sql").read_bytes())


def _mark(server: PostgresServer, database: str) -> str | None:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(query, (database,)).fetchone()
    return row[0] if row else None


def _size(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return row[0] if row else 0


def _fingerprint() -> str:
    """Return a hash over the SQL: when it changes, the databases are made again."""
    content = b"".join(file.name.encode() + file.read_bytes() for file in sorted(SQL.glob("*.sql")))
    return hashlib.sha256(content).hexdigest()[:12]
