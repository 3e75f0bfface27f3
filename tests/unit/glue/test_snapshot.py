"""The claim, by the writes to S3; what it means in a database is tested in tests/integration/engine."""

import logging
import threading
import time
from typing import Any
from unittest.mock import MagicMock

import psycopg
import pytest
from metadata_export.errors import ExportError, StorageError
from metadata_export.holder import SnapshotHolder
from metadata_export.secret import Credentials
from metadata_export.snapshot import Claim, Party, SharedSnapshot
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


def test_given_a_group_that_is_alone_then_it_claims_nothing_and_shows_one_moment(store: Store) -> None:
    alone = SharedSnapshot(Party("runs", ("runs",), "jr_runs", "runs/"), store)
    snapshot = alone.open(SOURCE, connection())
    assert (snapshot.role, snapshot.claimed_by, snapshot.reason) == ("own", "jr_runs", None)
    assert snapshot.consistency == "snapshot"
    assert store.keys("") == []


def test_given_a_claim_then_it_says_whose_snapshot_it_is_and_of_which_moment(store: Store) -> None:
    shared(store).open(SOURCE, connection())
    claim = store.get_json(CLAIM)
    assert claim is not None
    assert {name: claim[name] for name in ("job_run_id", "group", "snapshot_id", "moment")} == {
        "job_run_id": "jr_runs",
        "group": "runs",
        "snapshot_id": "mine",
        "moment": "10:10:",
    }


def test_given_a_snapshot_of_another_moment_under_the_claimed_id_then_the_run_takes_its_own_and_says_why(
    store: Store,
) -> None:
    # GIVEN a server that was restarted, and hands out the same ids again
    shared(store, "runs").open(SOURCE, connection(moment="10:10:"))
    restarted = connection(moment="99:99:")

    snapshot = shared(store, "tasks").open(SOURCE, restarted)
    assert (snapshot.role, snapshot.claimed_by, snapshot.consistency) == ("own", "jr_tasks", "per-group")
    assert snapshot.reason is not None
    assert snapshot.reason.startswith("the export's snapshot, claimed by jr_runs (group runs) at ")
    assert "is of another moment: 99:99: instead of 10:10:" in snapshot.reason
    assert "ROLLBACK" in str(restarted.execute.call_args_list)


def test_given_groups_that_announce_themselves_then_the_holder_waits_for_the_last_of_them(store: Store) -> None:
    holder = shared(store, "runs")
    holder.announce("claimed")
    slept: list[float] = []

    def other_imports(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            shared(store, "tasks").announce("imported")

    assert holder.wait_for_groups(time.monotonic() + 600, sleep=other_imports) == ()
    assert len(slept) == 3
    assert store.get_json("runs/_snapshot_tasks.json") == {"job_run_id": "jr_tasks", "role": "imported"}


def no_sleep(seconds: float) -> None:
    raise AssertionError("nobody needs to be waited for")


def test_given_the_bound_or_dead_runs_then_nobody_is_waited_for_any_longer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = shared(store, "runs")
    monkeypatch.setattr("metadata_export.snapshot.time.monotonic", lambda: 100.0)
    assert holder.wait_for_groups(100.0, sleep=no_sleep) == ("runs", "tasks")
    holder.announce("claimed")
    assert holder.wait_for_groups(100.0, sleep=no_sleep) == ("tasks",)
    assert holder.wait_for_groups(700.0, lambda: frozenset({"tasks", "another"}), no_sleep) == ("tasks",)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the package logs."""
    caplog.set_level(logging.INFO, logger="metadata_export")
    return caplog


@pytest.mark.parametrize(
    ("deadline", "why"), [(100.0, "the bound has passed"), (700.0, "their runs have ended")], ids=["late", "dead"]
)
def test_given_a_group_that_never_came_then_the_holder_says_why_it_goes(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture, deadline: float, why: str
) -> None:
    holder = shared(store, "runs")
    holder.announce("claimed")
    monkeypatch.setattr("metadata_export.snapshot.time.monotonic", lambda: 100.0)
    holder.hold(deadline, lambda: frozenset({"tasks"}))
    assert said.messages == [f"released the snapshot though tasks have not imported it: {why}"]


def test_given_all_groups_have_come_then_the_holder_goes_in_silence(
    store: Store, said: pytest.LogCaptureFixture
) -> None:
    for group in ("runs", "tasks"):
        shared(store, group).announce("imported")
    shared(store).hold(time.monotonic() + 600, frozenset)
    assert said.messages == []


def test_given_a_run_that_fails_then_its_siblings_are_told_and_the_error_is_the_run_s(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt), shared(store).announcing_failure():
        raise KeyboardInterrupt
    assert store.get_json("runs/_snapshot_runs.json") == {"job_run_id": "jr_runs", "role": "failed"}
    assert said.messages == []

    # AND when S3 refuses that, the run's own error is still the one
    def refuse(self: Store, key: str, document: object) -> None:
        raise StorageError("AccessDenied")

    monkeypatch.setattr(Store, "put_json", refuse)
    with pytest.raises(ExportError, match="no such host"), shared(store).announcing_failure():
        raise ExportError("no such host")
    assert said.messages == ["could not tell the other groups of the failure: AccessDenied"]


def test_given_a_claim_then_only_the_failure_of_the_run_that_wrote_it_tells_that_its_snapshot_goes(
    store: Store,
) -> None:
    claim = Claim("jr_runs", "runs", "mine", "10:10:")
    asking = shared(store, "tasks")
    assert not asking.has_failed(claim)
    shared(store, "runs").announce("imported")
    assert not asking.has_failed(claim)
    shared(store, "runs").announce("failed")
    assert asking.has_failed(claim)

    # AND what another attempt of the group, or another group, has announced tells nothing of it
    assert not asking.has_failed(Claim("jr_runs_again", "runs", "mine", "10:10:"))
    assert not asking.has_failed(Claim("jr_runs", "logs", "mine", "10:10:"))


def test_given_a_run_that_does_not_fail_then_nobody_is_told(store: Store) -> None:
    with shared(store).announcing_failure():
        pass
    assert store.keys("") == []


def test_given_a_snapshot_that_was_lost_before_then_the_error_says_so() -> None:
    holder = SnapshotHolder(MagicMock())
    error = ExportError("cannot export the table log")
    assert holder.explained(error) is error
    holder.lost = "server closed the connection"
    assert str(holder.explained(error)) == (
        "cannot export the table log - the connection that held the snapshot was lost before: server closed the "
        "connection"
    )


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
