"""The engine reads through PgBouncer in transaction mode, and leaves nothing behind there."""

import contextlib
import functools
import signal
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from local import pgbouncer
from local.compare import compare_export
from local.pgbouncer import PgBouncer
from tests.integration.completeness.engine import (
    BUCKET,
    Aws,
    Engine,
    Export,
    group_arguments,
    kill,
    start_group,
)
from tests.integration.pgbouncer.conftest import READER, VERSION, Source, available

LARGE_POOL = 30
EVENT_LINKS = "dagrun_asset_event" if VERSION >= "3" else "dagrun_dataset_event"
BouncerOf = Callable[[int], PgBouncer]


@pytest.fixture(scope="module")
def export(source: Source, bouncer_of: BouncerOf, aws: Aws, engine: Engine) -> Export:
    return engine.export(group_arguments(aws.connect_to(source.by_way_of(bouncer_of(LARGE_POOL))), cutoff=None))


def test_given_this_pgbouncer_when_asked_then_it_is_in_transaction_mode_and_refuses_startup_options(
    source: Source, bouncer_of: BouncerOf, export: Export
) -> None:
    bouncer = bouncer_of(LARGE_POOL)
    modes = {pool["pool_mode"] for pool in bouncer.show("POOLS") if pool["user"] == READER}

    assert modes == {"transaction"}
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(source.by_way_of(bouncer), options="-c statement_timeout=1")


