"""At most one export per environment."""

import json
from dataclasses import replace
from itertools import count

import pytest
from export_contracts.coverage import Coverage
from export_contracts.lock import ExportLock
from export_runtime.errors import ContentionError, TransientError
from export_runtime.store import StoredObject
from plan_export.lock import release_lock, take_lock

from tests.unit.lambdas.plan_export.cases import ARN, LAYOUT, OTHER_ARN, draft

KEY = LAYOUT.lock_key
EXPORT = draft()[0]


def hold(store, content: bytes) -> None:
    """Write the lock as somebody else."""
    store.write(KEY, content, "application/json")


def holder(store) -> object:
    """Return who holds the lock."""
    return json.loads(store.read(KEY).body).get("execution_arn")


def nobody_runs(arn: str) -> bool:
    """Say that an execution has ended."""
    return False


def everybody_runs(arn: str) -> bool:
    """Say that an execution is at work."""
    return True


def test_given_no_lock_then_it_is_taken(store):
    assert take_lock(store, KEY, EXPORT, everybody_runs) is None
    assert holder(store) == ARN


def test_given_a_running_holder_then_it_is_named_and_keeps_the_lock(store):
    hold(store, json.dumps({"execution_arn": OTHER_ARN}).encode())
    assert take_lock(store, KEY, EXPORT, everybody_runs) == ExportLock(OTHER_ARN)
    assert holder(store) == OTHER_ARN


def test_given_the_lock_then_it_says_what_its_export_was_asked_for(store):
    take_lock(store, KEY, draft({"include_tables": ["ün"], "max_age_in_days": None})[0], everybody_runs)
    other = replace(EXPORT, execution_arn=OTHER_ARN)
    asked = Coverage(("ün",), (), None)
    assert take_lock(store, KEY, other, everybody_runs) == ExportLock(ARN, EXPORT.export_id, asked)


@pytest.mark.parametrize("more", [{"selection": 7, "max_age_days": 30}, {"selection": {}}], ids=repr)
def test_given_a_lock_that_says_it_in_another_way_then_it_is_not_known(store, more):
    hold(store, json.dumps({"execution_arn": OTHER_ARN, **more}).encode())
    assert take_lock(store, KEY, EXPORT, everybody_runs) == ExportLock(OTHER_ARN)


def test_given_a_holder_that_has_ended_then_the_lock_is_stale(store):
    hold(store, json.dumps({"execution_arn": OTHER_ARN}).encode())
    assert take_lock(store, KEY, EXPORT, nobody_runs) is None
    assert holder(store) == ARN


def test_given_this_execution_has_the_lock_then_it_still_has_it(store):
    take_lock(store, KEY, EXPORT, everybody_runs)
    assert take_lock(store, KEY, EXPORT, everybody_runs) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"execution_arn": 1}', b"\xff\xfe", b"null"], ids=repr)
def test_given_an_unreadable_lock_then_it_holds_nothing(store, content):
    hold(store, content)
    assert take_lock(store, KEY, EXPORT, everybody_runs) is None
    assert holder(store) == ARN


def test_given_somebody_is_faster_then_that_execution_wins(store):
    hold(store, json.dumps({"execution_arn": OTHER_ARN + "-ended"}).encode())

    def ended_but_another_comes(arn: str) -> bool:
        if arn.endswith("-ended"):
            hold(store, json.dumps({"execution_arn": OTHER_ARN}).encode())
            return False
        return True

    assert take_lock(store, KEY, EXPORT, ended_but_another_comes) == ExportLock(OTHER_ARN)


def test_given_the_lock_never_stands_still_then_trying_ends(store):
    numbers = count()

    def changes_hands(arn: str) -> bool:
        hold(store, json.dumps({"execution_arn": f"{OTHER_ARN}{next(numbers)}"}).encode())
        return False

    hold(store, json.dumps({"execution_arn": OTHER_ARN}).encode())
    with pytest.raises(ContentionError) as caught:
        take_lock(store, KEY, EXPORT, changes_hands)
    assert isinstance(caught.value, TransientError)


def test_given_this_execution_releases_then_the_next_takes_the_lock_although_it_runs(store):
    take_lock(store, KEY, EXPORT, everybody_runs)
    release_lock(store, KEY, EXPORT)
    assert holder(store) is None
    assert take_lock(store, KEY, EXPORT, everybody_runs) is None


def test_given_another_holder_then_releasing_changes_nothing(store):
    hold(store, json.dumps({"execution_arn": OTHER_ARN}).encode())
    release_lock(store, KEY, EXPORT)
    assert holder(store) == OTHER_ARN


def test_given_an_etag_then_it_is_part_of_what_was_seen(store):
    hold(store, b"{}")
    assert isinstance(store.read(KEY), StoredObject)
    assert store.read(KEY).etag
