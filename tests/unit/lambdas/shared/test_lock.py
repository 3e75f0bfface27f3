"""The lock as the functions read and write it."""

import json

import pytest
from export_contracts.coverage import Coverage
from export_contracts.lock import ExportLock, released_lock

from tests.contract_examples import examples
from tests.contracts import violations

EXAMPLES = [*examples("export_lock", "valid"), *examples("export_lock", "invalid")]
ARN = "arn:aws:states:eu-central-1:123456789012:execution:env-metadata-export:one"


def expected(reading: dict | None) -> ExportLock | None:
    """Return what an example says that it reads as."""
    if reading is None:
        return None
    said = reading["coverage"]
    coverage = said and Coverage(tuple(said["include_tables"]), tuple(said["exclude_tables"]), said["max_age_in_days"])
    return ExportLock(reading["execution_arn"], reading["export_id"], coverage)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_given_a_lock_then_it_reads_as_the_contract_says(example):
    assert ExportLock.from_json(example.text.encode()) == expected(example.reading)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[" * 5000, b"1" * 5000], ids=["no text", "lists", "a number"])
def test_given_what_python_does_not_read_then_nobody_holds_it(text):
    assert ExportLock.from_json(text) is None


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.reading], ids=str)
def test_given_a_lock_then_it_is_written_as_the_contract_says_and_reads_the_same(example):
    lock = expected(example.reading)
    assert violations("export_lock", json.loads(lock.to_json())) == []
    assert ExportLock.from_json(lock.to_json()) == lock


def test_given_the_plainest_lock_then_it_is_written_as_older_versions_read_it():
    (plain, *_) = examples("export_lock", "valid")
    assert json.loads(expected(plain.reading).to_json()) == plain.document


def test_given_an_execution_that_gives_the_lock_back_then_nobody_holds_it():
    assert violations("export_lock", json.loads(released_lock(ARN))) == []
    assert ExportLock.from_json(released_lock(ARN)) is None
