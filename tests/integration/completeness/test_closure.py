"""The export of aged data holds exactly the rows of the window rules, and loads into a fresh database."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from metadata_export.run_set import unpack
from plan_export.table_registry import EXCLUDED_TABLES, TABLES
from psycopg import sql
from psycopg.rows import dict_row

from tests.contracts import violations
from tests.integration.completeness.aged_data import AgedData
from tests.integration.completeness.databases import CHOSEN, UPGRADED, Databases
from tests.integration.completeness.engine import BUCKET, Aws, Engine, Export, group_arguments
from tests.integration.completeness.live_catalog import LiveCatalog, read_live_catalog
from tests.integration.completeness.loading import load, rows_as_text
from tests.integration.completeness.oracle import Oracle
from tests.integration.completeness.runs import CUTOFF
from tests.integration.readers.conftest import File
from tests.integration.readers.database_values import parquet_value
from tests.integration.readers.test_parquet import Rows, with_duckdb, with_pandas, with_polars, with_pyarrow
from tests.integration.readers.test_recipes import same

RULES = {table.name: table.window for table in TABLES}
EXCLUDED = {table.name for table in EXCLUDED_TABLES}


@dataclass(frozen=True)
class Aged:
    """A database with aged data, and its export of the window."""

    kind: str
    url: str
    glue_connection: str
    data: AgedData
    catalog: LiveCatalog
    rows: dict[str, list[dict[str, Any]]]
    export: Export

    @cached_property
    def tables(self) -> list[str]:
        """The tables that an export must hold."""
        return sorted(set(self.catalog.columns) - EXCLUDED)

    @cached_property
    def told(self) -> dict[str, bool]:
        """Return for each run whether the export must hold it; an upgrade may have dropped what told of it."""
        return {
            story.name: story.expected and story.touched.keys() <= self.catalog.columns.keys()
            for story in self.data.stories
        }

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(self.catalog, self.rows, dict.fromkeys(self.catalog.columns, "full") | RULES, CUTOFF)

    def expected(self, table: str) -> list[str]:
        """Return as text the rows of a table that the export must hold."""
        positions = [self.rows[table][number]["ctid"] for number in self.oracle.exported(table)]
        with psycopg.connect(self.url) as connection:
            return rows_as_text(connection, table, positions)


@pytest.fixture(scope="module", params=(*CHOSEN, UPGRADED))
def aged(request: pytest.FixtureRequest, databases: Databases, aws: Aws, engine: Engine) -> Aged:
    url, data = databases.aged(request.param)
    with psycopg.connect(url) as connection:
        catalog = read_live_catalog(connection)
        rows = {table: _rows(connection, table) for table in catalog.columns}
    glue_connection = aws.connect_to(url)
    export = engine.export(group_arguments(glue_connection))
    return Aged(request.param, url, glue_connection, data, catalog, rows, export)


def test_given_aged_data_when_the_oracle_reads_it_then_it_chooses_the_runs_of_the_story(aged: Aged) -> None:
    chosen = aged.oracle.exported_runs()

    assert {name: name in chosen for name in aged.told} == aged.told
    assert Counter(aged.told.values())[False] >= 6


def test_given_aged_data_when_exported_then_the_runs_are_those_of_the_story(aged: Aged, databases: Databases) -> None:
    with psycopg.connect(databases.empty(aged.kind)) as connection:
        load(aged.export, connection, aged.catalog, constraints=False)
        exported = {row[0] for row in connection.execute("SELECT run_id FROM dag_run")}

    assert exported == {name for name, expected in aged.told.items() if expected}


def test_given_aged_data_when_exported_then_each_table_has_the_rows_of_its_rule_and_no_other(
    aged: Aged, databases: Databases
) -> None:
    with psycopg.connect(databases.empty(aged.kind)) as connection:
        load(aged.export, connection, aged.catalog, constraints=False)
        exported = {table: rows_as_text(connection, table) for table in aged.tables}

    expected = {table: aged.expected(table) for table in aged.tables}
    assert _differences(expected, exported) == {}


def test_given_aged_data_when_exported_then_the_window_leaves_rows_out_of_every_table_that_it_applies_to(
    aged: Aged,
) -> None:
    applies = {table for table in aged.tables if RULES.get(table, "full") != "full" and aged.rows[table]}
    left_out = {table for table in applies if 0 < len(aged.oracle.exported(table)) < len(aged.rows[table])}

    assert left_out == applies
    assert len(applies) >= 14


def test_given_a_windowed_export_when_loaded_in_foreign_key_order_then_no_constraint_is_violated(
    aged: Aged, databases: Databases
) -> None:
    with psycopg.connect(databases.empty(aged.kind)) as connection:
        load(aged.export, connection, aged.catalog)
        loaded = {table: len(rows_as_text(connection, table)) for table in aged.tables}

    assert loaded == {table: len(aged.oracle.exported(table)) for table in aged.tables}
    assert sum(loaded.values()) > 500


@pytest.fixture(scope="module")
def whole(aged: Aged, engine: Engine) -> Export:
    """An export of all that is there, as Parquet too."""
    return engine.export(group_arguments(aged.glue_connection, cutoff=None, FORMATS='["csv","parquet"]'))


def test_given_no_cutoff_when_exported_and_loaded_then_every_table_is_equal_row_for_row(
    aged: Aged, whole: Export, databases: Databases
) -> None:
    with psycopg.connect(databases.empty(aged.kind)) as connection, psycopg.connect(aged.url) as source:
        load(whole, connection, aged.catalog)
        loaded = {table: rows_as_text(connection, table) for table in aged.tables}
        expected = {table: rows_as_text(source, table) for table in aged.tables}

    assert _differences(expected, loaded) == {}


@pytest.mark.parametrize("read", [with_pyarrow, with_duckdb, with_polars, with_pandas], ids=lambda each: each.__name__)
def test_given_parquet_when_read_then_every_table_has_the_values_of_the_database(
    read: Callable[[File], Rows], aged: Aged, whole: Export, tmp_path: Path
) -> None:
    different = []
    for table in aged.tables:
        file = _parquet_of(whole, table, tmp_path)
        columns = sql.SQL(", ").join(parquet_value(*column) for column in file.types.items())
        query = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier("public", table))
        with psycopg.connect(aged.url, options="-c TimeZone=UTC") as connection:
            expected = connection.execute(query).fetchall()
        if not same(read(file), expected):
            different.append(table)

    assert different == []


def test_given_the_whole_registry_when_exported_then_the_files_are_the_live_tables_less_the_excluded_ones(
    aged: Aged,
) -> None:
    assert sorted(aged.export.tables) == aged.tables
    assert {manifest["consistency"] for manifest in aged.export.manifests.values()} == {"snapshot"}


def test_given_all_groups_then_one_has_found_the_dag_runs_of_the_window_and_told_the_others(aged: Aged) -> None:
    export = aged.export
    any_key = export.tables["dag_run"]["key"]
    prefix = f"{any_key.split('-backups/')[0]}-backups/_runs/{export.manifests['runs']['export_id']}/"
    told = json.loads(export.s3.get_object(Bucket=BUCKET, Key=f"{prefix}_window.json")["Body"].read())

    assert violations("selected_runs", told) == []
    claimers = {manifest["snapshot"]["claimed_by"] for manifest in export.manifests.values()}
    assert claimers == {told["job_run_id"]}
    ids = [row["id"] for row in aged.rows["dag_run"] if row["run_id"] in aged.oracle.exported_runs()]
    assert list(unpack(told["runs"]["packed"])) == sorted(ids)


@pytest.mark.parametrize("aged", [UPGRADED], indirect=True)
def test_given_a_database_upgraded_in_place_when_exported_then_its_leftovers_are_in_the_export(aged: Aged) -> None:
    types = {column["name"]: column["type"] for column in aged.export.tables["task_instance"]["columns"]}

    assert aged.export.manifests["uncatalogued"]["uncatalogued_tables"] == ["_xcom_archive"]
    assert aged.export.tables["_xcom_archive"]["rows"] == len(aged.rows["_xcom_archive"]) > 0
    assert 0 < aged.export.tables["sla_miss"]["rows"] < len(aged.rows["sla_miss"])
    assert types["next_kwargs"] == "json"  # jsonb in a fresh one


def _parquet_of(export: Export, table: str, folder: Path) -> File:
    """Fetch a table's Parquet files, and return where they are."""
    told = export.tables[table]
    place = folder / "parquet" / table
    for number, file in enumerate(told["parquet"]["files"]):
        path = place / "export_id=0" / f"part-{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(export.s3.get_object(Bucket=BUCKET, Key=file["key"])["Body"].read())
    return File(table, folder, {column["name"]: column["type"] for column in told["columns"]}, place)


def _rows(connection: psycopg.Connection[Any], table: str) -> list[dict[str, Any]]:
    query = sql.SQL("SELECT ctid::text AS ctid, * FROM {}").format(sql.Identifier("public", table))
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _differences(expected: dict[str, list[str]], found: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """Return table -> (missing, too many) rows, shortened, for the tables that are not equal."""
    differences = {table: _difference(rows, found[table]) for table, rows in expected.items()}
    return {table: difference for table, difference in differences.items() if any(difference)}


def _difference(expected: list[str], found: list[str]) -> tuple[list[str], list[str]]:
    missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    return [row[:200] for row in missing], [row[:200] for row in extra]
