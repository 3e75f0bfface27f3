"""A COMPLETE export with Parquet in the Glue Data Catalog: tables that grow, a partition each, nothing of others'."""

import json
from dataclasses import replace
from typing import Any

import pytest
from aggregate_results.alert import write_alert
from aggregate_results.catalog import Catalog, keep_catalog
from aggregate_results.catalog_tables import MARK, catalog_name
from aggregate_results.parquet_columns import remember_columns, with_export
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from export_contracts.exported_table import Column
from export_contracts.fields import DocumentError
from export_contracts.layout import parquet_columns_key, parquet_prefix
from export_contracts.parquet import ParquetColumn, ParquetColumns, ParquetFiles
from export_contracts.summary import Summary
from export_contracts.wording import LastComplete
from export_runtime import clients
from export_runtime.store import ObjectStore

from tests import documents
from tests.contracts import violations
from tests.unit.lambdas.aggregate_results.exports import EXPORT
from tests.unit.lambdas.conftest import BUCKET

DATABASE = "airflow_metadata"
LATER = replace(EXPORT, export_id="20261212T143022Z")
ROOT = f"s3://{BUCKET}/exports/prod-backups"
NOTHING = ParquetColumns(2, {})


def summary(tables: dict[str, list[tuple[str, str, str, str]]], export_id: str = EXPORT.export_id) -> Summary:
    """Return a COMPLETE export; of each table the columns as (name, type, source, PostgreSQL's type)."""
    details = {
        table: documents.table(
            columns=tuple(Column(source, postgresql) for _, _, source, postgresql in columns),
            parquet=ParquetFiles(tuple(ParquetColumn(*column[:3]) for column in columns), (), {}),
        )
        for table, columns in tables.items()
    }
    return documents.summary(export_id=export_id, details=details)


ID = ("id", "int", "id", "integer")
BYTES = ("value", "binary", "value", "bytea")
JSONB = ("value_jsonb", "string", "value", "jsonb")
TWO = summary({"dag_run": [ID], "xcom": [ID, BYTES]})


@pytest.fixture
def database(aws: None) -> str:
    clients.glue().create_database(DatabaseInput={"Name": DATABASE})
    return DATABASE


def kept(store: ObjectStore, of: Summary, export=EXPORT, known: ParquetColumns = NOTHING, time: bool = True) -> Any:
    """Let the catalog have an export; return what it lacks, and the columns that are known then."""
    remembered = with_export(known, of)
    problems = keep_catalog(Catalog(clients.glue(), DATABASE, store, export), remembered, of, lambda: time)
    return problems, remembered.columns


def table(name: str) -> dict[str, Any]:
    return dict(clients.glue().get_table(DatabaseName=DATABASE, Name=name)["Table"])


def partitions(name: str) -> list[tuple[list[str], str]]:
    found = clients.glue().get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    return [(each["Values"], each["StorageDescriptor"]["Location"]) for each in found]


def test_given_a_first_export_then_every_table_and_its_partition_are_made(store, database):
    assert kept(store, TWO)[0] == ()
    made = table("xcom")
    assert made["TableType"] == "EXTERNAL_TABLE"
    assert made["Parameters"][MARK] == ROOT
    assert made["StorageDescriptor"]["Location"] == f"{ROOT}/parquet/xcom/"
    assert [(each["Name"], each["Type"]) for each in made["StorageDescriptor"]["Columns"]] == [
        ("id", "int"),
        ("value", "binary"),
    ]
    folder = parquet_prefix(EXPORT.root, "dag_run", EXPORT.export_id)
    assert partitions("dag_run") == [([EXPORT.export_id], f"s3://{BUCKET}/{folder}")]


def test_given_another_airflow_then_columns_are_added_and_a_changed_type_has_a_second_one(store, database):
    _, known = kept(store, TWO)
    upgraded = summary({"xcom": [("dag_id", "string", "dag_id", "text"), JSONB]}, LATER.export_id)
    assert kept(store, upgraded, LATER, known)[0] == ()
    columns = {each["Name"]: each for each in table("xcom")["StorageDescriptor"]["Columns"]}
    assert {name: each["Type"] for name, each in columns.items()} == {
        "id": "int", "value": "binary", "dag_id": "string", "value_jsonb": "string",
    }  # fmt: skip
    assert columns["value_jsonb"]["Comment"] == f"value, jsonb since {LATER.export_id}; before, value as bytea"
    assert [values for values, _ in partitions("xcom")] == [[EXPORT.export_id], [LATER.export_id]]


def test_given_the_aggregation_is_repeated_then_nothing_is_there_twice(store, database):
    _, known = kept(store, TWO)
    version = table("xcom").get("VersionId")
    assert kept(store, TWO, known=known)[0] == ()
    assert len(partitions("xcom")) == 1
    assert table("xcom").get("VersionId") == version


