"""Did a table lose rows since the last COMPLETE export?"""

import gzip
import json
from dataclasses import replace

import pytest
from aggregate_results import handler as entry
from aggregate_results.row_falls import SUMMARIES_READ, Comparison, RowFall, compare_rows
from botocore.stub import Stubber
from export_contracts.summary import Selection, Summary
from export_runtime import clients
from export_runtime.errors import AwsUnavailableError
from export_runtime.store import ObjectStore

from tests.contracts import violations
from tests.documents import of_rows, pointer, stored, summary
from tests.unit.lambdas.aggregate_results.exports import EXPORT, deliver_all, raw_event

KEY = "exports/prod-backups/2026/12/10/export_summary_143022.json.gz"
URI = f"s3://exports-bucket/{KEY}"
ROWS = {"dag_run": 1000, "xcom": 1000, "dag": 99}


def leave(store, rows=ROWS, key=KEY, **changes) -> None:
    """Write an export, which latest.json names from then on."""
    found = summary(**{"export_id": "20261210T143022Z", "details": of_rows(rows), **changes})
    store.write(key, stored(found), "application/gzip")
    store.write(EXPORT.latest_key, stored(pointer(key, found.export_id)), "application/json")


def compare(store, rows, percent: int = 50, **changes) -> Comparison:
    """Compare this export's rows, its summary with changes, with what the store holds."""
    return compare_rows(store, EXPORT, summary(details=of_rows(rows), **changes), percent)


def test_given_rows_that_fell_then_they_are_named_the_largest_fall_first(store):
    leave(store)
    found = compare(store, {"dag_run": 500, "xcom": 3, "dag": 0})
    assert found.falls == (RowFall("xcom", 1000, 3, 99.7), RowFall("dag_run", 1000, 500, 50.0))
    assert (found.largest_percent, found.compared_with, found.problem) == (99.7, URI, None)


@pytest.mark.parametrize(
    ("rows", "largest"),
    [
        pytest.param(ROWS, 0.0, id="the same"),
        pytest.param({**ROWS, "xcom": 5000}, 0.0, id="more"),
        pytest.param({**ROWS, "xcom": 501}, 49.9, id="less than the limit"),
        pytest.param({**ROWS, "dag": 0}, 0.0, id="a small table"),
        pytest.param({**ROWS, "new": 0}, 0.0, id="a new table"),
    ],
)
def test_given_no_fall_that_counts_then_none_is_named(store, rows, largest):
    leave(store)
    assert compare(store, rows) == Comparison((), largest, URI)


def test_given_a_table_that_is_gone_then_all_its_rows_are(store):
    leave(store)
    assert compare(store, {"dag_run": 1000}).falls == (RowFall("xcom", 1000, 0, 100.0),)


@pytest.mark.parametrize(
    ("was", "now", "named", "explained"),
    [
        ("2.10.3", "3.0.6", ["dag_run"], ("dag", "xcom")),
        ("3.0.6", "3.0.6", ["xcom", "dag_run"], ()),
        (None, "3.0.6", ["xcom", "dag_run"], ()),
        ("2.10.3", None, ["xcom", "dag_run"], ()),
    ],
    ids=["another version", "the same", "nobody knows which before", "nobody knows which now"],
)
def test_given_another_version_of_airflow_then_it_explains_tables_that_are_gone_and_no_rows_that_are(
    store, was, now, named, explained
):
    leave(store, airflow_version=was)
    found = compare(store, {"dag_run": 10}, airflow_version=now)
    assert ([fall.table for fall in found.falls], found.explained) == (named, explained)


@pytest.mark.parametrize(("percent", "named"), [(1, 1), (30, 1), (31, 0), (100, 0)])
def test_given_a_limit_then_it_decides(store, percent, named):
    leave(store)
    assert len(compare(store, {**ROWS, "xcom": 700}, percent).falls) == named


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": "INCOMPLETE"}, id="incomplete"),
        pytest.param({"environment": "other"}, id="another environment"),
        pytest.param({"selection": Selection(("xcom",))}, id="another selection"),
        pytest.param({"max_age_days": None}, id="another age"),
        pytest.param({"export_id": "20261212T000000Z"}, id="a newer export"),
        pytest.param({"selection": None}, id="unknown selection"),
    ],
)
def test_given_an_export_that_cannot_be_compared_then_nothing_fell(store, changes):
    leave(store, **changes)
    assert compare(store, {}) == Comparison()


