"""`diff`: tables, rows and columns of two exports."""

from dataclasses import replace
from datetime import timedelta

import pytest
from export_contracts.exported_table import Column

from tests.unit.cli.made import HOSTILE

BEFORE = {"dag": [["dag_id"], ["a"]], "xcom": [["key"], ["k"], ["l"]], "task_fail": [["id"]]}
AFTER = {"dag": [["dag_id"], ["a"]], "xcom": [["key", "value"], ["k", "1"]], HOSTILE: [["id"], ["1"]]}


@pytest.fixture
def two(made):
    """Give two exports that differ."""
    before = made.export(timedelta(hours=30), BEFORE, airflow_version="2.11.0")
    return before, made.export(timedelta(hours=3), AFTER)


def test_given_two_exports_then_tables_rows_and_columns_that_differ_are_named(two, run):
    before, after = two
    result = run("diff", "--json")
    assert result.code == 1
    document = result.json
    assert (document["before"], document["after"], document["differ"]) == (
        before.export_id,
        after.export_id,
        True,
    )
    assert document["facts"] == {"airflow_version": {"before": "2.11.0", "after": "3.0.6"}}
    assert document["tables"] == {
        HOSTILE: {"rows_before": None, "rows_after": 1, "columns": []},
        "task_fail": {"rows_before": 0, "rows_after": None, "columns": []},
        "xcom": {"rows_before": 2, "rows_after": 1, "columns": ["+value text"]},
    }


def test_given_two_exports_then_a_person_sees_what_is_new_gone_and_changed(two, run):
    out = run("diff").out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert 'airflow version: "2.11.0" -> "3.0.6"' in out
    assert "gone" in lines["task_fail"]
    assert "-1 (-50.0%)" in lines["xcom"]
    assert "+value text" in lines["xcom"]
    assert "dag" not in lines
    assert "\x1b" not in out


def test_given_the_same_export_twice_then_nothing_differs(two, run):
    result = run("diff", "latest", "latest")
    assert result.code == 0
    assert "no difference" in result.out


def test_given_as_many_other_rows_then_the_table_has_other_values(made, run):
    entry = made.export(timedelta(hours=60), {"dag": [["dag_id"], ["a"]]}).details["dag"]
    old, new = (
        made.export(timedelta(hours=age), details={"dag": replace(entry, content_checksum=f"xxh3-sum:{digit * 16}")})
        for age, digit in ((30, "1"), (3, "2"))
    )
    result = run("diff", old.export_id, new.export_id, "--json")
    assert result.code == 1
    assert result.json["tables"] == {"dag": {"rows_before": 1, "rows_after": 1, "columns": ["other values"]}}


def test_given_summaries_without_checksums_of_the_rows_then_only_their_number_was_compared(made, run):
    summary = made.export(timedelta(hours=3), {"dag": [["dag_id"], ["a"]]})
    made.export(timedelta(hours=3), details={"dag": replace(summary.details["dag"], content_checksum=None)})
    result = run("diff", "latest", "latest")
    assert (result.code, "numbers of rows: what is in them is not in both summaries" in result.out) == (0, True)


def test_given_a_retyped_and_a_moved_column_then_both_are_named(made, run):
    tables = {"dag": [["a", "b"], ["1", "2"]]}
    old = made.export(timedelta(hours=30), tables)
    columns = (Column("b", "integer"), Column("a", "text"))
    made.export(timedelta(hours=3), tables, details={"dag": replace(old.details["dag"], columns=columns)})
    assert run("diff", "--json").json["tables"]["dag"]["columns"] == ["b text -> integer", "order of the columns"]


def test_given_a_reference_then_it_is_compared_with_the_latest(two, run):
    before, after = two
    assert run("diff", before.export_id, "--json").json["before"] == before.export_id
    assert run("diff", after.export_id, before.export_id, "--json").json["after"] == before.export_id


def test_given_only_one_export_then_there_is_nothing_to_compare_with(made, run):
    made.export()
    result = run("diff")
    assert result.code == 4
    assert "no export before" in result.err
