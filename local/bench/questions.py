"""How long the questions of `query` take over the Parquet files of an export, and in the database that it is of.

Both are warm: PostgreSQL has the pages in memory, the command the blocks in its cache. The start of a process (Python
and the SDK) is not counted, nor is the connection to PostgreSQL.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import sqlglot
from export_contracts.manifest import Manifest
from export_contracts.summary import COMPLETE, FULL, Selection, Summary
from sqlglot import exp

from export_cli.exports import Export
from export_cli.query.bucket import Bucket
from export_cli.query.cache import GIB, Cache
from export_cli.query.database import Database
from export_cli.query.questions import TWO_EXPORTS, questions
from export_cli.query.source import Source
from export_cli.query.versions import Scope
from export_cli.screen import Screen
from local.bench import builds, contestants
from local.bench.builds import BUCKET
from local.bench.dataset import Dataset
from local.bench.errors import BenchError
from local.bench.result import Result
from local.bench.services import Services

_XCOM = "CASE typeof(value) WHEN 'BLOB' THEN octet_length(TRY_CAST(value AS BLOB))"
_XCOM_ELSE = "ELSE length(CAST(value AS VARCHAR)) END AS length"


def measure(services: Services, data: Dataset, rounds: int) -> list[Result]:
    """Export a dataset with Parquet, and return the seconds of each question here and in PostgreSQL."""
    with TemporaryDirectory(dir=services.home) as folder:
        scope = Scope((_exported(services, data, Path(folder)),), history=False)
        cache = Cache(Path(folder) / "cache", 10 * GIB)
        with cache.opened() as temporary, psycopg.connect(services.database.url(data.name)) as connection:
            # As it comes: the benchmark's own setting is for what is measured by processor seconds.
            connection.execute("SET max_parallel_workers_per_gather = 2")
            source = Source(cache, Bucket(services.client("s3"), BUCKET), Screen(as_json=True), temporary)
            with closing(Database(scope, source, temporary)) as database:
                try:
                    return [_compare(name, database, connection, rounds) for name in _asked()]
                finally:
                    services.forget_objects()


def in_postgresql(sql: str) -> str:
    """Return a question as PostgreSQL understands it."""
    before, found, rest = sql.partition(_XCOM)
    sql = before + "length(CAST(value AS VARCHAR)) AS length" + rest.partition(_XCOM_ELSE)[2] if found else sql
    [statement] = sqlglot.parse(sql, read="duckdb")
    return statement.transform(_rounded).sql(dialect="postgres")


def _rounded(node: exp.Expression) -> exp.Expression:
    # PostgreSQL rounds numeric to decimals, and no double precision.
    if isinstance(node, exp.Round):
        node.set("this", exp.cast(node.this, "decimal"))
    return node


def _asked() -> Sequence[str]:
    return [name for name, question in questions().items() if question.over != TWO_EXPORTS]


def _compare(name: str, database: Database, connection: psycopg.Connection, rounds: int) -> Result:
    sql = questions()[name].sql
    statement = in_postgresql(sql)
    ours, theirs = database.rows(sql), connection.execute(statement).fetchall()
    if len(ours) != len(theirs) or not ours:
        raise BenchError(f"{name}: {len(ours)} rows over Parquet, {len(theirs)} in PostgreSQL")
    seconds = {
        "query": _seconds(lambda: database.rows(sql), rounds),
        "postgresql": _seconds(lambda: connection.execute(statement).fetchall(), rounds),
    }
    return {"question": name, "rows": len(ours), **seconds}


def _seconds(ask: Callable[[], Any], rounds: int) -> float:
    taken = []
    for _ in range(max(rounds, 3)):
        begun = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - begun)
    return round(statistics.median(taken), 4)


def _exported(services: Services, data: Dataset, folder: Path) -> Export:
    engine = contestants.engine(data, formats=("csv", "parquet"), key="engine-query", label="an export with Parquet")
    command = engine.command(services, folder)
    log = services.home / "engine-query.log"
    with log.open("wb") as out:
        done = subprocess.run(command.argv, env=command.env, cwd=folder, stdout=out, stderr=out, check=False)
    if done.returncode:
        raise BenchError(f"the export with Parquet failed: see {log}")
    key = f"exports/bench-backups/_runs/{builds.EXPORT_ID}/{data.name}.json"
    body = services.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return Export("", builds.EXPORT_ID, _summary(Manifest.from_json(json.loads(body))))


def _summary(manifest: Manifest) -> Summary:
    return Summary(
        format_version=manifest.format_version,
        export_id=manifest.export_id,
        export_timestamp=manifest.started_at,
        trigger="manual",
        execution_arn="",
        environment="bench",
        airflow_version="3.3.1",
        database_name=manifest.database.name,
        cutoff_date=None,
        max_age_days=None,
        selection=Selection(),
        scope=FULL,
        status=COMPLETE,
        alembic_heads=manifest.database.alembic_heads,
        server_version=manifest.database.server_version,
        consistency=manifest.consistency,
        duration_seconds=manifest.duration_seconds,
        details=manifest.tables,
        skipped_tables={},
        uncatalogued_tables=(),
        orphans={},
        unread_evidence=(),
        masked_columns={},
        failed_groups=(),
        problems=(),
    )
