"""PostgreSQL servers, databases of Airflow versions, and exports of them in memory."""

import base64
import gzip
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared"), str(ROOT / "glue")]

import psycopg  # noqa: E402
import pytest  # noqa: E402
from cryptography.fernet import Fernet  # noqa: E402
from metadata_export.content import content_checksum, sum_of_rows  # noqa: E402
from metadata_export.schema.document import read_schema  # noqa: E402
from metadata_export.schema.entries import file_text, packed  # noqa: E402
from metadata_export.source import releasing  # noqa: E402
from metadata_restore.database import Address  # noqa: E402
from metadata_restore.errors import DamagedObjectError  # noqa: E402
from metadata_restore.fernet import Keys  # noqa: E402
from metadata_restore.fill import Outcome, Watcher, fill  # noqa: E402
from metadata_restore.options import Options  # noqa: E402
from metadata_restore.plan import Column, PlannedSchema, PlannedTable, RestorePlan  # noqa: E402
from metadata_restore.sequences import restart  # noqa: E402
from metadata_restore.target import examine  # noqa: E402
from psycopg import sql  # noqa: E402

from local import postgres  # noqa: E402
from local.postgres import PostgresServer  # noqa: E402
from tests.integration.completeness.databases import Databases  # noqa: E402
from tests.integration.completeness.live_catalog import read_live_catalog  # noqa: E402
from tests.integration.completeness.loading import rows_as_text  # noqa: E402
from tests.integration.completeness.reading import source_of  # noqa: E402

PASSWORD = "p@ss 'word' \\ with/everything?"
EXPORT_ID = "20261211T143022Z"
AS_EXPORTED = Options(paused=False, unfinished="keep")
SCHEMA_KEY = "exports/export_schema.sql.gz"
NOT_EXPORTED = ("alembic_version", "alembic_version_fab")


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgresServer]:
    with postgres.temporary_server(password=PASSWORD) as running:
        yield running


@pytest.fixture(scope="session")
def databases(database_server: PostgresServer) -> Databases:
    return Databases(database_server)


@dataclass
class Export:
    """An export of a database: its plan, and its objects by key."""

    plan: RestorePlan
    objects: dict[str, bytes] = field(default_factory=dict)

    def size(self, key: str) -> int | None:
        return len(self.objects[key]) if key in self.objects else None

    def open(self, key: str) -> io.BytesIO:
        if key not in self.objects:
            raise DamagedObjectError(f"{key} does not exist")
        return io.BytesIO(self.objects[key])

    def restore(
        self,
        url: str,
        options: Options = AS_EXPORTED,
        keys: Keys | None = None,
        watcher: Watcher | None = None,
        **plan: Any,
    ) -> Outcome:
        return fill(Address(url), self, replace(self.plan, **plan), options, keys, watcher or Watcher())

    def only(self, *names: str) -> RestorePlan:
        return replace(self.plan, whole=False, tables=tuple(t for t in self.plan.tables if t.name in names))


def export_of(url: str) -> Export:
    """Export every table of the schema public as the engine does: gzip in two members, and two parts."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = UTC")
        catalog = read_live_catalog(connection)
        heads = {name: _column(connection, name, "version_num") for name in NOT_EXPORTED if name in catalog.columns}
        export = Export(RestorePlan(EXPORT_ID, "exports", "3.3.1", heads, (), True, None, {}, {}))
        tables = [
            _table(connection, export, name, [(column.name, column.type) for column in columns])
            for name, columns in catalog.columns.items()
            if name not in NOT_EXPORTED
        ]
    export.plan = replace(export.plan, tables=tuple(tables))
    return export


def numbered(url: str) -> str:
    """Have the sequences of a database go on after its rows, which were made with numbers of their own."""
    with psycopg.connect(url) as connection:
        tables = examine(connection).tables
        restart(connection, tables, tables, None)
    return url


def with_schema(export: Export, url: str) -> Export:
    """Give an export the schema of its database."""
    source = source_of(url)
    with releasing(source.connect()) as connection:
        source.begin(connection)
        body = packed(file_text("a test", read_schema(connection).entries))
    export.objects[SCHEMA_KEY] = body
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    export.plan = replace(export.plan, schema=PlannedSchema(SCHEMA_KEY, len(body), checksum))
    return export


def _table(connection: Any, export: Export, name: str, columns: list[tuple[str, str]]) -> PlannedTable:
    names = sql.SQL(", ").join(sql.Identifier(column) for column, _ in columns)
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(
        names, sql.Identifier("public", name)
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            header, *records = map(bytes, copy)
        rows = cursor.rowcount
    parts = [gzip.compress(header, 1), gzip.compress(b"", 0) + gzip.compress(b"".join(records), 1)]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    checksum = f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-2"
    key, body, sizes = f"exports/{name}.csv.gz", b"".join(parts), tuple(map(len, parts))
    export.objects[key] = body
    described = tuple(Column(*column) for column in columns)
    size, of_content = len(header) + sum(map(len, records)), content_checksum(sum_of_rows(records))
    return PlannedTable(name, key, rows, size, len(body), checksum, sizes, described, of_content)


def _column(connection: Any, table: str, column: str) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY 1"))


def content(url: str) -> dict[str, list[str]]:
    """Return all rows of a database, and the state of its sequences."""
    with psycopg.connect(url) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = {table: rows_as_text(connection, table) for table in tables}
        sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
        return found | {"": [str(row) for row in sequences]}


def encrypt(url: str, key: str) -> None:
    """Have every value that Airflow can keep encrypted be so: the text `plain`, and a text of any form."""
    token = Fernet(key).encrypt(b"plain").decode()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE variable SET val = %s, is_encrypted = true", [token])
        connection.execute(
            "UPDATE connection SET password = %s, is_encrypted = true, extra = '', is_extra_encrypted = true", [token]
        )
        connection.execute("UPDATE trigger SET kwargs = CASE WHEN id %% 2 = 0 THEN %s ELSE '{}' END", [token])


def execute(url: str, *statements: str) -> None:
    """Run statements in one transaction."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()
