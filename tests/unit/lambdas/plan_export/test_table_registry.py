"""Every table of every Airflow version is registered once, or excluded with a reason."""

import pytest
from plan_export.table_registry import (
    CATALOGUED_NAMES,
    EXCLUDED_TABLES,
    EXCLUSION_REASONS,
    GROUPS,
    TABLE_NAMES,
    TABLES,
)

from tests.unit.lambdas.airflow_tables import TABLES as AIRFLOW_TABLES
from tests.unit.lambdas.airflow_tables import VERSIONS, tables_of

# What a mark of the survey means as window rule. asset_partition_dag_run (D+R) has a date of its own; events are taken
# by date or when an exported run uses them.
RULES = {"F": {"full"}, "R": {"follow"}, "T": {"follow"}, "E": {"follow"}, "R+E": {"follow"}, "D+R": {"date"}}
OWN_RULES = {"dag_run": "run", "asset_event": "event", "dataset_event": "event"}
# Not made by Airflow's migrations: Celery keeps its results in MWAA's metadata database.
CELERY = {"celery_taskmeta", "celery_tasksetmeta"}


@pytest.mark.parametrize("version", VERSIONS)
def test_given_an_airflow_version_then_each_of_its_tables_is_registered_or_excluded(version):
    tables = tables_of(version)
    assert len(tables) >= 42
    assert [table for table in tables if table not in CATALOGUED_NAMES] == []


def test_given_the_registry_then_it_names_no_table_that_no_version_has():
    known = {name for name, _, _ in AIRFLOW_TABLES} | CELERY
    assert set(CATALOGUED_NAMES) - known == set()


def test_given_the_registry_then_each_table_is_in_it_once():
    names = [table.name for table in TABLES] + [table.name for table in EXCLUDED_TABLES]
    assert len(names) == len(set(names)) == len(CATALOGUED_NAMES)


@pytest.mark.parametrize(("name", "mark"), [(name, mark) for name, _, mark in AIRFLOW_TABLES], ids=lambda value: value)
def test_given_a_table_then_its_window_rule_is_what_the_survey_found(name, mark):
    rules = {table.name: table.window for table in TABLES}
    if mark == "S":
        assert name in EXCLUSION_REASONS
    else:
        expected = {OWN_RULES[name]} if name in OWN_RULES else RULES.get(mark, {"date"})
        assert rules[name] in expected


def test_given_an_excluded_table_then_there_is_a_reason():
    assert all(len(table.reason) > 10 for table in EXCLUDED_TABLES)
    assert EXCLUDED_TABLES


@pytest.mark.parametrize("leftover", ["_xcom_archive", "_airflow_moved__2_3__dangling__xcom"])
def test_given_a_leftover_of_an_upgrade_then_it_stays_uncatalogued(leftover):
    assert leftover not in CATALOGUED_NAMES


def test_given_the_registry_then_every_group_has_tables():
    assert {table.group for table in TABLES} == set(GROUPS)
    assert len(TABLE_NAMES) == len(TABLES)
