"""Hostile rows in a real PostgreSQL, what the engine makes of them, and what the database itself says of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from export_contracts.exported_table import ExportedTable
from psycopg import sql

from local.aws import server
from local.aws.settings import REGION
from local.postgres import PostgresServer
from tests import documents
from tests.integration.engine.conftest import Database, Engine, postgres_server, running_aws, s3_client  # noqa: F401
from tests.integration.engine.test_round_trip import HOSTILE_TEXTS, TYPES
from tests.integration.readers.database_values import MOMENT_TYPES, as_text, held, parquet_value, value
from tests.integration.readers.recipes import functions

TEXTS = (
    *HOSTILE_TEXTS,
    "007", "1e5", "2026-03-01", "true", "NaN", "NA", "None", "-", "#comment", "=1+1", "'", "''", "\ufeffmark",
    "ends with \\", '\\"', 'a\\",b', "two\n\nlines\n", "\x0b\x0c\x1a\x1c\x85\u2028\u2029", '",\n"007","', '\n1,"x"\n',
)  # fmt: skip
MOMENTS = (
    "0001-01-03 00:00:00+00",
    "2026-03-29 02:30:00.000001+02",
    "1500-03-01 00:00:00+00",
    "9999-12-31 23:59:59.999999+00",
    None,
)
# Tables of one column, `moment`, of which each has what some reader cannot hold.
OUT_OF_RANGE = {
    "infinite": ("infinity", "-infinity"),
    "far": ("12026-12-31 23:59:59.999999+00",),
    "latest": ("294276-12-31 23:59:59.999999+00",),
    "ancient": ("4713-01-01 00:00:00+00 BC",),
}
LARGE = ('{"a": "b,c"}' * 12_000, "x" * 1_200_000, '{"k": 1}' * 400_000, '"\n' * 40_000, "", None)


@dataclass(frozen=True)
class File:
    """A table's file, and what the summary says of its columns."""

    table: str
    path: Path
    types: dict[str, str]
    parquet: Path | None = None
    """the folder of its Parquet files of all exports"""
    entry: ExportedTable | None = None
    """what the manifest says of it"""


@dataclass(frozen=True)
class Exported:
    """An export of hostile tables."""

    database: Database
    files: dict[str, File]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """A table's rows as the database gives them: what CONVERTED lists as Python's values, the rest as text."""
        return self._select(table, [value(*column) for column in self.files[table].types.items()])

    def texts(self, table: str) -> list[tuple[str | None, ...]]:
        """A table's rows with every value as PostgreSQL's text."""
        return self._select(table, [as_text(*column) for column in self.files[table].types.items()])

    def parquet_rows(self, table: str) -> list[tuple[Any, ...]]:
        """A table's rows as its Parquet files should have them."""
        return self._select(table, [parquet_value(*column) for column in self.files[table].types.items()])

    def nulled(self, table: str) -> dict[str, int]:
        """By column, how many values of a table no type of Parquet can hold."""
        columns = {name: kind for name, kind in self.files[table].types.items() if kind in MOMENT_TYPES}
        counts = [sql.SQL("count({0}) - count({1})").format(sql.Identifier(c), held(c)) for c in columns]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(counts), sql.Identifier(table))
        with self.database.connect() as connection:
            row = connection.execute(query).fetchone() if counts else ()
        return {name: count for name, count in zip(columns, row or (), strict=True) if count}

    def _select(self, table: str, columns: list[sql.Composable]) -> list[tuple[Any, ...]]:
        query = sql.SQL("SELECT {} FROM {} ORDER BY ctid").format(sql.SQL(", ").join(columns), sql.Identifier(table))
        with self.database.connect(options="-c TimeZone=UTC") as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def exported(
    postgres_server: PostgresServer,  # noqa: F811
    running_aws: server.EmulatedAws,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Exported]:
    """One export for all tests."""
    database = Database(postgres_server, "readers")
    postgres_server.create_database(database.name)
    tables = fill(database)
    folder = tmp_path_factory.mktemp("export")
    summary = folder / "export_summary_143022.json.gz"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in running_aws.env.items():
            environment.setenv(name, value)
        s3_client.cache_clear()
        s3_client(REGION).create_bucket(Bucket="readers")
        engine = Engine(database, "readers", running_aws)
        manifest = engine.export(dict.fromkeys(tables, "full"), FORMATS='["csv","parquet"]')
        details = {name: ExportedTable.from_json(entry, name, "all") for name, entry in manifest["tables"].items()}
        summary.write_bytes(documents.summary(details=details).to_bytes())
        for table in tables:
            (folder / f"{table}_143022.csv.gz").write_bytes(engine.body(table))
            fetch_parquet(engine, folder, details[table])
    s3_client.cache_clear()
    column_types = functions("What the files are")["column_types"]
    yield Exported(
        database,
        {
            name: File(
                name,
                folder / f"{name}_143022.csv.gz",
                column_types(summary, name),
                folder / "parquet" / name,
                details[name],
            )
            for name in tables
        },
    )
    postgres_server.drop_database(database.name)


def fetch_parquet(engine: Engine, folder: Path, table: ExportedTable) -> None:
    """Fetch a table's Parquet files, to where they lie in the bucket."""
    assert table.parquet is not None
    for file in table.parquet.files:
        path = folder / file.key.removeprefix("exports/env-backups/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3_client(REGION).get_object(Bucket=engine.bucket, Key=file.key)["Body"].read())
        assert path.stat().st_size == file.object_bytes


def fill(database: Database) -> list[str]:
    """Make the tables and their rows; return the tables' names."""
    columns = {f'{kind}. "{number}", `{kind[:1]}': kind for number, kind in enumerate(TYPES)}
    values = TYPES | dict.fromkeys(("text", "varchar(250)"), TEXTS) | {"timestamptz": MOMENTS}
    fill_table(database, "hostile", {name: (kind, values[kind]) for name, kind in columns.items()})
    fill_table(database, "lone", {"value": ("text", (None, "", "x", None, "two\nlines", None))})
    fill_table(database, "nothing", {"id": ("int", ()), "dag_id": ("text", ())})
    fill_table(database, "large", {"dag_id": ("text", ("007",) * len(LARGE)), "data": ("text", LARGE)})
    for table, moments in OUT_OF_RANGE.items():
        fill_table(database, table, {"moment": ("timestamptz", moments)})
    fill_table(
        database,
        "plain",
        {
            "dag_id": ("text", ("007", "010", "011")),
            "note": ("text", (None, "", 'say "hi"\nback\\')),
            "moment": ("timestamptz", MOMENTS[1:2] * 3),
        },
    )
    database.execute(
        "CREATE TABLE many AS SELECT n::text AS dag_id FROM generate_series(1, 30000) n UNION ALL SELECT '007'"
    )
    return ["hostile", "lone", "nothing", "large", *OUT_OF_RANGE, "plain", "many"]


def fill_table(database: Database, table: str, columns: dict[str, tuple[str, tuple[Any, ...]]]) -> None:
    """Make a table; a column with fewer values than another ends in NULLs."""
    definitions = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, (kind, _) in columns.items()]
    places = sql.SQL(", ").join(sql.Placeholder() * len(columns))
    with database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(definitions))
        )
        for number in range(max(len(values) for _, values in columns.values())):
            row = [values[number] if number < len(values) else None for _, values in columns.values()]
            parameters = [value if isinstance(value, bytes) or value is None else str(value) for value in row]
            connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), places), parameters)
