"""Which databases a benchmark asks for."""

from datetime import UTC, datetime

import pytest

from local.bench import dataset
from local.bench.dataset import LANES, SQL, TABLES, UPDATES, Step, of_size, steps


@pytest.mark.parametrize(
    ("rows", "tables", "expected"),
    [
        (4_000_000, TABLES, ("airflow_200000", 4_000_000)),
        (4_000_001, TABLES, ("airflow_200001", 4_000_020)),
        (1_000_000, ("log",), ("log_111112", 1_000_008)),
        (1, TABLES, ("airflow_200", 4_000)),
    ],
    ids=["even", "rounded up", "one table", "at least one run of every dag"],
)
def test_given_number_of_rows_when_asked_for_then_never_fewer(
    rows: int, tables: tuple[str, ...], expected: tuple[str, int]
) -> None:
    data = of_size(rows, tables)

    assert (data.name, data.rows) == expected


def test_given_tables_when_made_then_each_has_its_sql() -> None:
    made = {step.part for lane in LANES for step in steps(of_size(1), lane)}

    assert made == {"definitions", *TABLES, *(f"{table}_keys" for table in TABLES)}
    others = {"tables", "functions", "early_keys", "references", "cleared"}
    assert {file.stem for file in SQL.glob("*.sql")} == made | others


@pytest.mark.parametrize("table", TABLES)
def test_given_number_of_updates_when_compared_with_the_sql_then_as_many(table: str) -> None:
    text = (SQL / f"{table}.sql").read_text()

    assert sum(line.split()[:2] == ["UPDATE", table] for line in text.splitlines()) == UPDATES.get(table, 0)


def test_given_slices_when_cut_then_without_gap_and_none_past_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SLICE_RUNS", 90)

    assert list(steps(of_size(4_000), ("xcom",))) == [
        Step("xcom", 0, 90),
        Step("xcom", 90, 180),
        Step("xcom", 180, 200),
        Step("xcom_keys", 0, 200),
    ]
    assert list(steps(of_size(1, ("log",)), ("definitions", "xcom"))) == [Step("definitions", 0, 200)]


def test_given_newest_runs_when_asked_for_their_moment_then_in_the_year_of_the_rows() -> None:
    data = of_size(20 * 365)

    assert data.moment_before(30) == datetime(2026, 10, 2, tzinfo=UTC)
    assert data.moment_before(365) == datetime(2025, 11, 1, tzinfo=UTC)
