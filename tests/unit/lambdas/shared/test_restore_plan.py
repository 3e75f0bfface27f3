"""The plan of a restore, as it is made from a summary."""

from typing import Any

import pytest
from export_contracts.exported_schema import ExportedSchema
from export_contracts.restore_plan import NotRestorableError, restore_plan
from metadata_restore.plan import RestorePlan

from tests.contracts import violations
from tests.documents import of_rows, summary

TABLES = of_rows({"dag": 3, "dag_run": 5, "variable": 1})
ORPHANS, MASKED = {"dag_run": 2, "dag": 1}, {"variable": ("val",)}
SCHEMA = ExportedSchema("schema.sql.gz", 9, 7, "c2hh", {}, ("view public.reports", "rule quiet on public.dag"))
TOLD: dict[str, Any] = {"details": TABLES, "orphans": ORPHANS, "masked_columns": MASKED, "schema": SCHEMA}


def test_given_a_summary_when_all_is_restored_then_the_plan_has_what_it_tells() -> None:
    document = restore_plan(summary(**TOLD), "bucket")

    assert violations("restore_plan", document) == []
    plan = RestorePlan.from_json(document)
    assert (plan.whole, plan.rows, plan.bucket) == (True, 9, "bucket")
    assert [table.name for table in plan.tables] == ["dag", "dag_run", "variable"]
    assert (plan.orphans, plan.masked_columns) == (ORPHANS, MASKED)
    assert plan.schema
    assert plan.schema.left_out == SCHEMA.left_out


def test_given_names_of_tables_when_restored_then_the_plan_has_these_alone() -> None:
    plan = RestorePlan.from_json(restore_plan(summary(status="INCOMPLETE", **TOLD), "bucket", ["dag"]))

    assert (plan.whole, [table.name for table in plan.tables]) == (False, ["dag"])
    assert (plan.orphans, plan.masked_columns) == ({"dag": 1}, {})


@pytest.mark.parametrize(
    ("changes", "tables", "said"),
    [
        ({"status": "INCOMPLETE"}, [], "is INCOMPLETE: .* name the tables"),
        ({}, ["dag", "x\x1b[31m"], r"has no table x \[31m"),
    ],
    ids=["incomplete", "unknown table"],
)
def test_given_what_is_not_there_when_restored_then_the_error_names_it(
    changes: dict[str, Any], tables: list[str], said: str
) -> None:
    with pytest.raises(NotRestorableError, match=said):
        restore_plan(summary(**TOLD, **changes), "bucket", tables)
