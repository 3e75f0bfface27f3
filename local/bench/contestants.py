"""Who takes part, each as a command that exports one dataset: this engine, and what it is measured against."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local.aws.glue import spark
from local.bench import builds, together
from local.bench.baselines.task import Task, read_answer
from local.bench.builds import BUCKET, THIS, Build
from local.bench.dataset import TABLES, Dataset
from local.bench.errors import BenchError
from local.bench.services import Services

DEFINITIONS = ("log_template", "dag_bundle", "dag", "dag_version")
EVERYTHING = "2000-01-01T00:00:00"  # the cutoff with which the original's filter keeps every row that has a date
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


def engine(
    data: Dataset,
    *,
    build: Build = THIS,
    slots: int = 2,
    tables: tuple[str, ...] = (),
    formats: tuple[str, ...] = ("csv",),
    key: str | None = None,
    label: str | None = None,
) -> Contestant:
    """A build's Glue script, as the emulator starts it, with `slots` Spark slots; one group, exported whole.

    Args:
        tables: those that it exports; everything by default.
        formats: that it writes.
        key, label: where one build takes part more than once.
    """
    everything = (*DEFINITIONS, *TABLES) if data.tables == TABLES else data.tables
    group = {
        "group": data.name,
        "manifest_key": f"exports/bench-backups/_runs/{builds.EXPORT_ID}/{data.name}.json",
        "tables": [{"table": table, "window": "full"} for table in tables or everything],
        "catalogued_tables": [],
    }

    def command(services: Services, folder: Path) -> Command:
        export = whole_export() | {"formats": formats}
        argv = [*script(build), *builds.job_arguments(export, group, [data.name], database=data.name, cutoff=None)]
        return Command(argv, engine_environment(services, build, folder, slots=slots))

    def outcome(services: Services, folder: Path) -> Outcome:
        delivered = read_manifests(services, [group])
        if not tables and (delivered.rows or 0) < data.rows:
            raise BenchError(f"{build.label} exported {delivered.rows:,} rows of {data.name}, which has {data.rows:,}")
        return delivered

    return Contestant(key or build.key, label or build.label, data, command, outcome)


def script(build: Build) -> list[str]:
    """Return the command that starts a build's script."""
    return [sys.executable, str(build.script)]


def whole_export() -> dict[str, object]:
    """Return what a plan says of an export of everything."""
    path = f"s3://{BUCKET}/exports/bench-backups/2026/12/11/"
    lists = {"include_tables": [], "exclude_tables": [], "mask_columns": []}
    return {"output_path": path, "export_id": builds.EXPORT_ID, "max_age_in_days": None, "windows": {}, **lists}


def engine_environment(services: Services, build: Build, folder: Path, *, slots: int = 2) -> dict[str, str]:
    """Return the environment of a build's run whose folder this is."""
    return services.environment | _spark(services, folder, slots=slots) | {"PYTHONPATH": build.python_path}


def read_manifests(services: Services, groups: Sequence[dict[str, Any]]) -> Outcome:
    """Return what these groups say that they have exported."""
    s3 = services.client("s3")
    bodies = [s3.get_object(Bucket=BUCKET, Key=group["manifest_key"])["Body"].read() for group in groups]
    tables = [table for body in bodies for table in json.loads(body)["tables"].values()]
    details = {"csv_bytes": sum(table["csv_bytes"] for table in tables)}
    return Outcome(sum(table["rows"] for table in tables), sum(table["object_bytes"] for table in tables), details)


def all_at_once(commands: Mapping[str, Command], services: Services, folder: Path) -> Command:
    """Return one command that runs several, each in the folder of its name below the turn's."""
    described = {name: {"argv": each.argv, "env": each.env} for name, each in commands.items()}
    (folder / together.COMMANDS).write_text(json.dumps(described))
    return Command([sys.executable, "-m", "local.bench.together", str(folder)], services.environment)


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


def spark_start(data: Dataset, number: int = 1) -> Contestant:
    """Nothing but Spark's start, so many times at once; the slowest counts."""
    alone = _baseline("spark_start", "Spark's start alone", data, {}, like_the_engine=True)

    def command(services: Services, folder: Path) -> Command:
        folders = {str(run): _made(folder / str(run)) for run in range(number)}
        commands = {name: alone.command(services, own) for name, own in folders.items()}
        return all_at_once(commands, services, folder)

    def outcome(services: Services, folder: Path) -> Outcome:
        starts = [_answer(folder / str(run)).details["start_seconds"] for run in range(number)]
        return Outcome(None, 0, {"start_seconds": max(starts)})

    label = alone.label if number == 1 else f"{alone.label}, {number} at once"
    return Contestant(f"spark_start-{number}", label, data, command, outcome)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


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
