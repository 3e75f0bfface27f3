import csv
import io

import pytest
from metadata_export.parts import MIB
from metadata_export.plan import Extract, bundle, csv_header
from metadata_export.statements import Statement


@pytest.mark.parametrize(
    "names",
    [["id", "group"], ["a,b", 'quo"te', "new\nline", "cr\r", " space "], ["ünï"], []],
    ids=["plain", "hostile", "unicode", "none"],
)
def test_given_column_names_then_a_csv_reader_reads_them_back(names: list[str]) -> None:
    text = csv_header(names).decode()
    assert text.endswith("\n")
    assert next(csv.reader(io.StringIO(text, newline=""))) == names


def extract(number: int, size: int) -> Extract:
    return Extract(f"t{number}", f"k{number}", "full", (), (Statement("COPY", ""),), size)


def test_given_many_small_tables_then_few_tasks_share_them() -> None:
    extracts = [extract(number, 20_000) for number in range(60)] + [extract(99, 500 * MIB)]
    groups = bundle(extracts, tasks=3)
    assert [len(group) for group in groups] == [20, 20, 20]
    assert sorted(each.table for group in groups for each in group) == sorted(each.table for each in extracts[:-1])


def test_given_small_tables_that_are_much_together_then_there_are_more_tasks() -> None:
    groups = bundle([extract(number, 8 * MIB) for number in range(40)], tasks=3)
    assert max(sum(each.total_bytes for each in group) for group in groups) <= 32 * MIB


def test_given_fewer_tables_than_tasks_then_no_task_is_empty() -> None:
    assert bundle([extract(1, 1)], tasks=3) == [[extract(1, 1)]]
    assert bundle([], tasks=3) == []
