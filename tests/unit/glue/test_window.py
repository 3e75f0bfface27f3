"""Which rows are exported, as SQL; that the SQL means what it says is tested on real databases in tests/integration."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from metadata_export.catalog import Catalog, Column, Table
from metadata_export.errors import SourceError
from metadata_export.row_filter import row_filter
from metadata_export.run_set import RunSet
from metadata_export.touched import evidence_of_runs
from metadata_export.window import DATA_DATES, Window, parent_rules

from tests.unit.glue.conftest import catalog, key, table

CUTOFF = datetime(2026, 11, 11, 14, 30, 22, tzinfo=UTC)
DAG_RUN = table(
    "dag_run",
    "id! dag_id! run_id! state updated_at@ end_date@ log_template_id",
    key("log_template", "log_template_id", "id"),
)
TASK_INSTANCE = table(
    "task_instance",
    "id! dag_id! run_id! task_id! updated_at@ trigger_id",
    key("dag_run", "dag_id run_id"),
    key("trigger", "trigger_id", "id"),
)
XCOM = table("xcom", "dag_id! run_id! task_id! timestamp!@", key("task_instance", "dag_id run_id task_id"))
NOTE = table("task_instance_note", "ti_id! content created_at!@", key("task_instance", "ti_id", "id"))
EVENT = table("asset_event", "id! asset_id! timestamp!@")
LINK = table(
    "dagrun_asset_event",
    "dag_run_id! event_id!",
    key("dag_run", "dag_run_id", "id"),
    key("asset_event", "event_id", "id"),
)
BACKFILL = table("backfill_dag_run", "id! dag_run_id logical_date@ created_at@", key("dag_run", "dag_run_id", "id"))
PARTITION = table(
    "asset_partition_dag_run", "id! created_dag_run_id updated_at!@", key("dag_run", "created_dag_run_id", "id")
)
AIRFLOW = catalog(
    DAG_RUN, TASK_INSTANCE, XCOM, NOTE, EVENT, LINK, BACKFILL, PARTITION,
    table("log_template", "id! created_at!@"), table("trigger", "id! created_date!@"),
    table("log", "id! dttm@ dag_id run_id"),
)  # fmt: skip


def condition(each: Table, *, rules: dict[str, str] | None = None, of: Catalog = AIRFLOW, **changes: Any) -> str:
    """The condition on the rows of a table, with the quotes of harmless names left out."""
    window = Window(of, parent_rules(of) | (rules or {}), CUTOFF, runs=RUNS, **changes)
    composed = row_filter(window, each).condition
    return "" if composed is None else re.sub(r'"(\w+)"', r"\1", composed.as_string(None))


RUNS = RunSet(("no 7", "x,y"), "text")
RUN = """{0}.id = ANY ('{{"no 7","x,y"}}'::text[])"""
OWN = (
    "COALESCE(GREATEST({0}.updated_at, {0}.end_date) >= '2026-11-11T14:30:22+00:00'::timestamptz, true)"
    " OR {0}.state IS NULL OR {0}.state NOT IN ('success', 'failed')"
)


def test_given_airflow_s_tables_then_the_catalog_tells_the_rule_of_each_parent() -> None:
    assert parent_rules(AIRFLOW) == {
        "dag_run": "run",
        "asset_event": "event",
        "task_instance": "follow",
        "xcom": "follow",
        "task_instance_note": "follow",
        "dagrun_asset_event": "follow",
        "backfill_dag_run": "follow",
        "asset_partition_dag_run": "follow",
        "log": "follow",
        "log_template": "full",
        "trigger": "full",
    }


def test_given_a_run_then_whether_it_was_selected_decides() -> None:
    assert condition(DAG_RUN) == RUN.format("t0")


def test_given_no_selected_runs_then_the_error_says_why_for_each_table_that_follows_one() -> None:
    window = Window(AIRFLOW, parent_rules(AIRFLOW), CUTOFF, error="permission denied")
    with pytest.raises(SourceError, match=r"^permission denied$"):
        row_filter(window, XCOM)
    assert row_filter(window, AIRFLOW.tables["trigger"]).condition is None


def test_given_a_run_then_its_dates_and_its_state_select_it() -> None:
    own = Window(AIRFLOW, parent_rules(AIRFLOW), CUTOFF).run_by_itself("t0").as_string(None)
    assert re.sub(r'"(\w+)"', r"\1", own) == OWN.format("t0")


def test_given_a_task_level_row_then_its_run_decides_however_far_its_foreign_keys_lead() -> None:
    same_run = "t1.dag_id = t0.dag_id AND t1.run_id = t0.run_id"
    expected = f"EXISTS (SELECT FROM ONLY public.dag_run AS t1 WHERE {same_run} AND ({RUN.format('t1')}))"
    assert condition(TASK_INSTANCE) == expected
    assert condition(XCOM) == expected


def test_given_a_row_that_knows_only_its_task_instance_then_the_instance_s_run_decides() -> None:
    same_run = "t2.dag_id = t1.dag_id AND t2.run_id = t1.run_id"
    run = f"EXISTS (SELECT FROM ONLY public.dag_run AS t2 WHERE {same_run} AND ({RUN.format('t2')}))"
    assert condition(NOTE) == f"EXISTS (SELECT FROM ONLY public.task_instance AS t1 WHERE t1.id = t0.ti_id AND ({run}))"


def test_given_a_reference_that_may_be_missing_then_rows_without_it_are_kept() -> None:
    run = f"EXISTS (SELECT FROM ONLY public.dag_run AS t1 WHERE t1.id = t0.dag_run_id AND ({RUN.format('t1')}))"
    assert condition(BACKFILL) == f"((t0.dag_run_id IS NULL) OR {run})"


def test_given_an_event_then_its_date_or_an_exported_run_that_used_it_decides() -> None:
    own = "(COALESCE(t0.timestamp >= '2026-11-11T14:30:22+00:00'::timestamptz, true))"
    run = f"EXISTS (SELECT FROM ONLY public.dag_run AS t2 WHERE t2.id = t1.dag_run_id AND ({RUN.format('t2')}))"
    used = f"(EXISTS (SELECT FROM ONLY public.dagrun_asset_event AS t1 WHERE t0.id = t1.event_id AND {run}))"
    assert condition(EVENT) == f"{own} OR {used}"


def test_given_a_dated_row_that_refers_to_a_run_then_the_run_decides_and_its_date_only_without_one() -> None:
    own = "COALESCE(t0.updated_at >= '2026-11-11T14:30:22+00:00'::timestamptz, true)"
    run = f"EXISTS (SELECT FROM ONLY public.dag_run AS t1 WHERE t1.id = t0.created_dag_run_id AND ({RUN.format('t1')}))"
    missing = "(t0.created_dag_run_id IS NULL)"
    expected = f"CASE WHEN {missing} THEN {own} ELSE ({missing} OR {run}) END"
    assert condition(PARTITION, rules={"asset_partition_dag_run": "date"}) == expected


@pytest.mark.parametrize("rule", ["full", "follow"])
def test_given_a_table_that_refers_to_nothing_windowed_then_all_of_it_is_exported(rule: str) -> None:
    trigger = AIRFLOW.tables["trigger"]
    assert condition(trigger, rules={"trigger": rule}) == ""


def condition_of_child(parent: Table, **changes: Any) -> str:
    """The condition on the rows of a table that may refer to this one; both are to follow what they refer to."""
    child = table("child", "id! parent_id", key(parent.name, "parent_id", "id"))
    rules = {parent.name: "follow", "child": "follow"}
    return condition(child, of=catalog(DAG_RUN, parent, child), rules=rules, **changes)


def test_given_a_table_whose_only_way_to_its_run_is_the_run_s_key_then_what_refers_to_it_has_that_run_too() -> None:
    same_run = "t2.dag_id = t1.dag_id AND t2.run_id = t1.run_id"
    run = f"EXISTS (SELECT FROM ONLY public.dag_run AS t2 WHERE {same_run} AND ({RUN.format('t2')}))"
    parent = f"EXISTS (SELECT FROM ONLY public.keyed AS t1 WHERE t1.id = t0.parent_id AND ({run}))"
    assert condition_of_child(table("keyed", "id! dag_id! run_id!")) == f"((t0.parent_id IS NULL) OR {parent})"


@pytest.mark.parametrize(
    ("columns", "unknown"),
    [("id!", ()), ("id! dag_id! run_id!", ("stray", "child"))],
    ids=["no key of a run", "not Airflow's, with columns called like that key"],
)
def test_given_a_table_that_follows_nothing_then_what_refers_to_it_is_exported_whole_too(
    columns: str, unknown: tuple[str, ...]
) -> None:
    assert condition_of_child(table("stray", columns), by_key_only=frozenset(unknown)) == ""


def test_given_moments_that_somebody_planned_then_they_tell_nothing_of_what_happened() -> None:
    planned = table("deadline", "id! deadline_time@ logical_date@ created_at@")
    window = Window(catalog(planned), {"deadline": "date"}, CUTOFF)
    happened = window.since_cutoff("t0", planned)
    without_data_dates = window.since_cutoff("t0", planned, DATA_DATES)
    assert happened is not None
    assert without_data_dates is not None
    assert happened.as_string(None).startswith('GREATEST("t0"."logical_date", "t0"."created_at") >= ')
    assert without_data_dates.as_string(None).startswith('"t0"."created_at" >= ')
    assert window.since_cutoff("t0", planned, DATA_DATES | {"created_at"}) is None


def test_given_a_run_without_a_state_then_its_dates_alone_decide() -> None:
    bare = table("dag_run", "id! end_date@")
    window = Window(catalog(bare), {"dag_run": "run"}, CUTOFF)
    assert "state" not in window.run_by_itself("r").as_string(None)


def test_given_the_type_of_a_run_s_id_then_ids_are_of_the_same() -> None:
    assert Window(AIRFLOW, {}, CUTOFF).run_id_type == "text"
    assert Window(catalog(table("dag_run", "dag_id! run_id!")), {}, CUTOFF).run_id_type == "integer"


def test_given_a_run_s_id_then_it_is_read_as_text_unless_it_is_an_integer() -> None:
    assert Window(AIRFLOW, {}, CUTOFF).run_id("r").as_string(None) == '"r"."id"::text'
    numbered = replace(DAG_RUN, columns=(Column("id", "bigint", not_null=True, is_timestamp=False),))
    assert Window(catalog(numbered), {}, CUTOFF).run_id("r").as_string(None) == '"r"."id"'


def test_given_no_cutoff_or_no_runs_then_nobody_looks_for_touched_runs() -> None:
    assert not Window(AIRFLOW, parent_rules(AIRFLOW), None).depends_on_runs(["xcom"])
    without_runs = catalog(table("xcom", "id"))
    assert not Window(without_runs, {"xcom": "follow"}, CUTOFF).depends_on_runs(["xcom"])


def test_given_a_dated_table_without_dates_then_nothing_is_lost() -> None:
    undated = table("undated", "id!")
    assert condition(undated, rules={"undated": "date"}, of=catalog(undated)) == "true"


LOG = table("log", "id! dttm@ execution_date@ dag_id run_id")
ABOUT = "COALESCE(GREATEST(t0.dttm, t0.execution_date) >= '2026-11-11T14:30:22+00:00'::timestamptz, true)"


def test_given_an_audit_entry_then_when_it_was_written_decides_and_its_data_s_date_only_where_that_is_not_known() -> (
    None
):
    dated = {"rules": {"log": "date"}, "of": catalog(LOG, DAG_RUN, table("log_template", "id!"))}
    written = f"COALESCE(t0.dttm >= '2026-11-11T14:30:22+00:00'::timestamptz, {ABOUT})"
    assert condition(LOG, **dated, early_runs=False) == written
    assert condition(LOG, **dated, early_runs=True) == ABOUT
    # AND where nobody has looked when the runs were made
    assert condition(LOG, rules={"log": "date"}, of=catalog(LOG)) == ABOUT


def test_given_a_run_that_is_dated_in_the_window_then_what_was_first_about_it_tells_when_it_was_made() -> None:
    runs = table("dag_run", "id! logical_date@ partition_date@ run_after@ data_interval_end@ queued_at@ start_date@")
    window = Window(catalog(runs), {"dag_run": "run"}, CUTOFF)
    cutoff = "'2026-11-11T14:30:22+00:00'::timestamptz"
    expected = f"GREATEST(r.logical_date, r.partition_date) >= {cutoff} AND LEAST(r.queued_at, r.start_date) < {cutoff}"
    assert re.sub(r'"(\w+)"', r"\1", window.run_made_early("r").as_string(None)) == expected
    assert Window(AIRFLOW, {"dag_run": "run"}, CUTOFF).run_made_early("r").as_string(None) == "false"


def test_given_no_cutoff_then_everything_is_exported() -> None:
    window = Window(AIRFLOW, parent_rules(AIRFLOW), None)
    assert [row_filter(window, each).condition for each in AIRFLOW.tables.values()] == [None] * len(AIRFLOW.tables)


def test_given_a_hostile_name_then_it_is_quoted() -> None:
    hostile = table('x"; DROP', "a!")
    hostile = table(hostile.name, 'group"@')
    found = row_filter(Window(catalog(hostile), {hostile.name: "date"}, CUTOFF), hostile).condition
    assert found is not None
    assert '"t0"."group"""' in found.as_string(None)


