"""Tables that no Airflow makes: Celery's results, and tables of names and contents that nobody foresaw."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any, BinaryIO

import psycopg
import pytest
from export_contracts.layout import table_key
from psycopg import sql

from local.airflow.versions import NEWEST
from local.compare import compare_export
from tests.integration.completeness.databases import CHOSEN, Databases
from tests.integration.completeness.engine import BUCKET, Aws, Engine, Export, group_arguments
from tests.integration.completeness.runs import CUTOFF, OLD, RECENT
from tests.integration.completeness.values import HOSTILE_TEXTS

VERSION = NEWEST if NEWEST in CHOSEN else CHOSEN[-1]
CELERY = """
CREATE TABLE celery_taskmeta (id integer PRIMARY KEY, task_id varchar(155) UNIQUE, status varchar(50), result bytea,
    date_done timestamp, traceback text, name varchar(155), args bytea, kwargs bytea, worker varchar(155),
    retries integer, queue varchar(155));
CREATE TABLE celery_tasksetmeta (id integer PRIMARY KEY, taskset_id varchar(155) UNIQUE, result bytea,
    date_done timestamp);
"""
HOSTILE_NAMES = {
    "upper case": "Dag_Run",
    "injection": "dag_run;DROP TABLE dag_run;--",
    "quotes": "quote\"d, 'and' comma",
    "line break and placeholders": "new\nline\tand 100%s {braces}",
    "path and unicode": "../../exports/ünï 数据~?#&",
    "keyword": "select",
    "longest": "x" * 63,
}
HOSTILE_COLUMNS = ('a "column"', "UPPER, with comma", "line\nbreak", "%s")


@pytest.fixture(scope="module")
def url(databases: Databases) -> str:
    """A database with Celery's tables, and the hostile ones."""
    url = databases.empty(VERSION)
    with psycopg.connect(url) as connection:
        connection.execute(CELERY)
        dates = [RECENT, CUTOFF, CUTOFF - timedelta(microseconds=1), OLD, None]
        for number, moment in enumerate(dates):
            row = [number, f"task {number}", bytes(range(256)), moment and moment.replace(tzinfo=None)]
            connection.execute(
                "INSERT INTO celery_taskmeta (id, task_id, result, date_done) VALUES (%s, %s, %s, %s)", row
            )
            connection.execute("INSERT INTO celery_tasksetmeta VALUES (%s, %s, %s, %s)", row)
        for name in HOSTILE_NAMES.values():
            _create_hostile(connection, name)
    return url


@pytest.fixture(scope="module")
def export(url: str, aws: Aws, engine: Engine) -> Export:
    return engine.export(group_arguments(aws.connect_to(url)))


def test_given_tables_that_nobody_knows_when_exported_then_they_are_reported_as_uncatalogued(export: Export) -> None:
    assert export.manifests["uncatalogued"]["uncatalogued_tables"] == sorted(HOSTILE_NAMES.values())
    assert sorted(export.manifests["uncatalogued"]["tables"]) == sorted(HOSTILE_NAMES.values())


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_given_a_hostile_table_when_exported_then_its_file_holds_every_row(name: str, export: Export, url: str) -> None:
    assert export.tables[name]["rows"] == len(HOSTILE_TEXTS) + 1
    assert compare_export(url, {name: export.tables[name]}, _opener(export)) == []


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_given_a_hostile_table_when_exported_then_its_key_is_that_of_the_contract(name: str, export: Export) -> None:
    manifest = export.manifests["uncatalogued"]
    prefix, _, _ = export.tables["dag_run"]["key"].rpartition("dag_run_")

    assert export.tables[name]["key"] == table_key(prefix, manifest["export_id"], name)


@pytest.mark.parametrize("table", ["celery_taskmeta", "celery_tasksetmeta"])
def test_given_celery_results_when_exported_then_those_of_the_window_and_those_without_date_are_in(
    table: str, export: Export
) -> None:
    exported = [line.partition(",")[0] for line in export.csv(table).decode().splitlines()[1:]]

    assert sorted(exported) == ["0", "1", "4"]


def test_given_celery_in_a_schema_of_its_own_then_it_is_exported_from_there_and_other_schemas_are_named(
    databases: Databases, aws: Aws, engine: Engine
) -> None:
    url = databases.empty(VERSION)
    with psycopg.connect(url) as connection:
        connection.execute('CREATE SCHEMA celery; SET search_path TO celery; CREATE SCHEMA "hr""x"')
        connection.execute(CELERY.replace("celery_tasksetmeta", "other").encode())
        connection.execute("INSERT INTO celery_taskmeta (id, date_done) VALUES (1, %s), (2, %s)", [RECENT, OLD])
        connection.execute('CREATE TABLE "hr""x".team (id int)')
    export = engine.export(group_arguments(aws.connect_to(url)))

    celery = {name: table for name, table in export.tables.items() if "celery" in name}
    assert {name: table["rows"] for name, table in celery.items()} == {"celery.celery_taskmeta": 1}
    assert celery["celery.celery_taskmeta"]["key"].rpartition("/")[2].startswith("celery.celery_taskmeta_")
    absent = "not in this Airflow version's schema"
    assert export.manifests["logs"]["skipped_tables"].get("celery_tasksetmeta") == absent
    assert "celery_taskmeta" not in export.manifests["logs"]["skipped_tables"]
    elsewhere = {name: why for name, why in export.manifests["uncatalogued"]["skipped_tables"].items() if "." in name}
    assert elsewhere == {
        "celery.celery_taskmeta": "in the schema celery: only tables of the schema public are exported",
        "celery.other": "in the schema celery: only tables of the schema public are exported",
        'hr"x.team': 'in the schema hr"x: only tables of the schema public are exported',
    }


def test_given_no_cutoff_when_exported_then_celery_results_are_equal_row_for_row(
    url: str, aws: Aws, engine: Engine
) -> None:
    export = engine.export(group_arguments(aws.connect_to(url), cutoff=None))
    celery = {name: table for name, table in export.tables.items() if name.startswith("celery")}

    assert [table["rows"] for table in celery.values()] == [5, 5]
    assert compare_export(url, celery, _opener(export)) == []


def _opener(export: Export) -> Callable[[str], BinaryIO]:
    return lambda key: BytesIO(export.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def _create_hostile(connection: psycopg.Connection[Any], name: str) -> None:
    """Make a table of texts, and a row of NULLs."""
    table = sql.Identifier("public", name)
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in HOSTILE_COLUMNS)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, columns))
    for text in HOSTILE_TEXTS:  # as literals: the name may hold a placeholder
        values = sql.Literal(text), sql.Literal(text * 2)
        connection.execute(sql.SQL("INSERT INTO {} VALUES ({}, '', NULL, {})").format(table, *values))
    connection.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table))
