"""Chunks that are more than one part, and what the first gzip member of a file holds.

The bounds are lowered, so that megabytes do what takes gibibytes.
"""

import io
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import pytest
from metadata_export.arguments import parse_arguments
from metadata_export.aws import s3_client
from metadata_export.errors import ExportError, TransientStorageError
from metadata_export.export import export_group
from metadata_export.kept_connection import KeptConnection
from metadata_export.parts import MIB, MINIMUM_PART_BYTES, Part
from metadata_export.source import Source
from metadata_export.storage import Store
from metadata_export.task import Failure, Opened, Result, Session, Task, own_connection, run_task

from local.aws.settings import REGION
from tests.integration.engine.conftest import PREFIX, ROOT, Database, Engine
from tests.integration.engine.test_round_trip import assert_equal, content, load, recorded

sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]

from aggregate_results.verification import object_problems  # noqa: E402
from export_contracts.exported_table import ExportedTable  # noqa: E402
from export_runtime.store import ObjectFacts  # noqa: E402

from export_cli.verification import verify_table  # noqa: E402


def noise(length: int) -> str:
    """SQL for a text of so many times 64 characters that compresses to little more than half."""
    return " || ".join(f"encode(sha256((g * 1000 + {number})::text::bytea), 'hex')" for number in range(length))


@dataclass
class Tasks:
    """Runs tasks in this process, again when they fail for now; with a barrier the first ones start together."""

    session: Session | None = None
    together: threading.Barrier | None = None
    descriptions: list[str] = field(default_factory=list)
    opened: Opened = own_connection

    @contextmanager
    def start(self, session: Session) -> Iterator["Tasks"]:
        self.session = session
        yield self

    def run(self, task: Task, description: str) -> Result:
        assert self.session
        self.descriptions.append(description)
        if self.together and len(self.descriptions) <= self.together.parties:
            self.together.wait(timeout=60)
        for attempt in range(self.session.attempts):
            try:
                result = run_task(self.session, task, attempt, self.opened)
            except TransientStorageError:
                continue
            break
        if isinstance(result, Failure):
            raise ExportError(result.message)
        return result

    def cancel(self) -> None:
        """Nothing runs elsewhere."""


def export(
    engine: Engine, tasks: Tasks, *, rule: str = "full", source: Source | None = None, **changes: str
) -> dict[str, Any]:
    """Export the table log and return its entry in the manifest."""
    arguments = parse_arguments(engine.arguments({"log": rule}, **({"MAX_CONNECTIONS": "4"} | changes)))
    store = Store(s3_client(REGION), engine.bucket)
    manifest = export_group(arguments, source or engine.database.source(), store, 2, tasks.start)
    return dict(manifest["tables"]["log"])


def make_log(database: Database, rows: int) -> None:
    database.execute(
        "CREATE TABLE log (id int, dttm timestamptz, extra text)",
        f"INSERT INTO log SELECT g, now(), {noise(20)} FROM generate_series(1, {rows}) g",
    )


def assert_sound(engine: Engine, database: Database, table: dict[str, Any], rows: str = "log") -> None:
    """Hold an object to the database, to the function that verifies it, and to `verify`."""
    database.execute("CREATE TABLE loaded (LIKE log)")
    load(database, engine, "log", "loaded")
    assert_equal(database, rows, "loaded")
    assert content(database, "loaded", table) == recorded(table)
    head = s3_client(REGION).head_object(Bucket=engine.bucket, Key=table["key"], ChecksumMode="ENABLED")
    entry = ExportedTable.from_json(table, "log", "logs")
    facts = ObjectFacts(head["ContentLength"], head.get("ChecksumSHA256"))
    assert object_problems("log", entry, facts, f"{PREFIX}log_143022.csv.gz") == []
    assert verify_table("log", entry, io.BytesIO(engine.body("log")), None, lambda _: None).problems == ()
    assert engine.uploads() == []
    assert database.open_transactions() == 0


def first_member(engine: Engine, table: str = "log") -> list[bytes]:
    """The lines that a reader sees who stops after the first gzip member."""
    return zlib.decompressobj(31).decompress(engine.body(table)).splitlines()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metadata_export.parts.PART_BYTES", MINIMUM_PART_BYTES)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def without_page_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as for a server before PostgreSQL 14: each table is one chunk."""
    monkeypatch.setattr("metadata_export.statements.TID_RANGE_SCAN", 10**9)


@pytest.mark.usefixtures("small_parts", "without_page_ranges")
def test_a_table_of_one_chunk_becomes_several_parts(engine: Engine, database: Database) -> None:
    # GIVEN a table of one chunk whose file is larger than a part may be
    make_log(database, 30_000)
    tasks = Tasks()

    # WHEN it is exported
    table = export(engine, tasks)

    # THEN by one statement, in parts that S3 takes and none of which is much over the bound
    assert tasks.descriptions == ["log: chunk 1 of 1"]
    *full, last = table["part_sizes"]
    assert len(full) > 2
    assert all(MINIMUM_PART_BYTES <= size < MINIMUM_PART_BYTES + 2 * MIB for size in full)
    assert last < MINIMUM_PART_BYTES + 2 * MIB
    assert_sound(engine, database, table)


