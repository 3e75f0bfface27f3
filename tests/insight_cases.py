"""Made-up insights for the tests of the page and its picture, of the size of a real environment."""

import math
import random
from datetime import UTC, date, datetime, timedelta

from export_cli.insights.breaks import Day, find_breaks
from export_cli.insights.figures import Growth, Insights, Pool, Runs, Task, Trend
from tests.report_cases import HOSTILE

UNTIL = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
DAYS = 90
_DAGS = {
    "orders_hourly": (190.0, 2.4, 71),
    "billing_export": (640.0, 1.7, 52),
    "ml_features": (2400.0, 0.55, 60),
    "warehouse_refresh": (1300.0, 1.0, 0),
    "customer_360": (820.0, 1.0, 0),
    "sessions_rollup": (75.0, 1.0, 0),
}


def insights(name: str = "analytics-prod") -> Insights:
    """Return what a page shows of an environment with this name."""
    chance = random.Random(4711)  # noqa: S311 - the same page each time
    since = (UNTIL - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0)
    days = [since.date() + timedelta(days=number) for number in range(DAYS + 1)]
    trends = tuple(_trend(dag, days, *shape, chance) for dag, shape in _DAGS.items())
    runs = tuple(_runs(day, number, chance) for number, day in enumerate(days))
    tasks = tuple(
        Task(dag, f"task_{number}_of_many", 900 + 7 * number, 400.0 / number, 1900.0 / number, 250000.0 / number)
        for number, dag in enumerate(_DAGS, 1)
    )
    return Insights(name, since, UNTIL, 88, runs, trends, tasks, _POOLS, _growth())


def hostile() -> Insights:
    """Return the same where every name is hostile."""
    plain = insights(HOSTILE)
    trends = tuple(Trend(HOSTILE, t.runs, t.seconds, t.days, t.breaks) for t in plain.trends)
    tasks = tuple(Task(HOSTILE * 3, HOSTILE, t.runs, t.median, t.p95, t.total) for t in plain.tasks)
    pools = tuple(Pool("x" * 200, p.slots, p.tasks, p.median, p.p95, p.used, p.busiest) for p in plain.pools)
    growth = tuple(Growth(HOSTILE, g.moments, g.sizes) for g in plain.growth)
    return Insights(HOSTILE, plain.since, plain.until, 1, plain.runs, trends, tasks, pools, growth)


def empty() -> Insights:
    """Return those of an environment that has run nothing."""
    return Insights("new", UNTIL - timedelta(days=7), UNTIL, 1, (), (), (), (), ())


def one_day() -> Insights:
    """Return those of an environment that has run for a day."""
    plain = insights()
    trends = tuple(Trend(t.dag, t.days[-1].runs, t.days[-1].median, t.days[-1:], ()) for t in plain.trends)
    return Insights("new", UNTIL - timedelta(days=7), UNTIL, 1, plain.runs[-1:], trends, plain.tasks, plain.pools, ())


_POOLS = (
    Pool("default_pool", 128, 214_233, 2.1, 41.0, 0.34, 0.88),
    Pool("redshift", 8, 9_122, 44.0, 1210.0, 0.71, 1.0),
    Pool("sensors", None, 41_002, 0.9, 3.2, None, None),
)


def _trend(dag: str, days: list[date], base: float, factor: float, at: int, chance: random.Random) -> Trend:
    found = []
    for number, day in enumerate(days):
        middle = base * (factor if at and number >= at else 1) * chance.uniform(0.92, 1.1)
        found.append(Day(day, 24, middle, middle * chance.uniform(1.15, 1.7)))
    total = sum(day.median * day.runs for day in found)
    return Trend(dag, 24 * len(days), total, tuple(found), find_breaks(found))


def _runs(day: date, number: int, chance: random.Random) -> Runs:
    runs = round((700 if day.weekday() < 5 else 420) * chance.uniform(0.8, 1.1))
    failed = 300 if number == 52 else chance.choice([0, 0, 0, 2, 9]) if number < 70 else chance.randint(0, 70)
    return Runs(day, 0 if number == 20 else runs, 0 if number == 20 else failed)


def _growth() -> tuple[Growth, ...]:
    moments = tuple(UNTIL - timedelta(days=DAYS - 1 - number) for number in range(DAYS))
    shapes = {
        "log": (1_900, 7.1),
        "task_instance": (1_100, 3.2),
        "xcom": (420, 4.4),
        "rendered_task_instance_fields": (700, 1.1),
    }
    return tuple(
        Growth(table, moments, tuple(round(1e6 * (base + a_day * n + 30 * math.sin(n / 4))) for n in range(DAYS)))
        for table, (base, a_day) in shapes.items()
    )
