"""The report beside its summary, and an export that does not fail because of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from aggregate_results import handler as entry
from aggregate_results.errors import ExportIncompleteError
from aggregate_results.row_falls import DAYS_BACK
from export_contracts.layout import report_key
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectStore

from tests.contract_examples import base
from tests.unit.lambdas.aggregate_results.exports import EXPORT, deliver, deliver_all, group_of, raw_event, succeeded
from tests.unit.lambdas.conftest import Context

KEY = report_key(EXPORT.summary_key)


def report(store) -> str:
    """Return the report that was written."""
    return store.read(KEY).body.decode()


def test_given_a_complete_export_then_its_report_lies_beside_the_summary(store, s3, context):
    deliver_all(store)
    answer = entry.handler(raw_event(), context)
    assert (answer["report_uri"], answer["report_error"]) == (f"s3://exports-bucket/{KEY}", None)
    assert EXPORT.summary_key.replace("summary", "report").replace(".json.gz", ".html") == KEY
    assert s3.head_object(Bucket="exports-bucket", Key=KEY)["ContentType"] == "text/html; charset=utf-8"
    assert "COMPLETE" in report(store)


PROOFS = f"{EXPORT.root}/_proofs/"
WITH_TIME = Context(remaining=900_000)
OLDER = "20261201T143022Z"


def test_given_a_proof_of_an_earlier_export_then_the_report_says_which_and_when(store):
    deliver_all(store)
    for identifier, restorable in ((OLDER, True), ("20261204T143022Z", False)):
        problems = [] if restorable else ["the table log is not there"]
        proof = base("proof") | {"export_id": identifier, "restorable": restorable, "problems": problems}
        store.write(f"{PROOFS}{identifier}.json", json.dumps(proof).encode(), "application/json")
    entry.handler(raw_event(), WITH_TIME)
    assert f"{OLDER} is the newest export that is proven restorable on 2026-12-13" in report(store)


def test_given_no_proof_then_the_report_says_so(store):
    deliver_all(store)
    entry.handler(raw_event(), WITH_TIME)
    assert "no export is proven to restore yet" in report(store)


def ages(output: str) -> list[float]:
    """Return what the functions tell CloudWatch of the newest proof, in days."""
    lines = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    return [age for line in lines for age in line.get("ProvenRestorableAge", [])]


def test_given_an_export_then_it_tells_how_old_the_newest_proof_is_where_there_are_drills(store, capsys, monkeypatch):
    deliver_all(store)
    finished = datetime.now(UTC) - timedelta(days=3)
    proof = base("proof") | {"export_id": OLDER, "finished_at": f"{finished:%Y-%m-%dT%H:%M:%SZ}"}
    store.write(f"{PROOFS}{OLDER}.json", json.dumps(proof).encode(), "application/json")
    entry.handler(raw_event(), WITH_TIME)
    assert ages(capsys.readouterr().out) == [pytest.approx(3, abs=0.01)]

    monkeypatch.setenv("DRILL_SCHEDULE", "none")
    entry.handler(raw_event(), WITH_TIME)
    assert ages(capsys.readouterr().out) == []


def test_given_little_time_then_no_proof_is_looked_for(store, context, capsys):
    deliver_all(store)
    entry.handler(raw_event(), context)
    assert "no export is proven" in report(store)
    assert ages(capsys.readouterr().out) == []


def test_given_proofs_that_cannot_be_read_then_the_export_is_none_the_worse(store, monkeypatch):
    deliver_all(store)

    def refuse(self: ObjectStore, prefix: str) -> tuple[str, ...]:
        raise AwsCallError("Could not list: AccessDenied.")

    monkeypatch.setattr(ObjectStore, "all_keys", refuse)
    assert entry.handler(raw_event(), WITH_TIME)["status"] == "COMPLETE"


def test_given_still_incomplete_after_the_retry_then_the_report_says_so(store, context):
    deliver_all(store)
    deliver(store, group_of("tasks"), tables={})
    with pytest.raises(ExportIncompleteError):
        entry.handler(raw_event(succeeded([group_of("tasks")]), "retry"), context)
    assert "Group tasks failed" in report(store)


@pytest.mark.parametrize(
    "error", [AwsCallError("Could not write: AccessDenied."), ZeroDivisionError("oops")], ids=["refused", "a bug"]
)
def test_given_a_report_that_cannot_be_written_then_the_export_is_complete_and_the_result_says_why(
    store, context, log_lines, monkeypatch, error
):
    deliver_all(store)
    lines = log_lines(entry.logger)
    write = ObjectStore.write

    def refuse(self, key, body, content_type):
        if key == KEY:
            raise error
        write(self, key, body, content_type)

    monkeypatch.setattr(ObjectStore, "write", refuse)
    answer = entry.handler(raw_event(), context)
    assert (answer["status"], answer["report_uri"]) == ("COMPLETE", None)
    assert answer["report_error"] == f"{type(error).__name__}: {error}"
    assert [line["level"] for line in lines() if line["message"] == "report not written"] == ["ERROR"]


@pytest.mark.parametrize(("remaining", "lists"), [(60_000, False), (200_000, True)], ids=["little time", "time"])
def test_given_little_time_then_the_report_is_written_without_its_history(
    store, s3, context, monkeypatch, remaining, lists
):
    deliver_all(store)
    context.remaining = remaining
    listed = []
    original = s3.list_objects_v2
    monkeypatch.setattr(s3, "list_objects_v2", lambda **kwargs: (listed.append(kwargs), original(**kwargs))[1])
    assert entry.handler(raw_event(), context)["report_error"] is None
    # Each day once for the comparison of rows, and then for the history.
    assert (len(listed) > DAYS_BACK) == lists
