"""The driver's loop, its results and what it says of them."""

import gc
import importlib
import json
import logging
import sys
import threading
import zipfile
import zipimport
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest
from metadata_export import log, spark
from metadata_export.arguments import parse_arguments
from metadata_export.catalog import Catalog, Column
from metadata_export.chunk import ChunkResult, ChunkTask
from metadata_export.compress import compressed
from metadata_export.delivery import Delivery
from metadata_export.errors import ExportError, StorageError, TableError, TransientSourceError, describe
from metadata_export.manifest import build_manifest
from metadata_export.parts import MIB
from metadata_export.plan import Extract, GroupPlan
from metadata_export.progress import Progress
from metadata_export.selection import Selection
from metadata_export.snapshot import Snapshot
from metadata_export.spark import _last_python_error
from metadata_export.statements import Statement
from metadata_export.storage import Store
from metadata_export.task import Result, Session, TableResult, Task
from metadata_export.work import ExportedTable, Work

from tests.unit.glue.conftest import ROOT
from tests.unit.glue.test_arguments import argv

SCHEMA = json.loads((ROOT / "docs/contracts/group_manifest.schema.json").read_text())
STARTED = datetime(2026, 12, 11, 14, 30, 40, tzinfo=UTC)
COLUMNS = (Column("id", "integer", True, False), Column("group", "text", False, False))


def extract(name: str, chunks: int = 1, size: int = 1) -> Extract:
    return Extract(name, f"day/{name}", "full", COLUMNS, (Statement("COPY", ""),) * chunks, size)


@dataclass
class Runner:
    """Answers each chunk with one row, each small table with two.

    Args:
        fail: by a task's description, whether nothing can be exported any more.
        fail_table: whether what the task is about cannot be.
    """

    store: Store
    fail: Callable[[str], bool] = lambda description: False
    fail_table: Callable[[str], bool] = lambda description: False
    running: int = 0
    most: int = 0
    cancelled: bool = False
    descriptions: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, task: Task, description: str) -> Result:
        with self.lock:
            self.descriptions.append(description)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            if self.fail(description):
                raise ExportError(f"{description}: no")
            if self.fail_table(description):
                raise TableError(f"{description}: not it")
            if isinstance(task, ChunkTask):
                return ChunkResult(1, 4, (), compressed(b"1,a\n"))
            return tuple(TableResult(each.table, 2, 17, 7, self.store.put(each.key, b"gz"), 0.1) for each in task)
        finally:
            with self.lock:
                self.running -= 1

    def cancel(self) -> None:
        self.cancelled = True


def work(extracts: list[Extract], runner: Runner, parallelism: int = 2) -> Work:
    done = Work(extracts, runner.store, parallelism, Progress(len(extracts), 1))
    done.run(runner)
    return done


def run(extracts: list[Extract], runner: Runner) -> list[ExportedTable]:
    found = work(extracts, runner)
    assert found.failed == {}
    return found.done


def test_given_large_and_small_tables_then_each_is_one_result_and_tasks_are_named_after_them(store: Store) -> None:
    runner = Runner(store)
    tables = run([extract("log", 5, 500 * MIB), extract("pool"), extract("variable")], runner)
    assert {each.extract.table: each.object.rows for each in tables} == {"log": 5, "pool": 2, "variable": 2}
    assert runner.most <= 2
    assert {"log: chunk 1 of 5", "log: chunk 5 of 5", "1 small tables: pool"} <= set(runner.descriptions)


def test_given_a_failure_then_the_rest_is_cancelled_and_it_is_the_error(store: Store) -> None:
    runner = Runner(store, fail=lambda description: "chunk 2" in description)
    with pytest.raises(ExportError, match="log: chunk 2 of 50: no"):
        work([extract("log", 50, 500 * MIB)], runner, parallelism=1)
    assert runner.cancelled
    assert len(runner.descriptions) < 50
    assert "Contents" not in store.s3.list_objects_v2(Bucket=store.bucket)


def test_given_a_chunk_that_fails_then_its_table_ends_there_and_the_others_go_on(store: Store) -> None:
    runner = Runner(store, fail_table=lambda description: "log: chunk 2 " in description)
    found = work([extract("log", 50, 500 * MIB), extract("job", 3, 400 * MIB), extract("pool")], runner, parallelism=1)
    assert found.failed == {"log": "log: chunk 2 of 50: not it"}
    assert sorted(each.extract.table for each in found.done) == ["job", "pool"]
    assert [each for each in runner.descriptions if each.startswith("log")] == [
        "log: chunk 1 of 50",
        "log: chunk 2 of 50",
    ]
    assert not runner.cancelled
    assert "day/log" not in Store(store.s3, store.bucket).keys("")


def test_given_a_small_table_that_fails_then_those_it_shared_the_task_with_are_tried_alone(store: Store) -> None:
    runner = Runner(store, fail_table=lambda description: "pool" in description)
    found = work([extract(name) for name in ("dag", "job", "pool", "variable")], runner, parallelism=1)
    assert found.failed == {"pool": "1 small tables: pool: not it"}
    assert sorted(each.extract.table for each in found.done) == ["dag", "job", "variable"]
    assert len(runner.descriptions) == 5


def test_given_an_upload_that_s3_refuses_then_only_its_table_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Store.create_upload

    def refuse(self: Store, key: str) -> str:
        if key == "day/log":
            raise StorageError("cannot begin the upload of day/log: KeyTooLongError")
        return create(self, key)

    monkeypatch.setattr(Store, "create_upload", refuse)
    found = work([extract("log", 3, 500 * MIB), extract("job", 3, 400 * MIB)], Runner(store))
    assert (list(found.failed), [each.extract.table for each in found.done]) == (["log"], ["job"])


