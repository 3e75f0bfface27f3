"""A real PgBouncer between the engine and a PostgreSQL with aged data, which a role of its own reads."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import sql

from local import debian, pgbouncer
from local.airflow.versions import NEWEST
from local.pgbouncer import PgBouncer
from local.postgres import PostgresServer

# The same servers, another instance: pytest shares no fixture between two folders side by side.
from tests.integration.completeness.conftest import (  # noqa: F401
    aws,
    database_server,
    databases,
    engine,
)
from tests.integration.completeness.databases import CHOSEN, Databases

T = TypeVar("T")
VERSION = NEWEST if NEWEST in CHOSEN else CHOSEN[-1]
READER, PASSWORD = "export reader", 'se"cret %40 ü'
OPEN_TRANSACTIONS = """
SELECT application_name, state, wait_event_type, query FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Source:
    """A database that is read by way of PgBouncer."""

    server: PostgresServer
    superuser_url: str
    reader_url: str

    def by_way_of(self, bouncer: PgBouncer) -> str:
        """Return the reader's URL through a PgBouncer."""
        return bouncer.url(self.reader_url)

    def superuser(self) -> psycopg.Connection[Any]:
        """Return a direct connection in autocommit mode."""
        return psycopg.connect(self.superuser_url, autocommit=True)

    def open_transactions(self) -> list[tuple[Any, ...]]:
        """Return what is in a transaction on the whole server, and what it waits for."""
        with self.superuser() as connection:
            return connection.execute(OPEN_TRANSACTIONS).fetchall()


@pytest.fixture(scope="session")
def source(databases: Databases) -> Source:  # noqa: F811
    url, _ = databases.aged(VERSION)
    with psycopg.connect(url) as connection:
        role = sql.Identifier(READER)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
        connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
        dbname = connection.info.dbname
    return Source(databases.server, url, databases.server.url(dbname, user=READER, password=PASSWORD))


@pytest.fixture(scope="session")
def bouncer_of(source: Source) -> Iterator[Callable[[int], PgBouncer]]:
    """Return a function that gives a running PgBouncer with a pool of that size."""
    running: dict[int, PgBouncer] = {}
    with ExitStack() as stack:

        def start(pool_size: int) -> PgBouncer:
            if pool_size not in running:
                bouncer = available(lambda: pgbouncer.start(source.server, pool_size=pool_size))
                running[pool_size] = stack.enter_context(bouncer)
            return running[pool_size]

        yield start


def available(get: Callable[[], T]) -> T:
    """Return what needs Debian's package; where that cannot be had, skip the test, or fail it in CI."""
    try:
        return get()
    except debian.DebianPackageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PgBouncer here: {error}")
