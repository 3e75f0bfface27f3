"""A table that got another file after the snapshot looks empty to it: that must not pass for an export."""

from collections.abc import Iterator

import pytest
from metadata_export.catalog import check_not_replaced, read_catalog
from metadata_export.errors import SourceError
from metadata_export.source import Connection

from tests.integration.engine.conftest import Database

pytestmark = pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)


@pytest.fixture
def reading(database: Database) -> Iterator[Connection]:
    """A transaction that has read the catalog of two tables."""
    database.execute(
        "CREATE TABLE job (id int, state text)",
        "CREATE TABLE parted (id int) PARTITION BY LIST (id)",
        "CREATE TABLE part PARTITION OF parted DEFAULT",
        "INSERT INTO job VALUES (1, 'running')",
        "INSERT INTO parted VALUES (1)",
    )
    source = database.source()
    connection = source.connect()
    source.begin(connection)
    read_catalog(connection)
    check_not_replaced(connection, ["job", "parted"])
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("TRUNCATE job", "job"),
        ("ALTER TABLE job ALTER COLUMN id TYPE bigint", "job"),
        ("VACUUM FULL job", "job"),
        ("TRUNCATE parted", "part"),
    ],
    ids=["truncated", "rewritten", "vacuumed", "partition"],
)
def test_given_a_table_with_another_file_then_it_is_named(
    database: Database, reading: Connection, statement: str, named: str
) -> None:
    database.execute(statement)
    with pytest.raises(SourceError, match=f"^{named}: truncated or rewritten"):
        check_not_replaced(reading, ["job", "parted"])


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO job VALUES (2, 'late')", "ALTER TABLE job ADD COLUMN note text", "DELETE FROM job", "DROP TABLE job"],
    ids=["written", "wider", "emptied", "dropped"],
)
def test_given_a_table_whose_file_is_the_same_then_it_is_fine(
    database: Database, reading: Connection, statement: str
) -> None:
    database.execute(statement)
    check_not_replaced(reading, ["job", "parted"])


def test_given_another_table_that_was_replaced_then_it_does_not_matter(database: Database, reading: Connection) -> None:
    database.execute("TRUNCATE job")
    check_not_replaced(reading, ["other"])
