"""The report beside its summary, and an export that does not fail because of it."""

import pytest
from aggregate_results import handler as entry
from aggregate_results.errors import ExportIncompleteError
from aggregate_results.row_falls import DAYS_BACK
from export_contracts.layout import report_key
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectStore

from tests.unit.lambdas.aggregate_results.exports import EXPORT, deliver, deliver_all, group_of, raw_event, succeeded

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
