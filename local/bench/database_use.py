"""What a turn made PostgreSQL do: the pages that it read, and its processor seconds by what the statements were for.

PostgreSQL writes both down itself: pages in `pg_stat_database`, seconds in its log (`log_statement_stats`). Queries do
not run in parallel here, so a statement's seconds are all in its own process.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from local.postgres import PostgresServer

ROWS, LOOK, CATALOG = "rows", "look", "catalog"
"""a COPY of a table; another statement that reads Airflow's tables, to find which rows; everything else"""
KINDS = (ROWS, LOOK, CATALOG)
PAGES = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s"
STATISTICS = re.compile(
    r"^[^\n]* LOG:  [A-Z]+(?: MESSAGE)? STATISTICS\n"
    r"[^\n]* DETAIL:  ! system usage stats:\n"
    r"\t!\t([0-9.]+) s user, ([0-9.]+) s system, [^\n]*\n"
    r"(?:\t![^\n]*\n)*"
    r"[^\n]* STATEMENT:  ((?:[^\n]*\n)(?:\t[^\n]*\n)*)",
    re.MULTILINE,
)
# As metadata_export.selected_runs begins: of the runs it takes no more than the number.
FINDS_RUNS = 'COPY (SELECT "r".'
READS_AIRFLOW = re.compile(r'\bFROM\s+(?:ONLY\s+)?(?:"?public"?\.)?"?(?:dag_run|task_instance|xcom|log)\b')


@dataclass(frozen=True)
class DatabaseUse:
    """Pages read, from its buffers or the disk, and processor seconds by kind of statement (KINDS)."""

    pages: int = 0
    cpu_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))


@dataclass(frozen=True)
class Watch:
    """Since when a database is watched."""

    server: PostgresServer
    database: str
    pages: int
    log_end: int

    def read(self) -> DatabaseUse:
        """Return what was done since; whoever did it has closed its connections."""
        with _log(self.server).open(errors="replace") as log:
            log.seek(self.log_end)
            text = log.read()
        seconds = dict.fromkeys(KINDS, 0.0)
        for kind, spent in statements(text):
            seconds[kind] += spent
        pages = _pages(self.server, self.database) - self.pages
        return DatabaseUse(pages, {kind: round(spent, 3) for kind, spent in seconds.items()})


def watch(server: PostgresServer, database: str) -> Watch:
    """Begin to watch a database."""
    return Watch(server, database, _pages(server, database), _log(server).stat().st_size)


def statements(log: str) -> Iterator[tuple[str, float]]:
    """Yield kind and processor seconds of each statement in a server's log."""
    for user, system, statement in STATISTICS.findall(log):
        yield kind_of(statement), float(user) + float(system)


def kind_of(statement: str) -> str:
    """Return what a statement is for."""
    if statement.lstrip().upper().startswith("COPY") and not statement.startswith(FINDS_RUNS):
        return ROWS
    return LOOK if READS_AIRFLOW.search(statement) else CATALOG


def _log(server: PostgresServer) -> Path:
    return server.data_dir / "server.log"


def _pages(server: PostgresServer, database: str) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(PAGES, (database,)).fetchone()
    return int(row[0]) if row else 0
