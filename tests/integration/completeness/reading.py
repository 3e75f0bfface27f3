"""The statements of the engine for a whole database, run one after the other in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from metadata_export.arguments import parse_arguments
from metadata_export.introspection import read_catalog
from metadata_export.plan import Extract, GroupPlan, make_plan
from metadata_export.planner import pinned
from metadata_export.secret import Credentials
from metadata_export.source import Connection, Source, release
from metadata_export.statements import Statement
from metadata_export.task import _copy
from psycopg import sql

from tests.integration.completeness.engine import group_arguments
from tests.integration.completeness.runs import CUTOFF


@dataclass(frozen=True)
class Reader:
    """A connection of the engine in its transaction, and what it has planned."""

    connection: Connection
    plans: tuple[GroupPlan, ...]

    @property
    def extracts(self) -> dict[str, Extract]:
        """Table -> what is planned of it."""
        return {extract.table: extract for plan in self.plans for extract in plan.extracts}

    def lines(self, extract: Extract) -> list[bytes]:
        """Return the lines of all statements of a table, sorted: a row may be several."""
        blocks: list[bytes] = []
        rows = sum(_copy(self.connection, extract.table, each, blocks.append).rows for each in extract.statements)
        lines = b"".join(blocks).split(b"\n")
        assert rows <= len(lines)
        return sorted(lines)

    def lines_at(self, extract: Extract, positions: Sequence[str]) -> list[bytes]:
        """Return the lines of the rows at these ctids, sorted."""
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in extract.columns)
        query = sql.SQL("COPY (SELECT {} FROM {} WHERE ctid = ANY ({}::tid[])) TO STDOUT (FORMAT csv)").format(
            columns, sql.Identifier("public", extract.table), sql.Literal(list(positions))
        )
        blocks: list[bytes] = []
        _copy(self.connection, extract.table, Statement(query.as_string(self.connection), ""), blocks.append)
        return sorted(b"".join(blocks).split(b"\n"))

    def plan_of(self, statement: Statement) -> str:
        """Return how PostgreSQL runs a statement."""
        query = statement.copy.removeprefix("COPY (").removesuffix(") TO STDOUT (FORMAT csv)")
        with pinned(self.connection, statement.forbidden):
            rows = self.connection.execute(b"EXPLAIN (COSTS OFF) " + query.encode()).fetchall()
        return "\n".join(str(row[0]) for row in rows)


def source_of(url: str) -> Source:
    """Return a database as the engine is told of it."""
    parts = urlsplit(url)
    credentials = Credentials(
        str(parts.hostname), int(parts.port or 0), unquote(parts.path[1:]), unquote(parts.username or ""),
        unquote(parts.password or ""), "prefer", None,
    )  # fmt: skip
    return Source(credentials, 60, "metadata_export reading")


@contextmanager
def reading(url: str, *, cutoff: datetime = CUTOFF, **more: str) -> Iterator[Reader]:
    """Plan every group of an export of a database."""
    source = source_of(url)
    connection = source.connect()
    try:
        source.begin(connection)
        plans = []
        for argv in group_arguments("none", cutoff=cutoff, **more).values():
            arguments = parse_arguments([*argv, "--JOB_RUN_ID", "jr_reading"])
            request = arguments.table_request
            catalog = read_catalog(connection, request.stands_alone, request.any_schema, request.exclude_tables)
            plans.append(make_plan(connection, catalog, request, cutoff, arguments.table_key))
        yield Reader(connection, tuple(plans))
    finally:
        release(connection)


def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    connection: psycopg.Connection[Any]
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
