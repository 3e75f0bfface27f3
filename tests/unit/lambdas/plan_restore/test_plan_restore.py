"""Plan Restore: what it takes, what it writes, and what it refuses before anything is changed."""

import json

import pytest
from botocore.stub import Stubber
from export_contracts.restore_plan import NotRestorableError
from export_runtime import clients
from export_runtime.errors import AwsCallError, ContentionError, InvalidEventError
from export_runtime.store import ObjectStore
from plan_restore import handler as entry
from plan_restore.errors import InvalidRestoreInputError, NoSuchExportError, SameSecondError
from plan_restore.restore_input import parse_input

from tests import documents
from tests.contract_examples import base, examples
from tests.contracts import violations
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.template.definitions import variables

ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-db-restore:mine"
EXECUTION = {"id": ARN, "name": "mine", "start_time": "2026-12-12T09:00:01.5Z"}
KEY = "exports/old-backups/2026/12/11/export_summary_143022.json.gz"
ASKED = {"summary_uri": f"s3://{BUCKET}/{KEY}", "confirm": "prod"}
PLAN_KEY = "exports/prod-backups/_restores/20261212T090001Z/plan.json"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set what the template sets."""
    for name, value in {**variables("PlanRestoreFunction"), "EXPORT_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("example", examples("restore_input", "valid"), ids=str)
def test_given_a_valid_input_then_it_reads_as_the_contract_says(example):
    asked = parse_input(example.document, "prod")
    assert {**asked.options} == example.reading
    assert asked.summary_uri == example.document["summary_uri"]
    assert asked.tables == tuple(example.document.get("tables", ()))


@pytest.mark.parametrize("example", examples("restore_input", "invalid"), ids=str)
def test_given_an_invalid_input_then_the_error_names_what_is_wrong(example):
    with pytest.raises(InvalidRestoreInputError, match="Nothing was started") as refused:
        parse_input(json.loads(example.text), "prod")
    assert [name for name in example.names if name not in str(refused.value)] == []


def test_given_an_export_of_another_environment_then_its_plan_is_written_and_the_answer_says_where(store, context):
    summary = documents.summary(environment="old", details=documents.of_rows({"dag": 3, "log": 5}))
    store.write(KEY, summary.to_bytes(), "application/gzip")

    answer = entry.handler({"input": {**ASKED, "tables": ["log"]}, "execution": EXECUTION}, context)

    plan = json.loads(store.read(PLAN_KEY).body)
    assert violations("restore_plan", plan) == []
    assert [table["name"] for table in plan["tables"]] == ["log"]
    assert answer == {
        "restore_id": "20261212T090001Z",
        "environment": "prod",
        "export_id": documents.EXPORT_ID,
        "source": "old",
        "summary_uri": ASKED["summary_uri"],
        "plan_uri": f"s3://{BUCKET}/{PLAN_KEY}",
        "report_uri": f"s3://{BUCKET}/{PLAN_KEY.replace('plan', 'report')}",
        "tables": 1,
        "rows": 5,
        "options": {"paused": True, "unfinished": "fail", "without_orphans": False, "old_fernet_key": None},
    }


@pytest.mark.parametrize(
    ("body", "changes", "error", "said"),
    [
        (None, {}, NoSuchExportError, "There is no export summary"),
        (b"no gzip", {}, NoSuchExportError, "is not an export summary"),
        (documents.summary(status="INCOMPLETE").to_bytes(), {}, NotRestorableError, "INCOMPLETE"),
        (documents.summary().to_bytes(), {"tables": ["nonsense"]}, NotRestorableError, "no table nonsense"),
    ],
    ids=["none", "damaged", "incomplete", "a table that it lacks"],
)
def test_given_what_cannot_be_restored_then_it_says_so_and_nothing_is_written(
    store, context, body, changes, error, said
):
    if body:
        store.write(KEY, body, "application/gzip")

    with pytest.raises(error, match=said):
        entry.handler({"input": ASKED | changes, "execution": EXECUTION}, context)

    assert store.read(PLAN_KEY) is None


def test_given_a_restore_of_the_same_second_then_its_plan_stays_and_one_that_runs_again_writes_its_own(store, context):
    store.write(KEY, documents.summary(details=documents.of_rows({"dag": 3, "log": 5})).to_bytes(), "application/gzip")
    first, second = (
        EXECUTION,
        {**EXECUTION, "id": ARN.replace("mine", "theirs"), "start_time": "2026-12-12T09:00:01.9Z"},
    )
    entry.handler({"input": ASKED, "execution": first}, context)
    planned = store.read(PLAN_KEY).body

    with pytest.raises(SameSecondError, match=rf"\({ARN}\).*start a new one"):
        entry.handler({"input": {**ASKED, "tables": ["log"]}, "execution": second}, context)

    assert store.read(PLAN_KEY).body == planned
    assert json.loads(planned)["execution_arn"] == ARN
    store.write(PLAN_KEY, json.dumps(base("restore_plan")).encode(), "application/json")  # of a version before this one
    entry.handler({"input": ASKED, "execution": first}, context)
    assert store.read(PLAN_KEY).body == planned


def test_given_another_execution_that_writes_the_plan_meanwhile_then_it_is_read_again(store, context, monkeypatch):
    store.write(KEY, documents.summary().to_bytes(), "application/gzip")
    monkeypatch.setattr(ObjectStore, "write_if_unchanged", lambda *_: False)

    with pytest.raises(ContentionError, match=r"plan\.json just now"):
        entry.handler({"input": ASKED, "execution": EXECUTION}, context)


@pytest.mark.parametrize("execution", [{}, {"start_time": EXECUTION["start_time"]}, {"id": ARN, "start_time": "now"}])
def test_given_an_execution_that_is_not_described_then_the_error_says_what_is_needed(context, execution):
    with pytest.raises(InvalidEventError, match=r"needs execution\.id and \.start_time"):
        entry.handler({"input": ASKED, "execution": execution}, context)


def test_given_an_input_that_is_refused_then_no_call_to_aws_is_made(context, monkeypatch):
    monkeypatch.setattr(clients, "s3", lambda: pytest.fail("a client was asked for"))

    with pytest.raises(InvalidRestoreInputError, match="confirm is 'production'"):
        entry.handler({"input": ASKED | {"confirm": "production"}, "execution": EXECUTION}, context)


def test_given_a_bucket_that_the_role_may_not_read_then_the_error_says_which_parameters_name_it(
    store, context, monkeypatch
):
    s3 = clients.s3()
    with Stubber(s3) as stubbed:
        stubbed.add_client_error("get_object", "AccessDenied", "no", 403)
        monkeypatch.setattr(clients, "s3", lambda: s3)
        theirs = "s3://their-exports/exports/old-backups/2026/12/11/export_summary_143022.json.gz"
        with pytest.raises(AwsCallError, match=r"read s3://their-exports.*RestoreExportArns and RestoreKeyArns"):
            entry.handler({"input": ASKED | {"summary_uri": theirs}, "execution": EXECUTION}, context)
