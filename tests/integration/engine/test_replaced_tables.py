"""A table that was replaced after the snapshot looks empty to it: that must not pass for an export."""

from collections.abc import Iterator

import pytest
from metadata_export.catalog import check_not_replaced, read_catalog
from metadata_export.errors import SourceError
from metadata_export.source import Connection, releasing

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
        ("DROP TABLE job; CREATE TABLE job (id int, state text)", "job"),
        ("ALTER TABLE job RENAME TO job_old; CREATE TABLE job (LIKE job_old)", "job"),
        ("TRUNCATE parted", "part"),
        ("DROP TABLE part", "part"),
        ("ALTER TABLE parted DETACH PARTITION part", "part"),
        ("DROP TABLE parted; CREATE TABLE parted (id int)", "part, parted"),
    ],
    ids=["truncated", "rewritten", "vacuumed", "created again", "swapped", "partition truncated", "partition dropped",
         "partition detached", "partitioned created again"],
)  # fmt: skip
def test_given_a_replaced_table_then_it_is_named(
    database: Database, reading: Connection, statement: str, named: str
) -> None:
    database.execute(statement)
    with pytest.raises(SourceError, match=f"^{named}: truncated, rewritten or replaced"):
        check_not_replaced(reading, ["job", "parted"])


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO job VALUES (2, 'late')", "ALTER TABLE job ADD COLUMN note text", "DELETE FROM job", "DROP TABLE job",
     "ALTER TABLE job RENAME TO job_old", "CREATE TABLE other (id int)"],
    ids=["written", "wider", "emptied", "dropped", "renamed", "other"],
)  # fmt: skip
def test_given_a_table_that_was_not_replaced_then_it_is_fine(
    database: Database, reading: Connection, statement: str
) -> None:
    database.execute(statement)
    check_not_replaced(reading, ["job", "parted"])


def test_given_a_catalog_that_was_read_then_no_table_stays_locked(database: Database, reading: Connection) -> None:
    held = "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    assert database.rows(f"{held} WHERE c.relnamespace = 'public'::regnamespace") == []


def test_given_another_table_that_was_replaced_then_it_does_not_matter(database: Database, reading: Connection) -> None:
    database.execute("TRUNCATE job")
    check_not_replaced(reading, ["other"])


def test_given_a_partitioned_table_then_its_size_is_that_of_its_partitions(database: Database) -> None:
    database.execute(
        "CREATE TABLE parted (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (id)",
        "CREATE TABLE lowest PARTITION OF low FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE rest PARTITION OF parted DEFAULT",
        "INSERT INTO parted SELECT generate_series(1, 2000)",
    )
    with releasing(database.source().connect()) as connection:
        tables = read_catalog(connection).tables
    assert list(tables) == ["parted"]
    expected = database.rows("SELECT pg_table_size('lowest') + pg_table_size('rest')")[0][0]
    assert tables["parted"].total_bytes == expected > 0