def test_given_pgbouncer_when_all_groups_are_exported_then_every_table_is_equal_row_for_row(
    source: Source, export: Export
) -> None:
    def open_object(key: str) -> BytesIO:
        return BytesIO(export.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    assert len(export.tables) > 40
    assert compare_export(source.superuser_url, export.tables, open_object) == []


def test_given_pgbouncer_when_all_groups_are_exported_then_they_share_one_snapshot(export: Export) -> None:
    snapshots = [manifest["snapshot"] for manifest in export.manifests.values()]

    assert sorted(each["role"] for each in snapshots) == ["claimed", *["imported"] * (len(snapshots) - 1)]
    assert len({each["claimed_by"] for each in snapshots}) == 1


def test_given_an_export_through_pgbouncer_when_it_has_ended_then_no_transaction_is_open(
    source: Source, export: Export
) -> None:
    assert _left_open(source) == []


def test_given_an_export_through_pgbouncer_when_it_has_ended_then_its_server_connections_have_no_state(
    source: Source, bouncer_of: BouncerOf, export: Export
) -> None:
    bouncer = bouncer_of(LARGE_POOL)
    pooled = [server for server in bouncer.show("SERVERS") if server["user"] == READER]
    names = ("TimeZone", "search_path", "statement_timeout", "tcp_user_timeout", "row_security", "jit")
    names += ("default_transaction_isolation",)
    state = sql.SQL(", ").join(sql.SQL("current_setting({})").format(name) for name in names)
    query = sql.SQL("SELECT pg_backend_pid(), {}, (SELECT count(*) FROM pg_prepared_statements)").format(state)

    with psycopg.connect(source.reader_url) as direct:
        fresh = direct.execute(query).fetchall()[0][1:]
    with contextlib.ExitStack() as stack:  # as many transactions at once as there are server connections
        clients = [stack.enter_context(psycopg.connect(source.by_way_of(bouncer))) for _ in pooled]
        used = [client.execute(query).fetchall()[0] for client in clients]

    assert len({row[0] for row in used}) == len(pooled) > 1  # the holder of the snapshot and one that imported it
    assert {row[1:] for row in used} == {fresh}


@pytest.mark.parametrize(
    ("pool_size", "groups"),
    [(2, ["runs"]), (3, ["definitions", "runs"])],
    ids=["one group, two connections", "two groups, three connections"],
)
def test_given_a_pool_of_one_more_than_groups_when_exported_then_it_takes_turns_and_succeeds(
    pool_size: int, groups: list[str], source: Source, bouncer_of: BouncerOf, aws: Aws, engine: Engine
) -> None:
    connection = aws.connect_to(source.by_way_of(bouncer_of(pool_size)))
    arguments = group_arguments(connection, only=groups)

    export = engine.export(arguments)

    assert {manifest["consistency"] for manifest in export.manifests.values()} == {"snapshot"}
    assert export.tables["dag_run"]["rows"] > 10
    assert _left_open(source) == []


@pytest.mark.parametrize(
    ("pool_size", "groups"),
    [(1, ["runs"]), (2, ["definitions", "runs"])],
    ids=["one group, one connection", "two groups, two connections"],
)
def test_given_a_pool_that_is_too_small_when_exported_then_the_error_says_what_it_needs_and_nothing_hangs(
    pool_size: int, groups: list[str], source: Source, aws: Aws, engine: Engine
) -> None:
    start = functools.partial(pgbouncer.start, source.server, pool_size=pool_size, query_wait_seconds=2)
    with available(start) as bouncer:
        arguments = group_arguments(aws.connect_to(source.by_way_of(bouncer)), only=groups)
        manifests, errors = engine.try_export(arguments)

    assert errors
    assert manifests.keys() | errors.keys() == set(groups)
    for message in errors.values():
        assert "PgBouncer gave no server connection in time" in message
        assert "one for each table group and at least one more" in message
    assert _left_open(source) == []


def test_given_a_table_that_may_not_be_read_when_exported_then_it_is_named_and_no_transaction_is_open(
    source: Source, bouncer_of: BouncerOf, aws: Aws, engine: Engine
) -> None:
    arguments = group_arguments(aws.connect_to(source.by_way_of(bouncer_of(LARGE_POOL))))
    with source.superuser() as connection, _without_right_to_read(connection, "task_map"):
        manifests, errors = engine.try_export(arguments)

    assert errors.keys() == {"tasks"}
    assert "task_map" in errors["tasks"]
    assert "permission denied" in errors["tasks"]
    assert manifests.keys() == arguments.keys() - {"tasks"}
    assert _left_open(source) == []


def test_given_a_run_that_is_killed_when_it_copies_then_no_transaction_is_open_and_the_next_says_per_group(
    source: Source, bouncer_of: BouncerOf, aws: Aws, engine: Engine, tmp_path: Path
) -> None:
    arguments = group_arguments(aws.connect_to(source.by_way_of(bouncer_of(LARGE_POOL))), only=["definitions", "runs"])
    with psycopg.connect(source.superuser_url) as locked:
        locked.execute(f"REINDEX TABLE {EVENT_LINKS}")  # the catalog can be read meanwhile; who copies the table waits
        process = start_group(aws, arguments["runs"], tmp_path / "run.log")
        try:
            _wait_for_lock(source, process, tmp_path / "run.log")
        finally:
            kill(process)

    assert process.returncode == -signal.SIGKILL
    assert _left_open(source) == []
    retried = engine.export(arguments)
    assert {manifest["consistency"] for manifest in retried.manifests.values()} == {"per-group"}
    assert ["gone" in manifest["snapshot"]["reason"] for manifest in retried.manifests.values()] == [True, True]
    assert _left_open(source) == []


def _left_open(source: Source, seconds: float = 60) -> list[tuple[Any, ...]]:
    """Return the transactions that stay open: a server needs a moment to notice that its client is gone."""
    deadline = time.monotonic() + seconds
    while (left := source.open_transactions()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _wait_for_lock(source: Source, process: Any, log: Path, seconds: float = 180) -> None:
    """Wait until a run has a task that waits for a lock, and beside it the transaction that holds the snapshot."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        runs = [row for row in source.open_transactions() if row[0].startswith("metadata_export")]
        if len(runs) >= 2 and any(row[2] == "Lock" for row in runs):
            return
        time.sleep(0.1)
    pytest.fail(f"the run never waited for the lock:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def _without_right_to_read(connection: psycopg.Connection[Any], table: str) -> Iterator[None]:
    names = sql.Identifier(table), sql.Identifier(READER)
    connection.execute(sql.SQL("REVOKE SELECT ON {} FROM {}").format(*names))
    try:
        yield
    finally:
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(*names))
