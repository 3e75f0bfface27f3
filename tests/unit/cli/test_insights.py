"""`insights`: the page over a history, its figures, and when durations broke."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from export_cli.insights.breaks import Day, find_breaks
from export_cli.insights.charts import shade
from tests.unit.cli.made import HOSTILE, LAYOUT, Made

FIRST = date(2026, 9, 1)
MOMENT, TEXT, NUMBER = "timestamp with time zone", "text", "double precision"
TYPES = {
    "dag_run": ["integer", TEXT, TEXT, MOMENT, MOMENT],
    "task_instance": [TEXT, TEXT, TEXT, "integer", MOMENT, MOMENT, MOMENT, NUMBER, TEXT, "integer"],
    "slot_pool": ["integer", TEXT, "integer"],
}


def days(*medians: float) -> list[Day]:
    return [Day(FIRST + timedelta(days=at), 5, value, value * 1.5) for at, value in enumerate(medians)]


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        ([100] * 20 + [200] * 20, [(20, True)]),
        ([100] * 20 + [200] * 12 + [100] * 12, [(20, True), (32, False)]),
        ([100] * 20 + [900] * 2 + [100] * 20, []),
        ([100, 140] * 20, []),
        ([1] * 20 + [9] * 20, []),
        ([100] * 2 + [900] * 2, []),
        ([100] * 20 + [200] * 2, []),
        ([0.0] * 10 + [60.0] * 10, [(10, True)]),
        ([], []),
    ],
    ids=["slower", "and fast again", "two days", "noise", "seconds", "too few", "not yet", "from nothing", "no run"],
)
def test_given_durations_then_a_break_is_where_they_stay_different(medians, expected) -> None:
    assert [((found.day - FIRST).days, found.slower) for found in find_breaks(days(*medians))] == expected


@pytest.mark.parametrize(
    ("runs", "failed", "expected"), [(0, 0, "none"), (1, 0, "g1"), (100, 0, "g4"), (100, 1, "b1"), (5, 5, "b4")]
)
def test_given_a_day_then_its_shade_tells_runs_and_failures(runs, failed, expected) -> None:
    assert shade(runs, failed, 100) == expected


@pytest.fixture
def page(made: Made, run: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Give a function that makes the page over two exports of these rows, and returns it."""

    def making(dag: str = "orders", pool: str = "default_pool", runs: int = 8) -> str:
        now = datetime.now(UTC).replace(minute=10, microsecond=0) - timedelta(days=5)
        dag_runs: list[list[str | None]] = [["id", "dag_id", "state", "start_date", "end_date"]]
        tasks: list[list[str | None]] = [["dag_id", "task_id", "run_id", "map_index", "queued_dttm", "start_date",
                                          "end_date", "duration", "pool", "pool_slots"]]  # fmt: skip
        for number in range(runs):
            start = now - timedelta(days=number)
            ended, queued = str(start + timedelta(minutes=30)), str(start - timedelta(seconds=90))
            dag_runs.append([str(number), dag, "failed" if number == 3 else "success", str(start), ended])
            tasks.append([dag, "load", str(number), "-1", queued, str(start), ended, "1800", pool, "2"])
        pools: list[list[str | None]] = [["id", "pool", "slots"], ["1", pool, "1"], ["2", "idle", "-1"]]
        tables = {"dag_run": dag_runs, "task_instance": tasks, "slot_pool": pools}
        for age, rows in ((4, dag_runs[: max(1, runs)]), (1, dag_runs)):
            made.export(timedelta(days=age), tables=tables | {"dag_run": rows}, types=TYPES, report=None)
        file = tmp_path / "page.html"
        answer = run("insights", "--to", str(file), "--cache", str(tmp_path / "cache"))
        assert (answer.code, answer.err) == (0, "")
        return file.read_text()

    return making


def test_given_a_history_then_the_page_has_its_figures(page) -> None:
    text = page()
    for told in (
        "from 2 exports",
        "1 run, 1 failed",
        "8 runs",
        ">12.5%<",
        "30 min",
        "1 min 30 s",
        ">100%<",
        "dag_<wbr>run",
    ):
        assert told in text


def test_given_hostile_names_then_they_are_text(page) -> None:
    text = page(dag=HOSTILE, pool="<script>alert(1)</script>")
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


def test_given_an_export_that_cannot_be_read_then_it_is_told(page, made, run, tmp_path) -> None:
    page()
    damaged = LAYOUT.summary_key(datetime.now(UTC) - timedelta(days=2))
    made.put(damaged, b"x")
    answer = run("insights", "--to", str(tmp_path / "page.html"), "--cache", str(tmp_path / "cache"))
    assert answer.code == 0
    assert "1 export cannot be read and is left out" in answer.err


def test_given_exports_without_a_table_that_is_needed_then_it_is_named(made, run, tmp_path) -> None:
    made.export(tables={"dag_run": [["id"]], "slot_pool": [["id"]]})
    answer = run("insights", "--to", str(tmp_path / "page.html"), "--cache", str(tmp_path / "cache"))
    assert (answer.code, answer.out, (tmp_path / "page.html").exists()) == (4, "", False)
    assert "has task_instance, which the page is made of" in answer.err


def test_given_no_run_then_it_says_so(page) -> None:
    assert "No dag run began in this time" in page(runs=0)
