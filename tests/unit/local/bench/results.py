"""Results as the benchmark makes them, with figures of the test's choice."""

from typing import Any


def row(key: str, rows: int, wall: float, python_bytes: int = 100_000_000, **more: Any) -> dict[str, Any]:
    """One contestant's figures."""
    return {
        "key": key,
        "label": f"<{key}>",
        "rows": rows,
        "turns": 3,
        "wall_seconds": {"median": wall, "min": wall - 0.5, "max": wall + 0.5},
        "cpu_seconds": {"python": 1.0, "java": 2.0, "other": 0.5, "postgres": 4.0, "s3": 0.25},
        "peak_bytes": {"python": python_bytes, "java": 0, "other": 0},
        "output_bytes": 5_000_000,
        "pages_read": 1_234_567,
        "statement_seconds": {"rows": 2.5, "look": 1.25, "catalog": 0.25},
        "rows_per_second": round(rows / wall),
        "seconds_per_million_rows": wall / rows * 1e6,
        "csv_mb_per_second": 10.0,
        **more,
    }


def result(**parts: Any) -> dict[str, Any]:
    """A result that holds these parts and no other figures."""
    return {
        "made_at": "2026-12-11T14:30:22+00:00",
        "command": "python -m local.bench",
        "machine": {"cores": 2, "memory_gb": 24, "cpu": "a processor"},
        "versions": {"python": "3.11.7"},
        "spark_start_seconds": {"median": 3.0, "min": 2.0, "max": 4.0},
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
        **parts,
    }


def windowed(
    contestant: str, kind: str, database_rows: int, *, postgres: float = 4.0, look: float = 1.0, wall: float = 10.0
) -> dict[str, Any]:
    """One contestant's figures over a window, whose Spark starts took 2 s."""
    own = {"contestant": contestant, "kind": kind, "database_rows": database_rows, "start_seconds": 2.0}
    figures = row(f"{contestant}-{kind}-{database_rows}", 82_000, wall) | own
    cpu = figures["cpu_seconds"] | {"postgres": postgres}
    return figures | {"cpu_seconds": cpu, "statement_seconds": {"rows": postgres - look, "look": look, "catalog": 0.0}}