def test_given_an_error_that_is_not_about_a_table_then_what_it_cancels_is_no_failure_of_a_table(store: Store) -> None:
    started = threading.Barrier(2, timeout=10)

    class Cancelling(Runner):
        def run(self, task: Task, description: str) -> Result:
            started.wait()
            if "log" in description:
                raise ExportError("the snapshot is gone")
            while not self.cancelled:  # as Spark's: a job that is cancelled fails like one whose worker died
                threading.Event().wait(0.01)
            raise TableError("job cancelled")

    found = Work([extract("log", 1, 500 * MIB), extract("job", 1, 400 * MIB)], store, 2, Progress(2, 1))
    with pytest.raises(ExportError, match="the snapshot is gone"):
        found.run(Cancelling(store))
    assert (found.done, found.failed) == ([], {})


def test_given_results_then_the_manifest_is_as_the_contract_says(store: Store) -> None:
    tables = run([extract("log", 2, 500 * MIB), extract("pool")], Runner(store))
    skipped = {"sla_miss": "not in this Airflow version's schema"}
    selection = Selection({"log": "full", "pool": "full"}, skipped, ("pool",), {})
    plan = GroupPlan(Catalog({}, "15.18", 150_018, {}, {}, ()), selection, (), {}, {"pool": 3})
    manifest: dict[str, Any] = build_manifest(
        parse_arguments(argv()).group_run,
        plan,
        {"alembic_version": ["d2f4e1b3c5a7"]},
        Snapshot("0001", "own", "jr_1", "the holder has ended"),
        Delivery(tables, {"xcom": "cannot export the table xcom: permission denied"}),
        STARTED,
        STARTED + timedelta(seconds=12.5),
    )
    jsonschema.validate(manifest, SCHEMA)
    assert manifest["orphans"] == {"pool": 3}
    assert manifest["consistency"] == "per-group"
    assert manifest["duration_seconds"] == 12.5
    assert manifest["cutoff"] == "2026-11-11T14:30:22Z"
    assert manifest["tables"]["log"]["columns"][1] == {"name": "group", "type": "text"}
    assert manifest["failed_tables"] == {"xcom": "cannot export the table xcom: permission denied"}
    assert manifest["tables"]["pool"]["part_sizes"] == [manifest["tables"]["pool"]["object_bytes"]]


def test_given_hostile_values_then_a_record_is_one_line_of_json() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, 'a\n{"forged": true}\r\u2028', None, None)
    record.fields = {"table": "x\ny"}
    line = log.JsonFormatter({"export_id": "20261211T143022Z"}).format(record)
    assert len(line.splitlines()) == 1
    parsed = json.loads(line)
    assert parsed["message"] == 'a\n{"forged": true}\r\u2028'
    assert (parsed["export_id"], parsed["table"]) == ("20261211T143022Z", "x\ny")


def test_given_progress_then_it_is_said_at_a_readable_rate_with_an_estimate(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    caplog.set_level(logging.INFO, logger="metadata_export")
    progress = Progress(tables=2, disk_bytes=1000, clock=lambda: now[0])
    for _ in range(10):
        now[0] += 3
        progress.work_done(rows=100, csv_bytes=3_000_000, disk_bytes=50)
    assert [record.getMessage() for record in caplog.records] == [
        "0 of 2 tables, 400 rows, 1.0 MB/s, about 48 s left",
        "0 of 2 tables, 800 rows, 1.0 MB/s, about 36 s left",
    ]
    assert caplog.records[0].fields["csv_bytes"] == 12_000_000  # type: ignore[attr-defined]


def test_given_an_error_then_its_description_is_one_bounded_line() -> None:
    assert describe(TransientSourceError("cannot\n  connect\r\n\tto it")) == "cannot connect to it"
    assert describe(KeyError()) == "KeyError"
    assert len(describe(ValueError("x" * 5000))) == 1000


def test_given_a_task_has_ended_then_spark_s_worker_neither_walks_its_memory_nor_reads_archives_before_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN a task that imports from an archive, as workers import pyspark
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("in_an_archive.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "archive.zip"))

    def task(*_: object) -> Result:
        importlib.import_module("in_an_archive")
        return ()

    monkeypatch.setattr(spark, "run_task", task)
    monkeypatch.setattr(spark, "s3_client", lambda region: None)
    spark._prepared.cache_clear()
    gc.unfreeze()

    # WHEN it has ended
    spark._attempt(cast(Session, SimpleNamespace(region="eu-central-1")), ())

    # THEN what the worker does between two tasks finds nothing to do
    assert gc.get_freeze_count() > 10_000
    assert not [each for each in sys.path_importer_cache.values() if isinstance(each, zipimport.zipimporter)]
    gc.unfreeze()


def test_given_a_java_exception_then_the_python_error_in_it_is_the_message() -> None:
    text = "An error occurred while calling o1.collectToPython.\n: org.apache.spark.SparkException: Job aborted\n"
    text += (
        "Traceback (most recent call last):\n  File x.py, line 1\nValueError: the reason\n\n\tat org.apache.Spark:1\n"
    )
    assert _last_python_error(text) == "ValueError: the reason"


def test_given_a_worker_that_died_then_the_reason_is_what_spark_says_of_its_last_attempt() -> None:
    text = (
        "An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.\n"
        ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 2.0 failed 4 times, most "
        "recent failure: Lost task 0.3 in stage 2.0 (TID 6): org.apache.spark.SparkException: Python worker exited "
        "unexpectedly (crashed)\n\tat org.apache.spark.api.python.BasePythonRunner\nCaused by: java.io.EOFException\n"
    )
    assert _last_python_error(text).startswith("Lost task 0.3 in stage 2.0 (TID 6)")
    assert _last_python_error(text).endswith("Python worker exited unexpectedly (crashed)")
