"""Who takes part, each as a command that exports one dataset: this engine, and what it is measured against."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from local.aws.glue import spark
from local.aws.settings import REGION
from local.bench.baselines.task import Task, read_answer
from local.bench.dataset import TABLES, Dataset
from local.bench.errors import BenchError
from local.bench.services import BUCKET, ROOT, Services

DEFINITIONS = ("log_template", "dag_bundle", "dag", "dag_version")
EVERYTHING = "2000-01-01T00:00:00"  # the cutoff with which the original's filter keeps every row that has a date
EXPORT_ID = "20261211T143022Z"
LONG_RUN_ROWS = 100_000
BASELINE_DRIVER_MEMORY = "6g"  # about what Glue gives the driver of a G.1X worker; 1 GB would end the original early


@dataclass(frozen=True)
class Command:
    """What to run for one turn."""

    argv: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What a turn delivered: rows, None where the contestant does not count them, and bytes on disk or in S3."""

    rows: int | None
    output_bytes: int
    details: dict[str, float]


@dataclass(frozen=True)
class Contestant:
    """One way to export a dataset.

    Args:
        key: short name, for files and JSON.
        label: for people.
        data: what it exports.
        command: makes the command; gets an empty folder of this turn.
        outcome: reads what was delivered, after a successful turn.
    """

    key: str
    label: str
    data: Dataset
    command: Callable[[Services, Path], Command]
    outcome: Callable[[Services, Path], Outcome]


def engine(data: Dataset, *, slots: int = 2, key: str = "engine", label: str = "this engine") -> Contestant:
    """This project's Glue script, as the emulator starts it, with `slots` Spark slots; exports everything."""

    def command(services: Services, folder: Path) -> Command:
        argv = [sys.executable, str(ROOT / "glue" / "mwaa_metadb_export.py"), *_job_arguments(data)]
        env = services.environment | _spark(services, folder, slots=slots)
        return Command(argv, env)

    def outcome(services: Services, folder: Path) -> Outcome:
        body = services.client("s3").get_object(Bucket=BUCKET, Key=_manifest_key(data))["Body"].read()
        tables = json.loads(body)["tables"].values()
        rows = sum(table["rows"] for table in tables)
        if rows < data.rows:
            raise BenchError(f"the engine exported {rows:,} rows of {data.name}, which has {data.rows:,} or more")
        details = {"csv_bytes": sum(table["csv_bytes"] for table in tables)}
        return Outcome(rows, sum(table["object_bytes"] for table in tables), details)

    return Contestant(key, label, data, command, outcome)


def pg_dump(data: Dataset, jobs: int) -> Contestant:
    """PostgreSQL's own dump, in the directory format, to the local disk."""

    def command(services: Services, folder: Path) -> Command:
        database = services.database
        options = [
            "-Fd",
            f"-j{jobs}",
            "-Z1",
            "-h",
            "127.0.0.1",
            "-p",
            str(database.port),
            "-U",
            "postgres",
            "-d",
            data.name,
        ]
        argv = [str(database.bin_dir / "pg_dump"), *options, "-f", str(folder / "dump")]
        return Command(argv, services.environment | {"PGPASSWORD": database.password})

    return Contestant(
        f"pg_dump-j{jobs}", f"pg_dump -Fd -j{jobs} -Z1", data, command, lambda _, folder: _files(folder / "dump")
    )


def original(data: Dataset, jar: Path) -> Contestant:
    """The superseded solution's way, re-created."""
    return _baseline(
        "original", "the original's way", data, {"spark.jars": str(jar), "spark.driver.memory": BASELINE_DRIVER_MEMORY}
    )


def spark_csv(data: Dataset, jar: Path) -> Contestant:
    """Spark's JDBC reader and CSV writer, one file a table."""
    conf = {"spark.jars": str(jar), "spark.driver.memory": BASELINE_DRIVER_MEMORY}
    contestant = _baseline("spark_csv", "Spark JDBC to CSV, coalesce(1)", data, conf)
    return replace(contestant, outcome=lambda _, folder: replace(_answer(folder), rows=None))


def spark_start(data: Dataset) -> Contestant:
    """Nothing but Spark's start."""
    return _baseline("spark_start", "Spark's start alone", data, {}, like_the_engine=True)


def _baseline(
    key: str, label: str, data: Dataset, conf: dict[str, str], *, like_the_engine: bool = False
) -> Contestant:
    """A long run of a baseline has Java as it comes: the emulator's switches for a quick start would slow it down."""

    def command(services: Services, folder: Path) -> Command:
        task: Task = services.task(data, folder, EVERYTHING)
        argv = [sys.executable, "-m", f"local.bench.baselines.{key}"]
        env = services.environment | task.to_environment() | _spark(services, folder, conf=conf)
        if data.rows >= LONG_RUN_ROWS and not like_the_engine:
            env.pop("JDK_JAVA_OPTIONS", None)
        return Command(argv, env)

    return Contestant(key, label, data, command, lambda _, folder: _answer(folder))


def _answer(folder: Path) -> Outcome:
    figures = read_answer(folder)
    rows = int(figures["rows"]) if "rows" in figures else None
    return Outcome(rows, int(figures.get("output_bytes", 0)), figures)


def _files(folder: Path) -> Outcome:
    return Outcome(None, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), {})


def _spark(services: Services, folder: Path, *, slots: int = 2, conf: dict[str, str] | None = None) -> dict[str, str]:
    """Spark as the emulator configures it for a Glue run, with a baseline's additions."""
    settings = replace(services.aws.settings, spark_master=f"local[{slots},4]")
    env = spark.environment(settings, folder, conf)
    return env | {"TMPDIR": str(folder), "PATH": os.environ["PATH"]}


def _manifest_key(data: Dataset) -> str:
    return f"exports/bench-backups/_runs/{EXPORT_ID}/{data.name}.json"


def _job_arguments(data: Dataset) -> list[str]:
    tables = data.tables if data.tables != TABLES else (*DEFINITIONS, *TABLES)
    arguments = {
        "AWS_REGION": REGION,
        "S3_OUTPUT_PATH": f"s3://{BUCKET}/exports/bench-backups/2026/12/11/",
        "DATABASE_NAME": data.name,
        "EXPORT_TABLES": json.dumps([{"table": table, "window": "full"} for table in tables]),
        "GLUE_CONNECTION_NAME": data.name,
        "MAX_AGE_IN_DAYS": "null",
        "CUTOFF": "null",
        "EXPORT_ID": EXPORT_ID,
        "EXPORT_GROUP": data.name,
        "EXPORT_GROUPS": json.dumps([data.name]),
        "MANIFEST_KEY": _manifest_key(data),
        "CATALOGUED_TABLES": "[]",
        "INCLUDE_TABLES": "[]",
        "EXCLUDE_TABLES": "[]",
        "WINDOWS": "{}",
        "MASK_COLUMNS": "[]",
        "SNAPSHOT_HOLD_SECONDS": "900",
        "MAX_CONNECTIONS": "4",
        "STATEMENT_TIMEOUT_SECONDS": "3600",
        "EXECUTION_ARN": "",
    }
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]
