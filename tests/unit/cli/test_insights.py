"""`insights`: the page over a history, its figures, and when durations broke."""

import re
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


HEADS: dict[str, list[str | None]] = {
    "dag_run": ["id", "dag_id", "state", "start_date", "end_date"],
    "task_instance": ["dag_id", "task_id", "run_id", "map_index", "queued_dttm", "start_date", "end_date", "duration",
                      "pool", "pool_slots"],
    "slot_pool": ["id", "pool", "slots"],
}  # fmt: skip
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
START, END = str(NOW), str(NOW + timedelta(minutes=30))
ROWS: dict[str, list[list[str | None]]] = {
    "dag_run": [["0", "orders", "success", START, END]],
    "task_instance": [["orders", "load", "0", "-1", START, START, END, "1800", "narrow", "1"]],
    "slot_pool": [["1", "narrow", "2"]],
}


@pytest.fixture
def text_of(made: Made, run: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Give a function that makes the page of two exports, the older one with other rows, and returns its text."""

    def making(*, older: dict[str, list[list[str | None]]] | None = None, **rows: list[list[str | None]]) -> str:
        for age, changed in ((4, rows | (older or {})), (1, rows)):
            tables = {name: [HEADS[name], *(ROWS | changed)[name]] for name in HEADS}
            made.export(timedelta(days=age), tables=tables, types=TYPES, report=None)
        file = tmp_path / "page.html"
        assert run("insights", "--to", str(file), "--cache", str(tmp_path / "cache")).code == 0
        return file.read_text()

    return making


def pools_in(text: str) -> list[list[str]]:
    """Return the cells of each pool, without its name."""
    table = text[text.index("Queue and pools") :]
    rows = re.findall(r"<tr>(.*?)</tr>", table[: table.index("</table>")], flags=re.DOTALL)
    cells = [re.findall(r"<td.*?>(.*?)</td>", row, flags=re.DOTALL) for row in rows]
    return [[re.sub(r"<.*?>", "", cell) for cell in row] for row in cells if row]


def test_given_a_pool_that_was_made_anew_then_its_tasks_are_counted_once_over_the_slots_that_it_has(text_of) -> None:
    text = text_of(older={"slot_pool": [["1", "narrow", "64"]]}, slot_pool=[["7", "narrow", "1"]])
    [(slots, tasks, *_, busiest)] = pools_in(text)
    assert (slots, tasks, busiest) == ("1", "1", "50%")


def test_given_a_short_history_then_the_days_before_it_are_no_time_without_use(text_of) -> None:
    task = ["orders", "load", "0", "-1", START, START, str(NOW + timedelta(days=1)), "86400", "narrow", "1"]
    [(*_, used, _)] = pools_in(text_of(task_instance=[task]))
    assert 40 <= int(used.rstrip("%")) <= 50


@pytest.mark.parametrize(
    ("pools", "expected"),
    [([["1", "narrow", "-1"]], "no limit"), ([["1", "narrow", "0"]], "0"), ([["1", "other", "1"]], "not known")],
)
def test_given_slots_that_give_no_share_then_the_page_says_which_kind(text_of, pools, expected) -> None:
    [(slots, _, _, _, used, busiest)] = pools_in(text_of(slot_pool=pools))
    assert (slots, used, busiest) == (expected, "", "")


def test_given_numbers_that_are_none_then_no_bar_is_made_of_them(text_of) -> None:
    odd = [["orders", each, "0", "-1", START, START, END, each, "narrow", "1"] for each in ("NaN", "Infinity")]
    text = text_of(task_instance=[*odd, *ROWS["task_instance"]])
    assert "nan%" not in text
    assert "unknown" not in text[text.index("Slowest tasks") : text.index("Queue and pools")]


def test_given_runs_after_the_newest_export_then_they_are_not_drawn(text_of) -> None:
    late = ["1", "orders", "success", "9999-12-31 00:00:00+00", "9999-12-31 01:00:00+00"]
    text = text_of(dag_run=[late, *ROWS["dag_run"]])
    assert "9999" not in text
    assert "1 run" in text


def test_given_values_that_are_left_out_then_the_page_says_so_itself(text_of) -> None:
    text = text_of(dag_run=[["1", "orders", "running", "infinity", None], *ROWS["dag_run"]])
    assert "1 value of start_date shown as NULL" in text
