"""Which tables one export consists of."""

from dataclasses import replace

import pytest
from plan_export.errors import InvalidExportInputError
from plan_export.table_registry import CATALOGUED_NAMES, GROUPS, TABLE_NAMES

from tests.unit.lambdas.plan_export.cases import SETTINGS, draft


def tables(groups) -> dict[str, list[str]]:
    """Return the planned names by group."""
    return {group.group: [table.table for table in group.tables] for group in groups}


def test_given_no_selection_then_everything_is_planned_and_the_unknown_too():
    export, groups = draft()
    planned = tables(groups)
    assert list(planned) == [*GROUPS, "uncatalogued"]
    assert {name for names in planned.values() for name in names} == TABLE_NAMES
    assert groups[-1].tables == ()
    assert groups[-1].catalogued_tables == CATALOGUED_NAMES
    assert "session" in export.excluded_tables


def test_given_known_tables_to_include_then_only_they_are_planned():
    export, groups = draft({"include_tables": ["xcom", "dag_run"]})
    assert tables(groups) == {"runs": ["dag_run"], "tasks": ["xcom"]}
    assert export.excluded_tables == {}


def test_given_an_unknown_table_to_include_then_it_follows_its_foreign_keys_and_no_other_unknown_one_is_exported():
    _, groups = draft({"include_tables": ["_xcom_archive", "dag_run"]})
    assert tables(groups) == {"runs": ["dag_run"], "uncatalogued": ["_xcom_archive"]}
    assert groups[-1].catalogued_tables == ()
    assert groups[-1].tables[0].window == "follow"


def test_given_tables_to_exclude_then_they_are_missing_with_a_reason():
    export, groups = draft({"exclude_tables": ["log", "_xcom_archive"]})
    assert "log" not in tables(groups)["logs"]
    assert groups[-1].exclude_tables == ("_xcom_archive", "log")
    assert export.excluded_tables["log"] == "excluded: exclude_tables names it"


def test_given_all_tables_of_a_group_are_excluded_then_the_group_does_not_run():
    _, groups = draft({"exclude_tables": [name for name in TABLE_NAMES if name in tables(draft()[1])["logs"]]})
    assert [group.group for group in groups] == ["definitions", "runs", "tasks", "uncatalogued"]


def test_given_defaults_of_the_stack_then_they_hold_without_an_input():
    settings = replace(SETTINGS, include_tables=("dag_run", "log"), exclude_tables=("log",))
    assert tables(draft({}, replace(settings, exclude_tables=()))[1]) == {"runs": ["dag_run"], "logs": ["log"]}
    assert tables(draft({}, settings)[1]) == {"runs": ["dag_run"]}


def test_given_the_input_has_a_list_then_it_replaces_the_stacks():
    settings = replace(SETTINGS, include_tables=("dag_run", "log"))
    assert tables(draft({"include_tables": ["xcom"]}, settings)[1]) == {"tasks": ["xcom"]}
    assert len(draft({"include_tables": []}, settings)[1]) == 5


def test_given_the_input_includes_what_the_stack_excludes_then_it_is_exported():
    settings = replace(SETTINGS, exclude_tables=("log", "job"))
    assert tables(draft({"include_tables": ["log"]}, settings)[1]) == {"logs": ["log"]}


def test_given_the_input_excludes_what_the_stack_includes_then_it_is_left_out():
    settings = replace(SETTINGS, include_tables=("dag_run", "log"))
    assert tables(draft({"exclude_tables": ["log"]}, settings)[1]) == {"runs": ["dag_run"]}


ODD = ("2024_audit", "Other Team", "a,b", "other-team", 'say "hi"', "ünï")


def test_given_names_that_need_quotes_then_they_are_excluded_and_included_as_they_are():
    export, groups = draft({"exclude_tables": list(ODD)})
    assert groups[-1].exclude_tables == ODD
    assert {export.excluded_tables[name] for name in ODD} == {"excluded: exclude_tables names it"}
    assert tables(draft({"include_tables": list(ODD)})[1]) == {"uncatalogued": list(ODD)}


ELSEWHERE = "celery.celery_taskmeta"


def test_given_a_registered_table_of_another_schema_is_excluded_then_the_one_of_public_stays():
    export, groups = draft({"exclude_tables": [ELSEWHERE]})
    assert "celery_taskmeta" in tables(groups)["logs"]
    assert export.exclude_tables == (ELSEWHERE,)  # which every group's run is told
    assert export.excluded_tables[ELSEWHERE] == "excluded: exclude_tables names it"


def test_given_the_bare_name_is_excluded_then_the_table_is_planned_nowhere():
    _, groups = draft({"exclude_tables": ["celery_taskmeta"]})
    assert [name for names in tables(groups).values() for name in names if "celery_taskmeta" in name] == []


def test_given_a_registered_table_of_another_schema_is_included_then_its_group_and_window_are_the_registrys():
    _, groups = draft({"include_tables": [ELSEWHERE, "reporting.facts"]})
    assert tables(groups) == {"logs": [ELSEWHERE], "uncatalogued": ["reporting.facts"]}
    assert groups[0].tables[0].window == "date"


def test_given_the_stack_excludes_it_by_one_name_then_the_input_includes_it_by_the_other():
    for stack, asked in ((ELSEWHERE, "celery_taskmeta"), ("celery_taskmeta", ELSEWHERE)):
        settings = replace(SETTINGS, exclude_tables=(stack,))
        assert tables(draft({"include_tables": [asked]}, settings)[1]) == {"logs": [asked]}


def test_given_both_names_leave_nothing_then_the_input_is_refused():
    with pytest.raises(InvalidExportInputError, match="leaves nothing"):
        draft({"include_tables": [ELSEWHERE], "exclude_tables": ["celery_taskmeta"]})


def test_given_what_is_never_exported_is_excluded_then_nothing_else_is_left_out():
    assert draft({"exclude_tables": ["session"]})[0].exclude_tables == ()


def test_given_nothing_would_be_left_then_the_input_is_refused():
    settings = replace(SETTINGS, include_tables=("log",))
    with pytest.raises(InvalidExportInputError, match="leaves nothing"):
        draft({"exclude_tables": ["log"]}, settings)
