"""`query --history`: one row for each key out of exports that overlap, held against an oracle."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from export_contracts.summary import Selection

from tests.documents import stored
from tests.unit.cli.made import LAYOUT, Made
from tests.unit.cli.test_query import ask  # noqa: F401

EXPORTS = 40
Rows = dict[tuple[str, ...], str]


def life(days: int) -> list[Rows]:
    """Return a table's rows by key on each day: some are new, changed, deleted, and some keys are used again."""
    random_ = random.Random(20261211)  # noqa: S311 - the same rows each time
    table: Rows = {}
    gone: list[tuple[str, ...]] = []
    seen = []
    for day in range(days):
        for key in random_.sample(sorted(table), k=len(table) // 8):
            gone.append(key)
            del table[key]
        for key in random_.sample(sorted(table), k=len(table) // 6):
            table[key] = f"changed on day {day}"
        for key in [(f"dag, {day}", f"t\"{number}'") for number in range(6)] + [gone.pop(0) for _ in gone[:2]]:
            table[key] = f"new on day {day}"
        seen.append(dict(table))
    return seen


def newest(days: list[Rows]) -> Rows:
    """Return each key's row on the last day that has it."""
    found: Rows = {}
    for table in days:
        found |= table
    return found


@pytest.fixture
def days(made: Made) -> list[Rows]:
    """Make an export of each day, and give the rows; the table is empty on one, and missing on another."""
    lived = life(EXPORTS)
    lived[7], lived[11] = {}, {}
    for day, table in enumerate(lived):
        rows = [["dag_id", "name", "note"], *([*key, value] for key, value in table.items())]
        tables = {"dag": [["dag_id"], [f"d{day}"]]} | ({} if day == 11 else {"dag_tag": rows})
        made.export(timedelta(days=EXPORTS - day, hours=3), tables=tables, report=None)
    return lived


SELECT = "SELECT name, dag_id, note FROM dag_tag ORDER BY ALL"


def rows_of(answer: Any) -> Rows:
    assert answer.code == 0, answer.err
    rows = [((row["dag_id"], row["name"]), row["note"]) for row in answer.json]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_given_forty_exports_then_each_key_has_its_newest_row(days: list[Rows], ask: Callable[..., Any]) -> None:  # noqa: F811
    expected = newest(days)
    assert len(expected) > 200
    assert any(key not in days[-1] for key in expected)
    assert rows_of(ask(SELECT, "--json", "--history")) == expected
    exports = ask("SELECT count(*) AS n, sum(tables) AS tables FROM exports", "--json", "--history").json
    assert exports == [{"n": EXPORTS, "tables": 2 * EXPORTS - 1}]
    versions = ask("SELECT count(*) AS n FROM versions.dag_tag", "--json", "--history").json
    assert versions == [{"n": sum(map(len, days))}]


def test_given_since_then_older_exports_are_not_read(
    days: list[Rows],
    ask: Callable[..., Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=5, hours=3):%Y-%m-%d}"
    assert rows_of(ask(SELECT, "--json", "--history", "--since", day)) == newest(days[EXPORTS - 5 :])
    assert len(list((tmp_path / "cache" / "data").rglob("*.parquet"))) == 5


def test_given_an_upgrade_then_columns_and_types_of_all_exports_are_there(made: Made, ask: Callable[..., Any]) -> None:  # noqa: F811
    xcom = ["dag_run_id", "task_id", "map_index", "key", "value"]
    types = ["integer", "text", "integer", "text"]
    runs = {
        "old": [["id", "execution_date"], ["1", "2026-01-01 00:00:00+00"]],
        "new": [["id", "logical_date"], ["2", None]],
    }
    moment = ["integer", "timestamp with time zone"]
    code = {"old": [["fileloc_hash"], ["77"]], "new": [["id", "dag_id"], ["0a", "x"]]}
    task = ["dag_id", "task_id", "run_id", "map_index"]
    tasks = {
        "old": [task, ["d", "t", "r", "-1"]],
        "new": [["id", *task], ["u", "d", "t", "r", "-1"], ["v", "d", "t", "r", "0"]],
    }
    for age, name, value, kind in ((9, "old", "\\x7b7d", "bytea"), (3, "new", '{"a": null}', "jsonb")):
        rows = [xcom, [str(age), "t", "-1", "return_value", value]]
        tables = {"xcom": rows, "dag_run": runs[name], "dag_code": code[name], "task_instance": tasks[name]}
        tables["serialized_dag"] = [["dag_id"], ["x"]] if age == 9 else [["id", "dag_id"], ["0a", "x"], ["0b", "x"]]
        made.export(timedelta(hours=age), tables=tables, types={"xcom": [*types, kind], "dag_run": moment})

    answer = ask("SELECT value FROM xcom ORDER BY dag_run_id", "--history", "--json")
    assert [row["value"] for row in answer.json] == ['{"a": null}', "{}"]
    assert "xcom.value is text here: it was bytea and jsonb." in answer.err
    answer = ask("SELECT * EXCLUDE export_id FROM dag_run ORDER BY id", "--history", "--json")
    assert answer.json == [
        {"id": 1, "logical_date": None, "execution_date": "2026-01-01T00:00:00+00:00"},
        {"id": 2, "logical_date": None, "execution_date": None},
    ]
    assert ask("SELECT count(*) AS n FROM task_instance", "--history", "--json").json == [{"n": 2}]
    answer = ask("SELECT id FROM dag_code", "--history", "--json")
    assert answer.json == [{"id": "0a"}]
    assert "dag_code: 1 export until" in answer.err
    assert "which have another key than id;" in answer.err
    assert ask("SELECT dag_id FROM serialized_dag", "--history", "--json").json == [{"dag_id": "x"}, {"dag_id": "x"}]


def test_given_a_table_whose_key_nobody_knows_then_it_says_so(made: Made, ask: Callable[..., Any]) -> None:  # noqa: F811
    made.export(tables={"plugin": [["x"], ["1"]]})
    answer = ask("SELECT * FROM plugin", "--history")
    assert answer.code == 2
    assert "does not know what tells the rows of plugin apart" in answer.err
    assert ask("SELECT x FROM versions.plugin", "--history", "--json").json == [{"x": "1"}]


def test_given_a_masked_key_then_no_row_is_lost_without_a_word(made: Made, ask: Callable[..., Any]) -> None:  # noqa: F811
    tables = {"dag_run": [["id", "state"], [None, "failed"], [None, "success"]]}
    made.export(timedelta(hours=9), tables={"dag_run": [["id", "state"], ["1", "running"]]})
    made.export(tables=tables, masked_columns={"dag_run": ("id",)})
    answer = ask("SELECT state FROM dag_run", "--history")
    assert (answer.code, answer.out) == (2, "")
    assert "or a column of it is masked" in answer.err


@pytest.fixture
def compared(made: Made) -> Made:
    """Give two full exports of the table dag, and a newer one that is partial and has no such table."""
    for age, paused in ((9, "f"), (6, "t")):
        rows: list[list[str | None]] = [["dag_id", "is_paused", "timetable_description"], ["a", paused, None]]
        made.export(timedelta(hours=age), tables={"dag": rows})
    made.export(tables={"slot_pool": [["id"]]}, scope="partial", selection=Selection(("slot_pool",)), latest=False)
    return made


def test_given_a_partial_export_then_the_newest_two_that_are_whole_are_compared(
    compared: Made, ask: Callable[..., Any]  # noqa: F811
) -> None:  # fmt: skip
    [changed] = ask("what-changed", "--json").json
    assert (changed["what"], changed["was_paused"], changed["is_paused"]) == ("changed", "f", "t")
    answer = ask("SELECT count(*) AS n FROM slot_pool", "--json", "--export", "newest")
    assert answer.json == [{"n": 0}]
    assert "is partial: " in answer.err


def test_given_one_export_then_nothing_is_said_to_be_unchanged(made: Made, ask: Callable[..., Any]) -> None:  # noqa: F811
    made.export(tables={"dag": [["dag_id", "is_paused", "timetable_description"], ["a", "f", None]]})
    answer = ask("what-changed")
    assert (answer.code, answer.out) == (4, "")
    assert "compares the newest two exports that are COMPLETE and full" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["what-changed", "--export", "newest"], "leave out --export and --history"),
        (["what-changed", "--history"], "leave out --export and --history"),
        (["runs-per-month", "--export", "newest"], "runs-per-month is over all of them"),
        (["SELECT 1", "--cache-limit", "nan"], "allowed is a number of 0 or more"),
        (["SELECT 1", "--cache-limit", "inf"], "allowed is a number of 0 or more"),
    ],
    ids=["what-changed --export", "what-changed --history", "runs-per-month --export", "limit nan", "limit inf"],
)
def test_given_an_option_that_would_be_ignored_then_it_is_refused(
    made: Made, ask: Callable[..., Any], arguments: list[str], told: str  # noqa: F811
) -> None:  # fmt: skip
    made.export()
    answer = ask(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_given_a_question_over_the_history_then_since_bounds_it(made: Made, ask: Callable[..., Any]) -> None:  # noqa: F811
    for age, number in ((40, "1"), (1, "2")):
        rows: list[list[str | None]] = [["id", "state", "start_date"], [number, "failed", "2026-11-01 00:00:00+00"]]
        kinds = {"dag_run": ["integer", "text", "timestamp with time zone"]}
        made.export(timedelta(days=age), tables={"dag_run": rows}, types=kinds)
    day = f"{datetime.now(UTC) - timedelta(days=5):%Y-%m-%d}"
    for options, runs in (((), 2), (("--since", day), 1)):
        assert [row["runs"] for row in ask("runs-per-month", "--json", *options).json] == [runs]


def test_given_a_summary_that_names_the_primary_key_then_any_table_has_a_history(
    made: Made,
    ask: Callable[..., Any],  # noqa: F811
) -> None:
    for age, rows in (
        (9, [["a", "b", "n"], ["1", "x", "old"], ["2", "x", "gone"]]),
        (3, [["a", "b", "n"], ["1", "x", "new"]]),
    ):
        summary = made.export(timedelta(hours=age), tables={"plugin": rows})
        entry = replace(summary.details["plugin"], primary_key=("a", "b") if age == 3 else None)
        made.put(LAYOUT.summary_key(summary.started), stored(replace(summary, details={"plugin": entry})))
    answer = ask("SELECT n FROM plugin ORDER BY n", "--history", "--json")
    assert [row["n"] for row in answer.json] == ["gone", "new"]
