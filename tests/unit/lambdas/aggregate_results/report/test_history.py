"""The history: read from the summaries in S3, in a bounded number of requests."""

import gzip
import json
from datetime import timedelta

import pytest
from aggregate_results.report.history import DAYS_BACK, LENGTH, read_history
from export_contracts.layout import export_id, started_at, summary_prefix
from export_contracts.summary import Selection
from export_runtime.errors import AwsCallError

from tests import report_cases as cases
from tests.documents import stored

ROOT = "exports/analytics-prod-backups"
NEWEST = cases.summary()


def put(store, back: timedelta, body: bytes | None = None, **changes: object) -> None:
    """Write the summary of an export that started so long before the newest."""
    started = cases.STARTED - back
    body = stored(cases.summary(export_id=export_id(started), **changes)) if body is None else body
    store.write(f"{summary_prefix(ROOT, started)}{started:%H%M%S}.json.gz", body, "application/gzip")


def read(store, may_go_on=lambda: True) -> list[str]:
    """Return the ids of the history."""
    return [past.export_id for past in read_history(store, ROOT, NEWEST, may_go_on)]


def ids(*backs: timedelta) -> list[str]:
    """Return the ids of exports that started so long before the newest."""
    return [export_id(cases.STARTED - back) for back in backs]


def test_given_no_earlier_export_then_the_history_is_this_one(store):
    assert read(store) == ids(timedelta())


def test_given_earlier_exports_then_they_come_oldest_first_with_several_of_a_day(store):
    backs = [timedelta(days=40), timedelta(days=1), timedelta(hours=2), timedelta(hours=1)]
    for back in backs:
        put(store, back)
    assert read(store) == ids(*backs, timedelta())


def test_given_a_later_export_of_the_same_day_then_it_is_not_history(store):
    put(store, -timedelta(hours=1))
    put(store, timedelta())
    assert read(store) == ids(timedelta())


@pytest.mark.parametrize("changes", [{"selection": Selection(("dag",))}, {"max_age_days": 7}], ids=str)
def test_given_an_export_of_other_tables_or_another_age_in_between_then_it_is_not_in_the_line(store, changes):
    put(store, timedelta(days=2))
    put(store, timedelta(days=1), **changes)
    assert read(store) == ids(timedelta(days=2), timedelta())


def test_given_more_exports_than_shown_then_the_newest_count(store):
    for days in range(1, LENGTH + 5):
        put(store, timedelta(days=days))
    found = read(store)
    assert len(found) == LENGTH
    assert started_at(found[0]) == cases.STARTED - timedelta(days=LENGTH - 1)


def test_given_an_export_before_the_days_that_are_looked_at_then_it_is_not_found(store):
    put(store, timedelta(days=DAYS_BACK))
    assert read(store) == ids(timedelta())


EMPTY = gzip.compress(b"{}", mtime=0)


def odd(**changes: object) -> bytes:
    """Return the content of a summary of yesterday with fields that no type holds."""
    content = cases.summary(export_id=export_id(cases.STARTED - timedelta(days=1))).to_json()
    return gzip.compress(json.dumps(content | changes).encode(), mtime=0)


ODD = [
    {"total_rows": -1},
    {"total_rows": "7"},
    {"total_rows": True},
    {"duration_seconds": float("nan")},
    {"details": []},
    {"export_id": "yesterday"},
    {"export_id": None},
]


@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", gzip.compress(b"[]", mtime=0), EMPTY, EMPTY[:-4], *(odd(**each) for each in ODD)],
    ids=range(12),
)
def test_given_an_unreadable_summary_then_the_others_are_the_history(store, body):
    put(store, timedelta(days=2))
    put(store, timedelta(days=1), body)
    assert read(store) == ids(timedelta(days=2), timedelta())


def test_given_daily_exports_then_the_requests_are_few(store, s3, monkeypatch):
    for days in range(1, LENGTH + 5):
        put(store, timedelta(days=days))
    calls = []
    for name in ("list_objects_v2", "get_object"):
        original = getattr(s3, name)
        monkeypatch.setattr(s3, name, lambda original=original, **kwargs: (calls.append(1), original(**kwargs))[1])
    read(store)
    assert len(calls) == 30 + 29


def test_given_no_time_left_then_the_history_ends_there(store):
    put(store, timedelta(days=1))
    answers = iter([False])
    assert read(store, lambda: next(answers, False)) == ids(timedelta())


def test_given_a_refused_listing_then_it_is_an_error(store, s3):
    s3.delete_bucket(Bucket="exports-bucket")
    with pytest.raises(AwsCallError, match="list s3://exports-bucket/exports"):
        read(store)


def test_given_clocks_that_differ_then_no_export_took_less_than_no_time(store):
    assert read_history(store, ROOT, cases.summary(duration_seconds=-3.5), lambda: True)[0].seconds == 0


def test_given_an_export_of_which_it_is_not_known_what_it_was_asked_for_then_none_is_comparable(store):
    put(store, timedelta(days=1), selection=None)
    assert len(read_history(store, ROOT, cases.summary(selection=None), lambda: True)) == 1
