"""The export summary and the pointer to it."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest
from aggregate_results.summary import build_summary, move_latest, write_summary
from aggregate_results.verification import verify_groups
from export_contracts.findings import FailedGroup
from export_contracts.manifest import Snapshot
from export_contracts.pointer import Pointer
from export_contracts.summary import Selection, Summary
from export_runtime.errors import ContentionError

from tests.contracts import violations
from tests.documents import of_format_1, pointer, stored
from tests.unit.lambdas.aggregate_results import exports
from tests.unit.lambdas.aggregate_results.exports import (
    EXPORT,
    GROUPS,
    RUN_ID,
    deliver,
    deliver_all,
    event,
    failed,
    group_of,
    put_table,
    succeeded,
)

NOW = datetime(2026, 12, 11, 14, 40, 22, tzinfo=UTC)


def summarise(store, results=None) -> Summary:
    """Return the summary of what the store holds: its schema allows it, and it is read as it was written."""
    found = event(results)
    made = build_summary(found, verify_groups(found, store), NOW, "/aws-glue/jobs/prod-metadata-export/output")
    assert violations("export_summary", made.to_json()) == []
    assert Summary.from_bytes(made.to_bytes()) == made
    return made


def test_given_a_complete_export_then_the_summary_is_the_contract(store):
    deliver_all(store)
    summary = summarise(store)
    assert (summary.status, len(summary.details), summary.total_rows) == ("COMPLETE", 4, 12)
    assert (summary.scope, summary.max_age_days) == ("full", 30)
    assert summary.selection == Selection()
    assert summary.tables == {"dag": 3, "variable": 3, "dag_run": 3, "xcom": 3}
    assert summary.details["dag_run"].group == "runs"
    assert summary.duration_seconds == 600
    assert (summary.problems, summary.failed_groups) == ((), ())


@pytest.mark.parametrize("version", ["ab" * 16, None])
def test_given_a_kept_fernet_key_then_the_summary_says_which_version_has_it(store, monkeypatch, version):
    deliver_all(store)
    monkeypatch.setattr(exports, "CONNECTION", exports.CONNECTION | {"fernet_key_version": version})
    assert summarise(store).fernet_key_version == version


def test_given_an_execution_of_before_the_fernet_key_was_kept_then_the_summary_says_nothing_of_it(store):
    deliver_all(store)
    assert "fernet_key_version" not in summarise(store).to_json()


def test_given_a_failed_group_then_the_summary_names_its_tables_and_the_error(store):
    deliver_all(store, without="tasks")
    summary = summarise(store, [*succeeded(GROUPS[:2]), failed("tasks", "disk full"), *succeeded(GROUPS[3:])])
    assert summary.status == "INCOMPLETE"
    assert summary.failed_groups == (FailedGroup("tasks", ("xcom",), {}, "disk full", None),)
    assert "xcom" not in summary.tables


DEFINITIONS = group_of("definitions")
FAILED_DEFINITIONS = [failed("definitions", "1 of 2 tables cannot be exported"), *succeeded(GROUPS[1:])]


def test_given_a_table_that_failed_then_the_others_of_its_group_are_in_the_summary_and_it_is_named(store):
    deliver_all(store)
    dag = put_table(store, "dag")
    deliver(store, DEFINITIONS, tables={"dag": dag}, failed_tables={"variable": "permission\ndenied"})
    summary = summarise(store, FAILED_DEFINITIONS)
    assert (summary.status, sorted(summary.tables)) == ("INCOMPLETE", ["dag", "dag_run", "xcom"])
    assert summary.details["dag"] == dag
    error = "1 of 2 tables cannot be exported"
    failure = FailedGroup("definitions", ("variable",), {"variable": "permission denied"}, error, None)
    assert summary.failed_groups == (failure,)
    assert summary.problems == ()


def test_given_tables_of_two_moments_then_the_summary_claims_no_snapshot(store):
    deliver_all(store)
    assert summarise(store).consistency == "snapshot"
    reason = "1 of 2 tables show another snapshot, that of the attempt jr_first"
    snapshot = Snapshot("imported", RUN_ID, reason)
    deliver(store, DEFINITIONS, consistency="per-group", snapshot=snapshot)
    assert summarise(store).consistency == "per-group"


def test_given_a_summary_of_format_1_then_the_contract_allows_it_as_it_was(store):
    deliver_all(store, without="tasks")
    summary = summarise(store, [*succeeded(GROUPS[:2]), failed("tasks", "disk full"), *succeeded(GROUPS[3:])])
    assert violations("export_summary", of_format_1(summary) | {"format_version": 2})
    assert violations("export_summary", of_format_1(summary)) == []


def test_given_a_distrusted_group_then_its_problems_and_its_log_are_in_the_summary(store):
    deliver_all(store)
    deliver(store, group_of("tasks"), tables={})
    summary = summarise(store)
    assert summary.problems == ("group tasks: planned table xcom is neither exported nor skipped",)
    assert summary.failed_groups[0].log_url.startswith("https://")


def test_given_nothing_was_delivered_then_the_summary_is_the_contract_all_the_same(store):
    summary = summarise(store)
    assert (len(summary.details), summary.consistency, summary.alembic_heads) == (0, "per-group", {})


def test_given_skipped_and_excluded_tables_then_each_has_its_reason(store):
    deliver_all(store)
    deliver(store, group_of("tasks"), tables={}, skipped_tables={"xcom": "not in this\nversion"})
    summary = summarise(store)
    assert summary.skipped_tables["xcom"] == "not in this version"
    assert summary.skipped_tables["session"].startswith("excluded: ")


@pytest.mark.parametrize(
    ("changes", "consistency"),
    [
        ({}, "snapshot"),
        ({"consistency": "per-group"}, "per-group"),
        ({"snapshot": Snapshot("own", "jr_other", "claimer gone")}, "per-group"),
    ],
    ids=["one snapshot", "a group says so", "another snapshot"],
)
def test_given_snapshots_then_only_one_for_all_groups_is_consistent(store, changes, consistency):
    deliver_all(store)
    deliver(store, group_of("tasks"), **changes)
    assert summarise(store).consistency == consistency


def test_given_unknown_tables_then_they_are_listed(store):
    deliver_all(store)
    tables = {"_xcom_archive": put_table(store, "_xcom_archive")}
    deliver(store, group_of("uncatalogued"), tables=tables, uncatalogued_tables=("_xcom_archive",))
    assert summarise(store).uncatalogued_tables == ("_xcom_archive",)


def test_given_a_summary_then_the_same_content_gives_the_same_bytes(store, s3):
    deliver_all(store)
    summary = summarise(store)
    write_summary(store, EXPORT, summary)
    first = store.read(EXPORT.summary_key).body
    write_summary(store, EXPORT, replace(summary, details=dict(reversed(summary.details.items()))))
    assert store.read(EXPORT.summary_key).body == first
    assert json.loads(gzip.decompress(first)) == summary.to_json()
    head = s3.head_object(Bucket="exports-bucket", Key=EXPORT.summary_key)
    assert head["ContentType"] == "application/gzip"
    assert "ContentEncoding" not in head


def latest(store) -> Pointer:
    """Return where latest.json points to."""
    body = store.read(EXPORT.latest_key).body
    assert violations("pointer", json.loads(body)) == []
    return Pointer.from_bytes(body)


def test_given_no_pointer_or_an_older_one_then_it_moves(store):
    for identifier in ("20261210T143022Z", "20261211T143022Z"):
        assert move_latest(store, replace(EXPORT, export_id=identifier), NOW)
        assert latest(store).export_id == identifier
    assert latest(store) == Pointer("20261211T143022Z", EXPORT.summary_key, "2026-12-11T14:40:22Z")


def test_given_a_pointer_to_a_newer_export_then_it_stays(store):
    move_latest(store, replace(EXPORT, export_id="20261212T000000Z"), NOW)
    assert not move_latest(store, EXPORT, NOW)
    assert latest(store).export_id == "20261212T000000Z"


NO_TIME = stored(pointer("k")).replace(b"20261211", b"99999999")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"export_id": "zzz"}', NO_TIME], ids=repr)
def test_given_an_unreadable_pointer_then_it_is_replaced(store, content):
    store.write(EXPORT.latest_key, content, "application/json")
    assert move_latest(store, EXPORT, NOW)
    assert latest(store).export_id == EXPORT.export_id


def test_given_the_pointer_never_stands_still_then_trying_ends(store, monkeypatch):
    numbers = count()
    read = store.read

    def read_and_be_overtaken(key):
        seen = read(key)
        store.write(key, stored(pointer("k", f"2025121{next(numbers)}T000000Z")), "application/json")
        return seen

    monkeypatch.setattr(store, "read", read_and_be_overtaken)
    with pytest.raises(ContentionError, match=r"latest\.json"):
        move_latest(store, EXPORT, NOW)
