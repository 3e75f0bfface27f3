"""Exports beside the real `airflow db clean`, which makes and drops tables of its own all the time."""

import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from local.airflow.migrations import airflow_command
from local.airflow.versions import NEWEST
from tests.integration.completeness.databases import ALL_CHOSEN, CHOSEN, Databases
from tests.integration.completeness.engine import Aws, Engine, group_arguments

EXPORTS = 20 if ALL_CHOSEN else 4
MOST_EXPORTS = 3 * EXPORTS  # until one has met a table of db clean's, which lives for moments
OLD_ROWS = 200_000  # for each export; in batches of 200, each with a table of its own: longer than an export takes
LEFTOVERS = "_airflow_deleted__"
FILL = """
INSERT INTO log (id, dttm, event) SELECT 1000000 + g, timestamptz '2020-01-01' + make_interval(secs => g), 'old'
FROM generate_series(%(first)s::int, %(last)s) g
"""
BEFORE = ("--clean-before-timestamp", "2024-01-01")
CLEAN = ("db", "clean", "--tables", "log", *BEFORE, "--skip-archive", "--batch-size", "200", "-y")

pytestmark = pytest.mark.skipif(NEWEST not in CHOSEN, reason=f"--batch-size needs Airflow {NEWEST}")


def fill(url: str, times: int) -> None:
    """Write as many old rows as are cleaned in the time of an export, or more."""
    first = times * OLD_ROWS
    with psycopg.connect(url) as connection:
        connection.execute(FILL, {"first": first + 1, "last": first + OLD_ROWS})


@pytest.fixture
def cleaning(databases: Databases) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A database whose log is being cleaned, batch by batch, and the process that does it."""
    url, _ = databases.aged(NEWEST)
    fill(url, 0)
    with airflow_command(NEWEST, url, CLEAN) as process:
        yield url, process


def test_given_db_clean_at_work_when_exported_again_and_again_then_every_export_is_whole(
    cleaning: tuple[str, "subprocess.Popen[str]"], aws: Aws, engine: Engine
) -> None:
    url, process = cleaning
    connection, seen = aws.connect_to(url), set[str]()
    for number in range(1, MOST_EXPORTS + 1):
        fill(url, number)
        assert process.poll() is None, "db clean has ended before the exports: give it more rows"
        export = engine.export(group_arguments(connection))
        assert {manifest["consistency"] for manifest in export.manifests.values()} == {"snapshot"}
        assert {name for manifest in export.manifests.values() for name in manifest["failed_tables"]} == set()
        unknown = export.manifests["uncatalogued"]
        seen |= {name for name in (*unknown["tables"], *unknown["skipped_tables"]) if name.startswith(LEFTOVERS)}
        if seen and number >= EXPORTS:
            break
    assert seen, "no export has met a table of db clean's"
