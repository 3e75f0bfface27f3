"""What a lifecycle rule of somebody's own bucket has archived: nothing is stuck on it, and errors say what it is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aggregate_results.summary import move_latest
from aggregate_results.verification import verify_groups
from export_contracts.layout import started_at
from export_contracts.pointer import Pointer
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore, ObjectVersion
from plan_export.lock import take_lock

from tests.unit.lambdas.aggregate_results.exports import EXPORT, deliver_all, event, group_of, succeeded
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.plan_export.cases import LAYOUT

NOW = datetime(2026, 12, 11, 14, 40, tzinfo=UTC)
STARTED = started_at(EXPORT.export_id)


class Aged(ObjectStore):
    """A bucket whose objects were written at a time of the test's choice."""

    written = STARTED

    def version(self, key: str) -> ObjectVersion | None:
        """Say so."""
        found = super().version(key)
        return replace(found, written=self.written) if found else None


@pytest.fixture
def aged(s3) -> Aged:
    """Give it."""
    return Aged(s3, BUCKET)


def archive(s3, key: str) -> None:
    """Move an object to Glacier, as a lifecycle does: content and tag stay."""
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=key, Body=body, StorageClass="GLACIER")


def test_given_an_archived_object_then_the_error_says_how_to_read_it(s3, store):
    store.write("k", b"{}", "application/json")
    archive(s3, "k")
    with pytest.raises(ArchivedObjectError, match=r"aws s3api restore-object.*docs/configure\.md"):
        store.read("k")


@pytest.mark.parametrize(("days", "moves"), [(-1, True), (1, False)], ids=["of before", "of since"])
def test_given_an_archived_pointer_then_only_one_of_before_this_export_is_replaced(s3, aged, days, moves):
    aged.write(EXPORT.latest_key, b'{"export_id": "?"}', "application/json")
    archive(s3, EXPORT.latest_key)
    aged.written = STARTED + timedelta(days=days)
    assert move_latest(aged, EXPORT, NOW) is moves
    if moves:
        assert Pointer.from_bytes(aged.read(EXPORT.latest_key).body).export_id == EXPORT.export_id


def test_given_an_archived_lock_of_long_ago_then_it_is_stale(s3, aged):
    aged.write(LAYOUT.lock_key, b'{"execution_arn": "theirs"}', "application/json")
    archive(s3, LAYOUT.lock_key)
    aged.written = STARTED - timedelta(days=16)
    assert take_lock(aged, LAYOUT.lock_key, EXPORT, lambda _: True) is None
    assert json.loads(aged.read(LAYOUT.lock_key).body)["execution_arn"] == EXPORT.execution_arn


def test_given_an_archived_lock_that_may_be_held_then_nothing_starts_and_the_error_says_why(s3, aged):
    aged.write(LAYOUT.lock_key, b'{"execution_arn": "theirs"}', "application/json")
    archive(s3, LAYOUT.lock_key)
    aged.written = STARTED - timedelta(days=14)
    with pytest.raises(ArchivedObjectError, match=r"_current\.json.*restore"):
        take_lock(aged, LAYOUT.lock_key, EXPORT, lambda _: False)


def test_given_an_archived_manifest_then_a_redrive_has_the_group_exported_again(s3, store):
    deliver_all(store)
    archive(s3, group_of("runs").manifest_key)
    found = event(succeeded([group_of("tasks")]), "retry")
    causes = {outcome.group.group: outcome.cause for outcome in verify_groups(found, store)}
    assert [name for name, cause in causes.items() if cause] == ["runs"]
    assert "runs.json is archived" in causes["runs"].text
