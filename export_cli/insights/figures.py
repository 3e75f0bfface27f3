"""The figures of the page, asked of the history."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from export_cli.insights.breaks import Break, Day, find_breaks
from export_cli.query.database import Database

_DAGS, _TASKS, _TABLES = 12, 12, 12


@dataclass(frozen=True)
class Runs:
    """The dag runs that began on a day."""

    day: date
    runs: int
    failed: int


@dataclass(frozen=True)
class Trend:
    """The durations of a DAG's runs, day by day, and their breaks."""

    dag: str
    runs: int
    seconds: float
    days: tuple[Day, ...]
    breaks: tuple[Break, ...]


@dataclass(frozen=True)
class Task:
    """How long the runs of a task took, in seconds."""

    dag: str
    task: str
    runs: int
    median: float
    p95: float
    total: float


@dataclass(frozen=True)
class Pool:
    """What a pool was used for: shares of its slots, and seconds in the queue.

    ``slots``: None is not known, -1 no limit; without a number of them there are no shares.
    """

    name: str
    slots: int | None
    tasks: int
    median: float
    p95: float
    used: float | None
    busiest: float | None


@dataclass(frozen=True)
class Growth:
    """A table's bytes of CSV in each export that has it, oldest first."""

    table: str
    moments: tuple[datetime, ...]
    sizes: tuple[int, ...]

    @property
    def a_day(self) -> float:
        """Bytes that it grows a day."""
        days = (self.moments[-1] - self.moments[0]) / timedelta(days=1)
        return (self.sizes[-1] - self.sizes[0]) / days if days else 0.0


@dataclass(frozen=True)
class Insights:
    """Everything that the page shows. ``since`` is the first moment, ``until`` that of the newest export, UTC."""

    environment: str
    since: datetime
    until: datetime
    exports: int
    runs: tuple[Runs, ...]
    trends: tuple[Trend, ...]
    tasks: tuple[Task, ...]
    pools: tuple[Pool, ...]
    growth: tuple[Growth, ...]


def gather(database: Database, environment: str, since: datetime, until: datetime, exports: int) -> Insights:
    """Ask everything.

    Args:
        database: over the history.
        environment: its name.
        since: what began before is not looked at, UTC.
        until: start of the newest export, UTC.
        exports: how many there are.

    Raises:
        InvalidOptionError: a table or column that is needed is not in the exports.
    """
    window = {"since": f"TIMESTAMPTZ '{since.isoformat()}'", "until": f"TIMESTAMPTZ '{until.isoformat()}'"}

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return database.rows(sql.format(**window))

    runs = tuple(Runs(*row) for row in ask(_RUNS))
    tasks = tuple(Task(*row) for row in ask(_TASK.replace("{tasks}", str(_TASKS))))
    pools = tuple(Pool(*row) for row in ask(_POOLS))
    return Insights(environment, since, until, exports, runs, _trends(ask(_DURATIONS)), tasks, pools,
                    _growth(ask(_SIZES)))  # fmt: skip


def _trends(rows: Iterable[tuple[Any, ...]]) -> tuple[Trend, ...]:
    """Return the DAGs that are worth a look: those that broke, the strongest first, then those that run longest."""
    days: dict[str, list[Day]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for dag, day, runs, middle, p95, total in rows:
        days[dag].append(Day(day, runs, middle, p95))
        seconds[dag] += total
    trends = [
        Trend(dag, sum(day.runs for day in found), seconds[dag], tuple(found), find_breaks(found))
        for dag, found in days.items()
    ]
    return tuple(sorted(trends, key=_weight, reverse=True)[:_DAGS])


def _weight(trend: Trend) -> tuple[float, float]:
    return max((found.factor for found in trend.breaks if found.slower), default=0.0), trend.seconds


def _growth(rows: Iterable[tuple[Any, ...]]) -> tuple[Growth, ...]:
    found: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for table, moment, size in rows:
        found[table].append((moment.astimezone(UTC), size))
    growing = (Growth(table, *zip(*pairs, strict=True)) for table, pairs in found.items() if len(pairs) > 1)
    return tuple(sorted((each for each in growing if each.a_day > 0), key=lambda each: -each.a_day)[:_TABLES])


_RUNS = """
SELECT CAST(start_date AS DATE) AS day, count(*), count(*) FILTER (WHERE state = 'failed')
FROM dag_run WHERE start_date >= {since} AND start_date < {until} GROUP BY day ORDER BY day
"""
_DURATIONS = """
SELECT dag_id, day, count(*), quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95), sum(seconds)
FROM (SELECT dag_id, CAST(start_date AS DATE) AS day, epoch(end_date) - epoch(start_date) AS seconds
      FROM dag_run WHERE start_date >= {since} AND end_date >= start_date AND end_date < {until}
                         AND state IN ('success', 'failed'))
GROUP BY dag_id, day ORDER BY dag_id, day
"""
_TASK = """
SELECT dag_id, task_id, count(*), quantile_cont(duration, 0.5), quantile_cont(duration, 0.95) AS p95, sum(duration)
FROM task_instance
WHERE start_date >= {since} AND start_date < {until} AND duration >= 0 AND isfinite(duration)
GROUP BY dag_id, task_id ORDER BY p95 DESC, dag_id, task_id LIMIT {tasks}
"""
# A task is counted in each hour for the part that it ran in it. A pool of -1 slots has no limit. One that was deleted
# and made anew is two rows of the history with one name. What no export reaches back to is no time without use.
_POOLS = """
WITH ran AS (
    SELECT pool, coalesce(pool_slots, 1) AS slots, greatest(start_date, {since}) AS began,
           least(coalesce(end_date, {until}), {until}) AS ended,
           CASE WHEN start_date >= queued_dttm THEN epoch(start_date) - epoch(queued_dttm) END AS waited
    FROM task_instance WHERE start_date >= {since} AND start_date < {until} AND pool IS NOT NULL
), hours AS (
    SELECT pool, hour, sum(slots * greatest(0, epoch(least(ended, hour + INTERVAL 1 HOUR))
                                               - epoch(greatest(began, hour)))) / 3600 AS used
    FROM (SELECT *, unnest(generate_series(date_trunc('hour', began), ended, INTERVAL 1 HOUR)) AS hour FROM ran)
    GROUP BY pool, hour
), use AS (SELECT pool, sum(used) AS used, max(used) AS busiest FROM hours GROUP BY pool),
known AS (SELECT pool, arg_max(slots, export_id) AS slots FROM versions.slot_pool GROUP BY pool),
covered AS (SELECT greatest(1, (epoch({until}) - epoch(min(began))) / 3600) AS hours FROM ran)
SELECT pool, any_value(k.slots), count(*), coalesce(quantile_cont(waited, 0.5), 0),
       coalesce(quantile_cont(waited, 0.95), 0),
       any_value(u.used) / (any_value(CASE WHEN k.slots > 0 THEN k.slots END) * (SELECT hours FROM covered)),
       any_value(u.busiest) / any_value(CASE WHEN k.slots > 0 THEN k.slots END)
FROM ran LEFT JOIN known k USING (pool) LEFT JOIN use u USING (pool)
GROUP BY pool ORDER BY 5 DESC, pool LIMIT 12
"""
# Exports of less would look like a fall.
_SIZES = """
SELECT t.table_name, e.started, t.csv_bytes
FROM exported_tables t JOIN exports e USING (export_id)
WHERE e.status = 'COMPLETE' AND coalesce(e.scope, 'full') = 'full' AND e.started >= {since}
ORDER BY t.table_name, e.started
"""
