"""Tasks on a real database: retries and connections."""

import gzip
import time
from collections.abc import Iterator

import psycopg
import pytest
from metadata_export.errors import TransientSourceError
from metadata_export.source import Source
from metadata_export.statements import Statement
from metadata_export.task import Failure, Session, TableTask, run_task

from local.aws.injection.client import Faults
from local.aws.settings import REGION
from tests.integration.engine.conftest import Database, Engine

COPY = (TableTask("one", "day/one", Statement("COPY public.one TO STDOUT (FORMAT csv)", ""), b"id\n"),)


@pytest.fixture
def holder(engine: Engine, database: Database) -> Iterator[str]:
    """A transaction that holds a snapshot, and the snapshot's id."""
    database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)")
    with database.connect() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield str(connection.execute("SELECT pg_export_snapshot()").fetchall()[0][0])
        connection.execute("ROLLBACK")


def session(engine: Engine, source: Source, snapshot_id: str) -> Session:
    return Session(source, snapshot_id, REGION, engine.bucket, attempts=2)


def test_a_task_leaves_no_connection_behind(engine: Engine, database: Database, holder: str) -> None:
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
    assert failure.ends_run


def test_a_snapshot_whose_holder_has_ended_is_not_tried_again(engine: Engine, database: Database, holder: str) -> None:
    gone = f"{holder[:-1]}9"
    failure = run_task(session(engine, database.source(), gone), COPY, 0)
    assert isinstance(failure, Failure)
    assert f"snapshot {gone} cannot be imported" in failure.message
    assert failure.ends_run
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
        task = (TableTask("one", "day/one", Statement(statement, ""), b"id\n"),)
        failure = run_task(session(engine, database.source(), snapshot_id), task, 1)
        fresh.execute("ROLLBACK")

    # THEN that is an error of this table, and no object
    assert isinstance(failure, Failure)
    assert not failure.ends_run
    assert "cannot export the table one" in failure.message
    assert engine.keys() == []


def test_given_s3_s_answer_to_the_last_request_of_an_upload_is_lost_then_the_table_is_exported(
    engine: Engine, database: Database
) -> None:
    # GIVEN a table of several parts
    database.execute(
        "CREATE TABLE log (id int, a text, b text)",
        """INSERT INTO log SELECT g, encode(sha256(g::text::bytea), 'hex'), encode(sha256((-g)::text::bytea), 'hex')
           FROM generate_series(1, 120000) g""",
    )
    lost = Faults(engine.aws.endpoint).refuse("s3", "CompleteMultipartUpload", "InternalError", 500, after=True)

    # WHEN S3 completes its upload, says that it could not, and knows no such upload when asked again
    manifest = engine.export({"log": "full"})

    # THEN the object decides
    assert lost.hits == 1
    assert manifest["tables"]["log"]["rows"] == 120_000
    assert gzip.decompress(engine.body("log")).count(b"\n") == 120_001


def test_psycopg_runs_its_binary_implementation() -> None:
    assert psycopg.pq.__impl__ == "binary"
