"""The claim, by the writes to S3; what it means in a database is tested in tests/integration/engine."""

import threading
from typing import Any
from unittest.mock import MagicMock

import psycopg
import pytest
from metadata_export.errors import StorageError
from metadata_export.holder import SnapshotHolder
from metadata_export.secret import Credentials
from metadata_export.snapshot import Party, SharedSnapshot
from metadata_export.source import Source, source_error
from metadata_export.storage import Store

SOURCE = Source(Credentials("db", 5432, "AirflowMetadata", "adm", "secret", "require", None), 60, "name")
CLAIM = "runs/_snapshot.json"


def connection(moment: str = "10:10:") -> Any:
    """A database that exports the snapshot `mine`."""
    fake = MagicMock()

    def execute(query: Any) -> Any:
        answer = MagicMock()
        exports = "pg_export_snapshot" in str(query)
        answer.fetchall.return_value = [("mine", moment)] if exports else [(moment,)]
        return answer

    fake.execute.side_effect = execute
    return fake


def shared(store: Store, group: str = "runs") -> SharedSnapshot:
    return SharedSnapshot(Party(group, ("runs", "tasks"), f"jr_{group}", "runs/"), store)


def test_given_no_claim_then_the_first_run_claims_and_the_next_one_imports(store: Store) -> None:
    first = shared(store, "runs").open(SOURCE, connection())
    assert (first.role, first.claimed_by, first.consistency) == ("claimed", "jr_runs", "snapshot")
    second = shared(store, "tasks").open(SOURCE, connection())
    assert (second.role, second.claimed_by, second.consistency) == ("imported", "jr_runs", "snapshot")


def test_given_a_claim_whose_answer_was_lost_then_the_run_knows_it_as_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Store.put_json_if_absent

    def lose_the_answer(self: Store, key: str, document: object) -> bool:
        written(self, key, document)
        return written(self, key, document)  # botocore's retry of the put that succeeded

    monkeypatch.setattr(Store, "put_json_if_absent", lose_the_answer)
    database = connection()
    assert shared(store).open(SOURCE, database).role == "claimed"
    assert "ROLLBACK" not in str(database.execute.call_args_list)


def test_given_a_race_that_is_lost_then_the_loser_rolls_back_and_imports(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"job_run_id": "jr_tasks", "group": "tasks", "snapshot_id": "theirs", "moment": "10:10:", "claimed_at": "t"}
    written = Store.put_json_if_absent

    def come_second(self: Store, key: str, document: object) -> bool:
        written(self, key, other)
        return written(self, key, document)

    monkeypatch.setattr(Store, "put_json_if_absent", come_second)
    database = connection()
    snapshot = shared(store).open(SOURCE, database)
    assert (snapshot.role, snapshot.claimed_by) == ("imported", "jr_tasks")
    assert "ROLLBACK" in str(database.execute.call_args_list)


def test_given_a_claim_that_can_be_neither_written_nor_read_then_the_run_does_not_hang() -> None:
    store = MagicMock(spec=Store)
    store.get_json.return_value = None
    store.put_json_if_absent.return_value = False
    with pytest.raises(StorageError, match=r"_snapshot\.json"):
        shared(store).open(SOURCE, connection())


@pytest.mark.parametrize("state", ["08006", "53300", "57P01", None], ids=str)
def test_given_a_lost_connection_then_another_attempt_may_help(state: str | None) -> None:
    error = psycopg.OperationalError("gone")
    error.sqlstate = state
    assert source_error("read", error).transient


@pytest.mark.parametrize("state", ["42501", "57014", "55P03", "42P01"], ids=["denied", "timeout", "locked", "missing"])
def test_given_a_refusal_then_another_attempt_does_not_help(state: str) -> None:
    error = psycopg.OperationalError("no")
    error.sqlstate = state
    assert not source_error("read", error).transient
    assert state in str(source_error("read", error))


def test_given_a_holder_then_it_talks_until_it_is_released_and_notes_a_lost_connection() -> None:
    talking = threading_event_connection(times=3)
    with SnapshotHolder(talking, heartbeat_seconds=0.01) as holder:
        assert talking.heard.wait(5)
    assert holder.lost is None
    talking.close.assert_called_once()

    lost = MagicMock()
    lost.execute.side_effect = psycopg.OperationalError("server closed the connection")
    with SnapshotHolder(lost, heartbeat_seconds=0.01) as holder:
        holder._thread.join(5)
    assert holder.lost == "server closed the connection"


def threading_event_connection(times: int) -> Any:
    """A connection whose `heard` is set after so many statements."""
    fake = MagicMock()
    fake.heard = threading.Event()

    def execute(query: str) -> None:
        if fake.execute.call_count >= times:
            fake.heard.set()

    fake.execute.side_effect = execute
    return fake
