"""Which databases a benchmark asks for."""

import pytest

from local.bench.dataset import LANES, SQL, TABLES, of_size


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
    assert {part for lane in LANES for part in lane} == {*TABLES, "definitions"}
    assert {file.stem for file in SQL.glob("*.sql")} == {*TABLES, "definitions", "tables", "functions", "references"}
