"""Tasks on a real database: retries, connections, and credentials that expire."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from metadata_export import task as tasks
from metadata_export.errors import TransientSourceError
from metadata_export.source import Source
from metadata_export.task import Failure, Session, TableTask, run_task

from tests.integration.engine.conftest import Database, Engine
from tests.waiting import wait_until

COPY = (TableTask("one", "day/one", "COPY public.one TO STDOUT (FORMAT csv)", b"id\n"),)


@pytest.fixture
def holder(engine: Engine, database: Database) -> Iterator[str]:
    """A transaction that holds a snapshot, and the snapshot's id."""
    database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)")
    with database.connect() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield str(connection.execute("SELECT pg_export_snapshot()").fetchall()[0][0])
        connection.execute("ROLLBACK")
    while tasks._kept:
        tasks._kept.popitem()[1].close()


def session(engine: Engine, source: Source, snapshot_id: str) -> Session:
    return Session(source, snapshot_id, engine.bucket, attempts=2)


def test_credentials_that_expire_meanwhile_are_enough_for_the_tasks_to_come(
    engine: Engine, database: Database, holder: str
) -> None:
    # GIVEN credentials that open connections for some more seconds
    source = database.source(expires_at=(expires_at := datetime.now(UTC) + timedelta(seconds=5)))
    assert not isinstance(run_task(session(engine, source, holder), COPY, 0), Failure)

    # WHEN they have expired
    wait_until(lambda: datetime.now(UTC) > expires_at)

    # THEN the connection that was opened in time still serves
    assert not isinstance(run_task(session(engine, source, holder), COPY, 0), Failure)
    assert database.open_transactions() == 1

    # AND once it is gone the failure says what to do
    tasks._kept.popitem()[1].close()
    failure = run_task(session(engine, source, holder), COPY, 0)
    assert isinstance(failure, Failure)
    assert "credentials expired" in failure.message
    assert "trigger the DAG" in failure.message


def test_lasting_credentials_leave_no_connection_behind(engine: Engine, database: Database, holder: str) -> None:
    run_task(session(engine, database.source(), holder), COPY, 0)
    assert database.open_transactions() == 0


def test_a_database_out_of_reach_is_tried_again_and_then_given_up(
    engine: Engine, database: Database, holder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    unreachable = session(engine, database.source(port=1), holder)
    with pytest.raises(TransientSourceError):
        run_task(unreachable, COPY, 0)
    failure = run_task(unreachable, COPY, 1)
    assert isinstance(failure, Failure)
    assert "cannot connect to PostgreSQL at 127.0.0.1:1" in failure.message


def test_a_snapshot_whose_holder_has_ended_is_not_tried_again(engine: Engine, database: Database, holder: str) -> None:
    gone = f"{holder[:-1]}9"
    failure = run_task(session(engine, database.source(), gone), COPY, 0)
    assert isinstance(failure, Failure)
    assert f"snapshot {gone} cannot be imported" in failure.message
    assert database.open_transactions() == 0


def test_a_session_that_the_server_ends_in_the_middle_fails_the_task(
    engine: Engine, database: Database, holder: str
) -> None:
    # GIVEN a COPY that ends its own session half way
    database.execute(
        """CREATE FUNCTION end_session(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
           IF n = 50000 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN n; END $$"""
    )
    with database.connect() as fresh:
        fresh.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot_id = str(fresh.execute("SELECT pg_export_snapshot()").fetchall()[0][0])
        statement = "COPY (SELECT public.end_session(g) FROM generate_series(1, 60000) g) TO STDOUT (FORMAT csv)"
        task = (TableTask("one", "day/one", statement, b"id\n"),)
        failure = run_task(session(engine, database.source(), snapshot_id), task, 1)
        fresh.execute("ROLLBACK")

    # THEN that is an error, and no object
    assert isinstance(failure, Failure)
    assert "cannot export the table one" in failure.message
    assert engine.keys() == []


def test_psycopg_runs_its_binary_implementation() -> None:
    assert psycopg.pq.__impl__ == "binary"