@pytest.mark.parametrize(
    "theirs",
    [
        {"Parameters": {}},
        {"Parameters": {MARK: "s3://other/exports/prod-backups"}},
        {"PartitionKeys": [{"Name": "day", "Type": "string"}]},
        {"StorageDescriptor": {"Location": "s3://elsewhere/", "Columns": [{"Name": "id", "Type": "int"}]}},
    ],
)
def test_given_somebody_elses_table_then_it_is_left_alone_and_said_and_the_others_are_kept(store, database, theirs):
    ours = {
        "Name": "xcom",
        "Parameters": {MARK: ROOT},
        "PartitionKeys": [{"Name": "export_id", "Type": "string"}],
        "StorageDescriptor": {"Location": f"{ROOT}/parquet/xcom/", "Columns": [{"Name": "id", "Type": "int"}]},
    }
    clients.glue().create_table(DatabaseName=DATABASE, TableInput=ours | theirs)
    before = table("xcom")
    [problem] = kept(store, TWO)[0]
    assert problem.startswith("xcom: The Glue database airflow_metadata has another table by the name xcom")
    assert (table("xcom"), partitions("xcom")) == (before, [])
    assert len(partitions("dag_run")) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [("ThrottlingException", "It may pass"), ("AccessDeniedException", "role of the function Aggregate Results")],
)
def test_given_the_catalog_refuses_then_that_is_said_and_raises_nothing(store, code, said):
    with Stubber(clients.glue()) as stub:
        stub.add_client_error("get_tables", code)
        [problem] = kept(store, TWO)[0]
    assert code in problem
    assert said in problem


def test_given_one_table_is_refused_then_the_others_are_kept(store, database, monkeypatch):
    create = clients.glue().create_table

    def refuse(**arguments: Any) -> Any:
        if arguments["TableInput"]["Name"] == "dag_run":
            raise ClientError({"Error": {"Code": "ResourceNumberLimitExceededException"}}, "CreateTable")
        return create(**arguments)

    monkeypatch.setattr(clients.glue(), "create_table", refuse)
    [problem] = kept(store, TWO)[0]
    assert problem.startswith("dag_run: ")
    assert len(partitions("xcom")) == 1


def test_given_no_time_then_every_table_is_named(store, database):
    assert kept(store, TWO, time=False)[0] == ("dag_run: no time was left for it", "xcom: no time was left for it")


def test_given_names_that_the_catalog_does_not_tell_apart_then_the_first_is_kept_and_the_other_named(store, database):
    [problem] = kept(store, summary({"Über-Team": [ID], "über_team": [ID]}))[0]
    assert problem.startswith("über_team: ")
    assert table(catalog_name("Über-Team"))["StorageDescriptor"]["Location"] == f"{ROOT}/parquet/%C3%9Cber-Team/"


def test_given_files_in_which_a_name_has_another_type_then_the_table_is_not_catalogued(store, database):
    _, known = kept(store, TWO)
    clash = summary({"xcom": [ID, ("value", "string", "value", "jsonb")]}, LATER.export_id)
    [problem] = kept(store, clash, LATER, known)[0]
    assert problem == "xcom: column value is string in its Parquet files, and binary in those of earlier exports"
    assert len(partitions("xcom")) == 1


def test_given_a_time_that_became_a_moment_under_one_name_then_the_table_is_not_catalogued(store, database):
    before = summary({"dag_run": [("at", "timestamp", "at", "timestamp(3) without time zone")]})
    after = summary({"dag_run": [("at", "timestamp", "at", "timestamp with time zone")]}, LATER.export_id)
    [problem] = kept(store, after, LATER, kept(store, before)[1])[0]
    assert "at is timestamp in its Parquet files, and timestamp without time zone in those of earlier" in problem
    assert kept(store, before, LATER, kept(store, before)[1])[0] == ()


def test_given_exports_then_their_columns_are_remembered_in_the_order_of_their_coming(store):
    remember_columns(store, EXPORT, TWO)
    found = remember_columns(store, LATER, summary({"xcom": [JSONB], "log": [ID]}, LATER.export_id))
    content = json.loads(store.read(parquet_columns_key(EXPORT.root)).body)
    assert violations("parquet_columns", content) == []
    assert content == json.loads(json.dumps(found.columns.to_json()))
    assert [(each["name"], each["since"]) for each in content["tables"]["xcom"]] == [
        ("id", EXPORT.export_id),
        ("value", EXPORT.export_id),
        ("value_jsonb", LATER.export_id),
    ]
    assert sorted(content["tables"]) == ["dag_run", "log", "xcom"]


def test_given_what_is_known_is_damaged_then_it_is_left_as_it_is(store):
    key = parquet_columns_key(EXPORT.root)
    store.write(key, b"{", "application/json")
    with pytest.raises(DocumentError):
        remember_columns(store, EXPORT, TWO)
    assert store.read(key).body == b"{"


def test_given_the_catalog_lacks_something_then_people_are_told_that_the_backup_is_whole(store):
    alert = write_alert(TWO, "s3://b/s", False, LastComplete(), TWO.started, ["xcom: is somebody else's"])
    assert "not all of it can be queried in Athena" in alert["subject"]
    assert "- xcom: is somebody else's" in alert["message"]
    assert f"ADD PARTITION (export_id = '{EXPORT.export_id}')" in alert["message"]
    assert "The backup itself is whole." in alert["message"]
