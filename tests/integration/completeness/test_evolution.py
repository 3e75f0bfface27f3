"""An upgrade of Airflow in place: the Parquet files from before and after it are one history."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest
from aggregate_results.parquet_columns import Remembered, remember_columns
from export_contracts.exported_table import ExportedTable
from export_contracts.layout import export_id
from export_runtime.store import ObjectStore
from psycopg import sql
from pyarrow import parquet

from tests import documents
from tests.integration.completeness.databases import OLDEST, UPGRADED, Databases
from tests.integration.completeness.engine import BUCKET, Aws, Engine, group_arguments, new_layout
from tests.integration.completeness.runs import NOW
from tests.integration.readers.database_values import parquet_value
from tests.integration.readers.test_recipes import same
from tests.unit.lambdas.aggregate_results.exports import EXPORT

BEFORE, AFTER = NOW - timedelta(days=1), NOW


@dataclass(frozen=True)
class History:
    """Two exports of an environment, by id, the folder of their files, and what is known of the columns of all."""

    folder: Path
    urls: dict[str, str]
    tables: dict[str, dict[str, ExportedTable]]
    remembered: Remembered


@pytest.fixture(scope="module")
def history(databases: Databases, aws: Aws, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> History:
    folder, layout = tmp_path_factory.mktemp("parquet"), new_layout()
    store, urls, tables = ObjectStore(aws.client("s3"), BUCKET), {}, {}
    for kind, started in ((OLDEST, BEFORE), (UPGRADED, AFTER)):
        identifier, url = export_id(started), databases.aged(kind)[0]
        exported = engine.export(
            group_arguments(
                aws.connect_to(url), cutoff=None, layout=layout, started=started, FORMATS='["csv","parquet"]'
            )
        )
        details = {name: ExportedTable.from_json(each, name, "all") for name, each in exported.tables.items()}
        planned = replace(EXPORT, bucket=BUCKET, latest_key=layout.latest_key)
        remembered = remember_columns(store, planned, documents.summary(details=details, export_id=identifier))
        urls[identifier], tables[identifier] = url, details
        for file in (file for table in details.values() if table.parquet for file in table.parquet.files):
            path = folder / file.key.removeprefix(f"{layout.root}/parquet/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(aws.client("s3").get_object(Bucket=BUCKET, Key=file.key)["Body"].read())
    return History(folder, urls, tables, remembered)


def test_given_an_upgrade_then_a_column_has_one_type_in_all_files_and_the_catalog_knows_it(history: History) -> None:
    types = defaultdict(set)
    for path in history.folder.glob("*/*/*.parquet"):
        table = path.relative_to(history.folder).parts[0]
        for field in parquet.read_schema(path):
            types[table, field.name].add(str(field.type))
    known = {(table, column.name) for table, columns in history.remembered.columns.tables.items() for column in columns}

    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}
    assert history.remembered.conflicts == {}
    assert set(types) == known


def test_given_an_upgrade_then_what_changed_its_type_or_name_has_a_column_of_its_own(history: History) -> None:
    before, after = history.urls
    since = {
        (table, column.name): (column.type, column.postgresql, column.since)
        for table, columns in history.remembered.columns.tables.items()
        for column in columns
    }

    assert since["xcom", "value"] == ("binary", "bytea", before)
    assert since["xcom", "value_jsonb"] == ("string", "jsonb", after)
    assert since["dag_run", "execution_date"][2] == before
    assert since["dag_run", "logical_date"][2] == after


def test_given_an_upgrade_when_both_are_read_as_one_table_then_each_has_the_values_of_its_database(
    history: History,
) -> None:
    different = []
    duckdb.sql("SET TimeZone = 'UTC'")
    for identifier, tables in history.tables.items():
        for name, table in tables.items():
            assert table.parquet is not None
            columns = ", ".join(f'"{column.name}"' for column in table.parquet.columns)
            found = duckdb.sql(
                f"SELECT {columns} FROM read_parquet('{history.folder}/{name}/*/*.parquet', union_by_name = true, "
                f"hive_types = {{'export_id': VARCHAR}}) WHERE export_id = '{identifier}'"
            ).fetchall()
            values = sql.SQL(", ").join(parquet_value(column.name, column.type) for column in table.columns)
            with psycopg.connect(history.urls[identifier], options="-c TimeZone=UTC") as connection:
                query = sql.SQL("SELECT {} FROM {}").format(values, sql.Identifier("public", name))
                if not same(found, connection.execute(query).fetchall()):
                    different.append((identifier, name))

    assert different == []
