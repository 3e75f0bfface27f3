"""Entry point of Aggregate Results."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aggregate_results import handler as entry
from aggregate_results.errors import ExportIncompleteError
from export_contracts.pointer import Pointer
from export_contracts.summary import Summary
from export_runtime.errors import InvalidEventError

from tests.contracts import violations
from tests.unit.lambdas.aggregate_results.exports import (
    EXPORT,
    GROUPS,
    RUN_ID,
    deliver,
    deliver_all,
    failed,
    group_of,
    put_table,
    raw_event,
    succeeded,
)
from tests.unit.lambdas.aggregate_results.test_parquet_verification import put_parquet


def summary_of(store) -> Summary:
    """Return the summary that was written, which its schema allows."""
    body = store.read(EXPORT.summary_key).body
    assert violations("export_summary", json.loads(gzip.decompress(body))) == []
    return Summary.from_bytes(body)


def metrics_in(output: str) -> list[dict]:
    """Return the metrics that were written, in order."""
    return [json.loads(line) for line in output.splitlines() if '"_aws"' in line]


def test_given_a_complete_export_then_summary_and_pointer_are_written(store, context):
    deliver_all(store)
    answer = entry.handler(raw_event(), context)
    fields = {
        "status",
        "scope",
        "covers",
        "summary_uri",
        "total_tables",
        "total_rows",
        "report_uri",
        "report_error",
        "retry_groups",
    }
    assert answer.keys() == {*fields, "row_falls", "catalog_problems", "lacks_fernet_key", "alert"}
    assert (answer["status"], answer["retry_groups"], answer["total_rows"]) == ("COMPLETE", [], 12)
    assert answer["summary_uri"] == f"s3://exports-bucket/{EXPORT.summary_key}"
    assert (answer["scope"], answer["covers"]) == ("full", "all tables; last 30 days")
    assert summary_of(store).status == "COMPLETE"
    assert Pointer.from_bytes(store.read(EXPORT.latest_key).body).summary_key == EXPORT.summary_key


@pytest.mark.parametrize("attempt", ["first", "retry"])
def test_given_a_complete_export_of_less_than_the_stacks_own_then_nothing_counts_it(store, context, capsys, attempt):
    """A manual {"include_tables": ["dag"]} used to move latest.json and to silence the alarm on missing exports."""
    export = replace(EXPORT, include_tables=("dag", "x\nWHAT TO DO"), max_age_in_days=7, scope="partial")
    deliver_all(store)
    event = raw_event(attempt=attempt, export=export)
    answer = entry.handler(event, context)
    assert (answer["status"], answer["scope"]) == ("COMPLETE", "partial")
    assert answer["covers"] == "only dag, x WHAT TO DO; last 7 days"
    assert summary_of(store).scope == "partial"
    assert store.read(EXPORT.latest_key) is None
    metric, *_ = metrics_in(capsys.readouterr().out)
    assert metric["ExportsComplete"] == [0.0]
    assert "partial" in answer["alert"]["subject"]


def test_given_a_plan_of_a_version_that_did_not_know_scopes_then_nothing_counts_it(store, context):
    deliver_all(store)
    event = raw_event()
    del event["export"]["scope"]
    assert entry.handler(event, context)["scope"] == "partial"
    assert store.read(EXPORT.latest_key) is None


def test_given_a_failed_group_then_it_comes_back_as_planned_and_the_pointer_stays(store, context):
    deliver_all(store, without="tasks")
    results = [*succeeded(GROUPS[:2]), failed("tasks"), *succeeded(GROUPS[3:])]
    answer = entry.handler(raw_event(results), context)
    assert (answer["status"], answer["total_tables"]) == ("INCOMPLETE", 3)
    assert answer["retry_groups"] == [json.loads(json.dumps(group_of("tasks").to_json()))]
    assert "INCOMPLETE" in answer["alert"]["subject"]
    assert summary_of(store).status == "INCOMPLETE"
    assert store.read(EXPORT.latest_key) is None


def test_given_a_group_that_failed_for_one_table_then_the_others_count_and_the_same_group_is_tried_again(
    store, context
):
    tables = {"dag_run": put_table(store, "dag_run", "run")}
    deliver_all(store, without="tasks")
    deliver(store, group_of("tasks"), tables={}, failed_tables={"xcom": "cannot export the table xcom: damaged"})
    deliver(store, group_of("runs"), tables=tables)
    results = [*succeeded(GROUPS[:2]), failed("tasks"), *succeeded(GROUPS[3:])]
    answer = entry.handler(raw_event(results), context)
    assert (answer["status"], [group["group"] for group in answer["retry_groups"]]) == ("INCOMPLETE", ["tasks"])
    assert "xcom: cannot export the table xcom: damaged" in answer["alert"]["message"]
    assert store.read(EXPORT.latest_key) is None


def test_given_the_retry_succeeded_then_the_same_summary_becomes_complete(store, context):
    deliver_all(store)
    entry.handler(raw_event([*succeeded(GROUPS[:2]), failed("tasks"), *succeeded(GROUPS[3:])]), context)
    answer = entry.handler(raw_event(succeeded([group_of("tasks")]), "retry"), context)
    assert answer["status"] == summary_of(store).status == "COMPLETE"
    assert "recovered" in answer["alert"]["subject"]


def test_given_still_incomplete_after_the_retry_then_it_fails_after_the_summary_is_written(store, context):
    deliver_all(store)
    deliver(store, group_of("tasks"), tables={})
    with pytest.raises(ExportIncompleteError, match=r"tasks: .*xcom is neither exported nor skipped.*redrive"):
        entry.handler(raw_event(succeeded([group_of("tasks")]), "retry"), context)
    assert summary_of(store).status == "INCOMPLETE"
    assert store.read(EXPORT.latest_key) is None


def test_given_still_incomplete_when_a_redrive_repeats_the_aggregation_then_the_groups_to_run_come_back(store, context):
    deliver_all(store)
    deliver(store, group_of("tasks"), tables={})
    event = raw_event(succeeded([group_of("tasks")]), "retry") | {"redriven": True}
    answer = entry.handler(event, context)
    assert (answer["status"], [group["group"] for group in answer["retry_groups"]]) == ("INCOMPLETE", ["tasks"])
    deliver(store, group_of("tasks"))
    assert entry.handler(event, context)["status"] == summary_of(store).status == "COMPLETE"


def test_given_the_function_is_repeated_then_the_result_is_the_same(store, context):
    deliver_all(store)
    answers = [entry.handler(raw_event(), context) for _ in range(2)]
    assert answers[0] == answers[1]


def test_given_a_failed_group_then_the_log_names_export_group_and_error(store, context, log_lines):
    deliver_all(store)
    lines = log_lines(entry.logger)
    cause = json.dumps({"Id": RUN_ID, "ErrorMessage": "password=CANARY refused"})
    entry.handler(raw_event([*succeeded(GROUPS[1:]), failed(GROUPS[0].group, cause)]), context)
    (line,) = [line for line in lines() if line["message"] == "group failed"]
    assert (line["export_id"], line["group"], line["error"]) == (
        EXPORT.export_id,
        "definitions",
        "password=*** refused",
    )
    assert RUN_ID in line["log_url"]


def test_given_an_export_then_rows_bytes_and_seconds_are_metrics_of_the_environment(store, context, capsys):
    deliver_all(store)
    entry.handler(raw_event(), context)
    metric, *_ = metrics_in(capsys.readouterr().out)
    assert (metric["Rows"], metric["Bytes"], metric["GroupsFailed"]) == ([12.0], [68.0], [0.0])
    assert (metric["environment"], metric["ExportsComplete"]) == ("prod", [1.0])
    assert metric["BilledSeconds"] == [60.0 * len(GROUPS)]


@pytest.mark.parametrize(
    ("began", "told"),
    [
        (timedelta(hours=3), timedelta(hours=3)),
        (timedelta(days=20), timedelta(days=13)),
        (timedelta(days=-9), timedelta()),
    ],
)
def test_given_an_export_that_was_redriven_later_then_it_counts_as_of_when_it_began(
    store, context, capsys, monkeypatch, began, told
):
    now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(Summary, "started", property(lambda _: now - began))
    deliver_all(store)
    entry.handler(raw_event(), context)
    metrics = metrics_in(capsys.readouterr().out)
    assert metrics[0]["ExportsComplete"] == [1.0]
    for metric in metrics:
        assert metric["_aws"]["Timestamp"] / 1000 == pytest.approx((now - told).timestamp(), abs=60)


def test_given_an_export_then_the_seconds_of_each_group_are_a_metric_of_its_own(store, context, capsys):
    deliver_all(store)
    deliver(store, group_of("tasks"), duration_seconds=90)
    entry.handler(raw_event(), context)
    whole, *groups = metrics_in(capsys.readouterr().out)
    expected = {group.group: [60.0] for group in GROUPS} | {"tasks": [90.0]}
    assert {metric["group"]: metric["GroupSeconds"] for metric in groups} == expected
    assert "group" not in whole
    assert whole["BilledSeconds"] == [60.0 * (len(GROUPS) - 1) + 90]


def test_given_a_retry_then_only_the_groups_that_ran_again_count_as_time(store, context, capsys):
    deliver_all(store)
    entry.handler(raw_event(succeeded([group_of("tasks")]), "retry"), context)
    whole, *groups = metrics_in(capsys.readouterr().out)
    assert (whole["BilledSeconds"], [metric["group"] for metric in groups]) == ([60.0], ["tasks"])


@pytest.mark.parametrize(
    "changes",
    [{"attempt": "third"}, {"results": None}, {"groups": [{}]}, {"export": {}}, {"connection": None}, {"results": [7]}],
    ids=str,
)
def test_given_something_else_than_the_contract_then_it_is_refused_in_a_line_of_its_export(
    store, context, changes, log_lines
):
    lines = log_lines(entry.logger)
    with pytest.raises(InvalidEventError):
        entry.handler({**raw_event(), **changes}, context)
    assert "export" in changes or {line["export_id"] for line in lines()} == {EXPORT.export_id}


def test_given_a_failure_without_error_and_cause_then_the_group_fails_all_the_same(store, context):
    deliver_all(store)
    results = [*succeeded(GROUPS[1:]), {"group": GROUPS[0].group, "status": "FAILED"}]
    assert "no reason was given" in entry.handler(raw_event(results), context)["alert"]["message"]


@pytest.mark.parametrize(
    ("keep", "version", "lacks"), [("true", None, True), ("true", "ab" * 16, False), ("false", None, False)]
)
def test_given_a_key_that_shall_be_kept_and_is_not_then_a_person_hears_of_it(
    store, context, monkeypatch, keep, version, lacks
):
    """The DAG's log, doctor and show said so, and nobody reads them until the day that they need the key."""
    monkeypatch.setenv("KEEP_FERNET_KEY", keep)
    deliver_all(store)
    event = raw_event()
    event["connection"]["fernet_key_version"] = version
    answer = entry.handler(event, context)
    assert (answer["status"], answer["lacks_fernet_key"]) == ("COMPLETE", lacks)
    assert ("Fernet key of its passwords is not kept" in answer["alert"]["subject"]) is lacks


def test_given_a_catalog_that_fails_in_an_odd_way_then_the_export_is_complete_all_the_same(store, context, monkeypatch):
    both = replace(EXPORT, formats=("csv", "parquet"))
    for group in GROUPS:
        tables = {
            table.table: replace(
                put_table(store, table.table, table.window), parquet=put_parquet(store, 3, table=table.table)
            )
            for table in group.tables
        }
        deliver(store, group, tables=tables)
    monkeypatch.setattr(entry, "remember_columns", lambda *_: 1 / 0)
    answer = entry.handler(raw_event(export=both), context)
    assert (answer["status"], answer["catalog_problems"]) == ("COMPLETE", 1)
    assert "ZeroDivisionError" in answer["alert"]["message"]
    assert store.read(EXPORT.latest_key) is not None