def test_given_a_damaged_summary_in_between_then_the_one_before_it_is_compared(store):
    leave(store)
    store.write(KEY.replace("143022", "150000"), b"no gzip", "application/gzip")
    content = summary(export_id="20261210T160000Z").to_json() | {"tables": None}
    body = gzip.compress(json.dumps(content).encode())
    store.write(KEY.replace("143022", "160000"), body, "application/gzip")
    store.write(EXPORT.latest_key, b"{}", "application/json")
    assert compare(store, {}).compared_with == URI


def test_given_no_previous_export_then_nothing_fell(store):
    assert compare(store, {}) == Comparison()


SOME_TABLES = Selection(("dag",))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"selection": SOME_TABLES, "details": of_rows({"dag": 99})}, id="some tables"),
        pytest.param({"max_age_days": 3650}, id="another age"),
        pytest.param({"status": "INCOMPLETE"}, id="a pointer that somebody moved"),
    ],
)
def test_given_another_kind_of_export_in_between_then_the_last_of_the_same_kind_is_compared(store, changes):
    leave(store, key=KEY.replace("2026/12/10", "2026/11/12"), export_id="20261112T143022Z", rows={"xcom": 7777})
    leave(store)
    leave(store, key=KEY.replace("12/10", "12/11").replace("143022", "010101"), export_id="20261211T010101Z", **changes)
    found = compare(store, {**ROWS, "xcom": 3})
    assert (found.compared_with, found.falls) == (URI, (RowFall("xcom", 1000, 3, 99.7),))


def test_given_only_partial_exports_so_no_pointer_then_the_last_of_the_same_kind_is_compared(store):
    leave(store)
    store.write(EXPORT.latest_key, b"{}", "application/json")
    assert compare(store, {**ROWS, "xcom": 3}).compared_with == URI


def test_given_only_a_newer_export_of_the_same_kind_then_nothing_is_compared(store):
    leave(store, key=KEY.replace("12/10", "12/11").replace("143022", "235959"), export_id="20261211T235959Z")
    leave(store, selection=SOME_TABLES)
    assert compare(store, {}) == Comparison()


def test_given_many_exports_of_another_kind_then_the_search_ends(store, monkeypatch):
    leave(store)
    for hour in range(24):
        for minute in (10, 20):
            time = f"{hour:02}{minute}00"
            key = KEY.replace("12/10", "12/10" if hour > 14 else "12/11").replace("143022", time)
            leave(store, key=key, selection=SOME_TABLES)
    reads = []
    monkeypatch.setattr(store, "read", lambda key, read=store.read: reads.append(key) or read(key))
    assert compare(store, {}) == Comparison()
    assert reads[0] == EXPORT.latest_key
    assert len(reads) == len(set(reads)) == 1 + SUMMARIES_READ


def test_given_a_previous_export_of_long_ago_then_latest_json_leads_to_it(store):
    leave(store, key=KEY.replace("2026/12/10", "2026/01/10"), export_id="20260110T143022Z")
    assert len(compare(store, {}).falls) == 2


def test_given_a_previous_summary_that_s3_does_not_give_then_the_export_stands_and_the_problem_is_told():
    client = clients.s3()
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "InvalidObjectState", "it is in Glacier", http_status_code=403)
        problem = compare(ObjectStore(client, "exports-bucket"), {}).problem
    assert "it is in Glacier" in str(problem)


def test_given_s3_does_not_answer_then_the_state_machine_tries_again():
    client = clients.s3()
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(AwsUnavailableError):
            compare(ObjectStore(client, "exports-bucket"), {})


def test_given_a_fall_then_summary_answer_and_metric_tell_it_and_a_repetition_tells_it_again(store, context, capsys):
    deliver_all(store)
    leave(store)
    answers = [entry.handler(raw_event(), context) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["row_falls"] == 2
    assert "dag_run: 1,000 -> 3 rows" in answers[0]["alert"]["message"]
    found = Summary.from_bytes(store.read(EXPORT.summary_key).body)
    assert violations("export_summary", found.to_json()) == []
    assert found.compared_with == URI
    assert {fall.table for fall in found.row_falls} == {"dag_run", "xcom"}
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [metric["LargestRowFallPercent"] for metric in metrics if "LargestRowFallPercent" in metric] == [[99.7]] * 2


def test_given_an_incomplete_export_then_its_rows_are_not_compared(store, context):
    leave(store)
    assert entry.handler(raw_event(), context)["row_falls"] == 0


def test_given_an_older_export_that_is_redriven_then_it_is_not_compared_with_a_newer_one(store):
    leave(store)
    assert compare_rows(store, replace(EXPORT, export_id="20261209T143022Z"), summary(), 50) == Comparison()