@pytest.mark.parametrize("expires", [False, True], ids=["password", "token"])
def test_a_chunk_that_is_too_large_for_a_part_runs_again_after_the_others(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch, expires: bool
) -> None:
    # GIVEN a table of several chunks, where the values of one range of pages are longer than all others together
    make_log(database, 9_600)
    database.execute(
        "ALTER TABLE log ALTER extra SET STORAGE EXTERNAL",
        f"INSERT INTO log SELECT g, now(), {noise(160)} FROM generate_series(9601, 12600) g",
        f"INSERT INTO log SELECT g, now(), {noise(20)} FROM generate_series(12601, 35000) g",
    )
    monkeypatch.setattr("metadata_export.parts.PART_BYTES", 9 * MIB)
    monkeypatch.setattr("metadata_export.statements.CHUNK_BYTES", 16 * MIB)
    expires_at = datetime.now(UTC) + timedelta(hours=1) if expires else None
    kept = KeptConnection()
    tasks = Tasks(opened=kept.opened) if expires else Tasks()

    # WHEN it is exported, with a token by one task after the other: one process keeps one connection
    source = database.source(expires_at=expires_at)
    table = export(engine, tasks, source=source, MAX_CONNECTIONS="2" if expires else "4")

    # THEN that chunk runs twice, the second time as the last one, and its rows are there once
    chunks = int(tasks.descriptions[0].rsplit(" ", 1)[1])
    assert chunks > 3
    assert len(tasks.descriptions) == chunks + 1
    assert tasks.descriptions[-1] in tasks.descriptions[:-1]
    assert max(table["part_sizes"]) < 11 * MIB
    assert len(first_member(engine)) > 1

    # AND a connection that a token has opened is not given away for it: it may be the last one
    assert database.open_transactions() == expires
    kept.release()
    assert_sound(engine, database, table)


@pytest.mark.usefixtures("small_parts", "without_page_ranges")
def test_parts_of_an_attempt_that_failed_are_not_in_the_object(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an attempt that S3 fails at its third part, and a second one that makes fewer parts than were uploaded
    make_log(database, 30_000)
    upload_part, complete_upload = Store.upload_part, Store.complete_upload
    uploaded: list[int] = []

    def fail_once(self: Store, key: str, upload_id: str, number: int, body: bytes | IO[bytes], *rest: Any) -> Part:
        if number == 3 and uploaded == [1, 2]:
            monkeypatch.setattr("metadata_export.parts.PART_BYTES", 32 * MIB)
            uploaded.append(-1)
            raise TransientStorageError(f"cannot upload part {number} of s3://{self.bucket}/{key}: SlowDown")
        part = upload_part(self, key, upload_id, number, body, *rest)
        uploaded.append(number)
        return part

    def look_before(self: Store, key: str, upload_id: str, parts: list[Part]) -> None:
        listed = self.s3.list_parts(Bucket=self.bucket, Key=key, UploadId=upload_id)["Parts"]
        assert [part["PartNumber"] for part in listed] == [1, 2]
        complete_upload(self, key, upload_id, parts)

    monkeypatch.setattr(Store, "upload_part", fail_once)
    monkeypatch.setattr(Store, "complete_upload", look_before)

    # WHEN it is exported
    table = export(engine, Tasks())

    # THEN the object is the second attempt's part, every row once
    assert uploaded == [1, 2, -1, 1]
    assert len(table["part_sizes"]) == 1
    assert_sound(engine, database, table)


@pytest.mark.usefixtures("small_parts", "without_page_ranges")
def test_a_table_that_no_object_holds_fails_in_one_line_and_leaves_nothing(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_export.parts.MAXIMUM_PARTS", 2)
    make_log(database, 30_000)
    with pytest.raises(ExportError, match=r"log_143022\.csv\.gz: the table needs more than the .*exclude_tables"):
        export(engine, Tasks())
    assert engine.files() == engine.uploads() == []
    assert database.open_transactions() == 0


@pytest.mark.parametrize("rows", [0, 1, 1000, 7000], ids=["no row", "one row", "small table", "large table"])
def test_the_first_member_holds_the_header_and_rows(engine: Engine, database: Database, rows: int) -> None:
    make_log(database, rows)
    export(engine, Tasks())
    header, *others = first_member(engine)
    assert header == b"id,dttm,extra"
    assert len(others) == rows  # one member in all: also the large one is less than a part


def test_a_part_whose_first_chunk_has_no_rows_begins_with_the_header_and_rows_all_the_same(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a window without a row of the last pages, which the first task reads, while the tasks for the others begin
    make_log(database, 20_000)
    database.execute("INSERT INTO log SELECT g, '2000-01-01', repeat('x', 1280) FROM generate_series(1, 12000) g")
    monkeypatch.setattr("metadata_export.statements.CHUNK_BYTES", 14 * MIB)
    tasks = Tasks(together=threading.Barrier(3))

    # WHEN it is exported
    table = export(engine, tasks, rule="date", CUTOFF="2020-01-01T00:00:00Z", MAX_AGE_IN_DAYS="30")

    # THEN one chunk was read again for the first member, and every row is there once
    assert len(tasks.descriptions) == 4
    assert table["rows"] == 20_000
    assert len(table["part_sizes"]) > 1
    header, *others = first_member(engine)
    assert header == b"id,dttm,extra"
    assert len(others) > 1000
    database.execute("CREATE VIEW in_window AS SELECT * FROM log WHERE dttm >= '2020-01-01'")
    assert_sound(engine, database, table, rows="in_window")