def test_given_foreign_keys_in_a_circle_then_the_error_names_them() -> None:
    one, two = (
        table("one", "id! two_id", key("two", "two_id", "id")),
        table("two", "id! one_id", key("one", "one_id", "id")),
    )
    circle = catalog(one, two)
    with pytest.raises(SourceError, match="one -> two -> one"):
        row_filter(Window(circle, {"one": "follow", "two": "follow"}, CUTOFF), one)


def test_given_rows_that_lead_to_a_run_then_all_of_them_tell_of_it_and_the_audit_log_does_not() -> None:
    found = list(evidence_of_runs(Window(AIRFLOW, parent_rules(AIRFLOW), CUTOFF)))
    assert [each.table for each in found] == [
        "task_instance", "xcom", "task_instance_note", "backfill_dag_run", "asset_partition_dag_run",
    ]  # fmt: skip
    assert [[table.name for table in each.tables] for each in found if each.table == "task_instance_note"] == [
        ["task_instance_note", "task_instance", "dag_run"]
    ]


@pytest.mark.parametrize(("tables", "expected"), [(["trigger"], False), (["xcom"], True), (["absent"], False)], ids=str)
def test_given_only_definitions_then_nobody_looks_for_touched_runs(tables: list[str], expected: bool) -> None:
    window = Window(AIRFLOW, parent_rules(AIRFLOW), CUTOFF)
    assert window.depends_on_runs(tables) is expected
