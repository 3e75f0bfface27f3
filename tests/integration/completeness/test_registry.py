"""Every table of every Airflow version is registered, or excluded with a reason."""

import psycopg
import pytest
from plan_export.table_registry import EXCLUDED_TABLES, GROUPS, TABLES

from tests.integration.completeness.databases import ALL_CHOSEN, CHOSEN, Databases
from tests.integration.completeness.live_catalog import LiveCatalog, read_live_catalog

# Measured, see the reference of the schemas: a reading of the catalog that misses tables would pass on what is left.
TABLE_COUNTS = {"2.9.2": 42, "2.10.3": 48, "2.11.0": 48, "3.0.6": 58, "3.2.1": 68, "3.3.1": 71}
NOT_FROM_AIRFLOW = {"celery_taskmeta", "celery_tasksetmeta"}  # Celery makes them when it writes its first result
REGISTERED = {table.name: table for table in TABLES}
EXCLUDED = {table.name: table.reason for table in EXCLUDED_TABLES}
WINDOWS = {"full", "run", "follow", "date", "event"}


@pytest.fixture(scope="module")
def catalogs(databases: Databases) -> dict[str, LiveCatalog]:
    found = {}
    for version in CHOSEN:
        with psycopg.connect(databases.empty(version)) as connection:
            found[version] = read_live_catalog(connection)
    return found


@pytest.mark.parametrize("version", CHOSEN)
def test_given_a_migrated_schema_when_compared_with_the_registry_then_no_table_is_unknown(
    version: str, catalogs: dict[str, LiveCatalog]
) -> None:
    tables = set(catalogs[version].columns)

    assert len(tables) == TABLE_COUNTS[version]
    assert sorted(tables - REGISTERED.keys() - EXCLUDED.keys()) == []


@pytest.mark.parametrize("version", CHOSEN)
def test_given_a_migrated_schema_when_tables_refer_to_each_other_then_no_exported_one_needs_an_excluded_one(
    version: str, catalogs: dict[str, LiveCatalog]
) -> None:
    references = catalogs[version].references

    assert len(references) > 20
    assert [each for each in references if each.child in REGISTERED and each.parent in EXCLUDED] == []


@pytest.mark.parametrize("version", CHOSEN)
def test_given_a_migrated_schema_when_a_table_leads_to_a_run_then_its_rule_is_not_full(
    version: str, catalogs: dict[str, LiveCatalog]
) -> None:
    leading = catalogs[version].descendants(["dag_run"])

    assert len(leading) >= 8
    assert [table for table in sorted(leading) if REGISTERED[table].window == "full"] == []


@pytest.mark.skipif(not ALL_CHOSEN, reason="needs all versions: AIRFLOW_VERSIONS chose some")
def test_given_all_versions_when_compared_with_the_registry_then_no_name_in_it_is_invented(
    catalogs: dict[str, LiveCatalog],
) -> None:
    existing = {table for catalog in catalogs.values() for table in catalog.columns}

    assert sorted((REGISTERED.keys() | EXCLUDED.keys()) - existing - NOT_FROM_AIRFLOW) == []


def test_given_the_registry_when_read_then_each_table_is_in_it_once() -> None:
    names = [table.name for table in (*TABLES, *EXCLUDED_TABLES)]

    assert sorted(names) == sorted(set(names))


def test_given_the_registry_when_read_then_groups_windows_and_reasons_are_valid() -> None:
    assert {table.group for table in TABLES} == set(GROUPS)
    assert {table.window for table in TABLES} == WINDOWS
    assert [table.name for table in TABLES if table.window == "run"] == ["dag_run"]
    assert [name for name, reason in EXCLUDED.items() if len(reason.split()) < 3] == []
