"""Faults of Parquet files and of the Glue Data Catalog."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local import deployment
from local.fault_matrix import verdict
from local.fault_matrix.faulted_stack import OWN, FaultedStack
from local.fault_matrix.outcome import Outcome
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT, STACK

CATALOG = "airflow_metadata"
ALWAYS = None


@pytest.fixture(scope="module", autouse=True)
def with_parquet(faulted_stack: FaultedStack) -> Iterator[None]:
    """The stack as it is with Formats csv,parquet."""
    _deploy(faulted_stack, "csv,parquet")
    yield
    _deploy(faulted_stack, "csv")


def _deploy(stack: FaultedStack, formats: str) -> None:
    pipeline = stack.pipeline
    given = {"MwaaEnvironmentName": ENVIRONMENT, "AlertEmail": "platform-team@example.com"}
    given |= {"DagBucketName": pipeline.account.bucket, **OWN, "Formats": formats}
    template = deployment.build(log=pipeline.paths.logs / "sam-build.log")
    deployment.deploy(template, STACK, given, aws_env=pipeline.aws.env, log=pipeline.paths.logs / "sam-deploy.log")


@pytest.fixture(autouse=True)
def catalog(scenario: Scenario) -> Any:
    """Glue, with no table of an earlier scenario."""
    glue = scenario.client("glue")
    for table in glue.get_tables(DatabaseName=CATALOG)["TableList"]:
        glue.delete_table(DatabaseName=CATALOG, Name=table["Name"])
    return glue


def must_complete_and_tell(scenario: Scenario, *words: str) -> None:
    """The export is COMPLETE, and a message says these words and what to do."""

    def judge(seen: Outcome) -> list[str]:
        said = [] if verdict.is_said(seen.alerts, words) else [f"no message says {words}: {seen.alerts}"]
        return [*said, *verdict.of_complete(replace(seen, alerts=()), scenario.tables)]

    scenario.judge(judge, lambda alerts: verdict.is_said(alerts, words))


def test_parquet_refused_once(scenario: Scenario) -> None:
    """S3 refuses a Parquet file once."""
    scenario.faults.refuse("s3", "PutObject", "AccessDenied", 403, resource="/parquet/log/")

    scenario.start()

    scenario.must_recover("logs", "log", "AccessDenied")


def test_parquet_always_refused(scenario: Scenario) -> None:
    """S3 refuses every Parquet file of a table."""
    scenario.faults.refuse("s3", "PutObject", "AccessDenied", 403, resource="/parquet/log/", times=ALWAYS)

    scenario.start()

    scenario.must_fail("log", "AccessDenied")


@pytest.mark.parametrize("operation", ["GetTables", "CreateTable", "CreatePartition"])
def test_catalog_throttled(scenario: Scenario, catalog: Any, operation: str) -> None:
    """Glue throttles the catalog for good; the next export catches up."""
    throttled = scenario.faults.refuse("glue", operation, "ThrottlingException", 400, times=ALWAYS)
    scenario.start()
    must_complete_and_tell(scenario, "What Athena does not show of it", "ThrottlingException")

    throttled.remove()
    scenario.start(force=True)
    scenario.must_complete()
    assert {table["Name"] for table in catalog.get_tables(DatabaseName=CATALOG)["TableList"]} == {"log", "job"}


def test_catalog_throttled_once(scenario: Scenario) -> None:
    """Glue throttles the catalog once."""
    scenario.faults.refuse("glue", "CreateTable", "ThrottlingException", 400)

    scenario.start()

    scenario.must_complete()


def test_somebody_elses_table(scenario: Scenario, catalog: Any) -> None:
    """The catalog has somebody else's table by the name of one of ours."""
    theirs = {"Name": "log", "StorageDescriptor": {"Columns": [{"Name": "x", "Type": "int"}], "Location": "s3://b/x/"}}
    catalog.create_table(DatabaseName=CATALOG, TableInput=theirs)

    scenario.start()

    must_complete_and_tell(scenario, "another table by the name log, which was left alone")
    kept = catalog.get_table(DatabaseName=CATALOG, Name="log")["Table"]
    assert kept["StorageDescriptor"]["Location"] == "s3://b/x/"
    assert catalog.get_partitions(DatabaseName=CATALOG, TableName="log")["Partitions"] == []
    assert len(catalog.get_partitions(DatabaseName=CATALOG, TableName="job")["Partitions"]) == 1
