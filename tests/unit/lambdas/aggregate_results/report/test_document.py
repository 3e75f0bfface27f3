"""The report: what it says, in which order, and that nothing in it can break out."""

import math
from dataclasses import replace
from typing import Any

import pytest
from aggregate_results.report.document import render_report
from export_contracts.findings import RowFall
from export_contracts.summary import Selection, Summary

from tests import report_cases as cases
from tests.unit.lambdas.aggregate_results.report.pages import page

KB = 1000
FALL = RowFall("log", 1000, 200, 80.0)


def test_given_a_complete_export_then_status_figures_and_facts_are_there():
    text = page(cases.summary()).text
    for fact in (
        "COMPLETE", "analytics-prod", "11 December 2026, 14:30:22 UTC", "started by the DAG", "Airflow 3.0.6",
        "19,605,011", "898 MB", "5.39 GB of CSV", "3 min 31 s", "one snapshot of the database", "PostgreSQL 15.18",
        "what happened since 2026-11-11T14:30:22Z (30 days)", "29ce7909c52b", cases.URI, "log logs 9,412,377 333 MB",
        "8 tables without a row in the window ab_group, ab_group_role",
    ):  # fmt: skip
        assert fact in text.replace("_ ", "_"), fact


def test_given_a_kept_fernet_key_then_its_version_is_a_fact():
    assert "Fernet key not kept" in page(cases.summary()).text
    assert f"Fernet key kept as version {'ab' * 16}" in page(cases.summary(fernet_key_version="ab" * 16)).text


def test_given_nothing_to_say_then_it_says_that():
    assert "Nothing to do" in page(cases.summary(uncatalogued_tables=())).text
    assert "Nothing to do" not in page(cases.summary()).text
    assert "Nothing to do" not in page(cases.incomplete()).text


def test_given_warnings_then_the_worst_stands_first_and_all_before_the_figures():
    found = page(replace(cases.incomplete(), problems=("object x has 3 bytes",), row_falls=(FALL,))).text
    order = [
        "INCOMPLETE", "Group tasks failed", "57P01 terminating connection", "Not in this export: task_instance",
        "What the verification found object x has 3 bytes", "far fewer rows",
        "log: 1,000 → 200 rows (\N{MINUS SIGN}80 %)", "Not all tables show the same snapshot",
        "that this version does not know", "5 tables not exported", "Rows 11,187,920",
    ]  # fmt: skip
    positions = [found.index(text) for text in order]
    assert positions == sorted(positions)


def failed_tables(number: int = 1, **changes: Any) -> Summary:
    """Return a summary in which tables of one group failed."""
    names = ("xcom", *(f"table_{index}" for index in range(1, number)))
    summary = cases.incomplete()
    failed = {"tables": names, "failed_tables": dict.fromkeys(names, "no permission"), **changes}
    return replace(summary, failed_groups=(replace(summary.failed_groups[0], **failed),))


def test_given_tables_that_failed_then_each_stands_with_its_error_and_the_two_ways_on():
    details = cases.incomplete().details | {"task_instance": cases.entry("tasks", 3, 9, 0.1)}
    found = page(replace(failed_tables(), details=details)).text
    assert "xcom: no permission" in found
    assert "Not in this export: xcom. 1 table of the group exported and verified all the same." in found
    assert "Repair such a table and redrive the execution, or leave it out: exclude_tables" in found
    assert "exclude_tables" not in page(cases.incomplete()).text


def test_given_many_tables_that_failed_then_the_report_stays_light():
    assert page(failed_tables(500)).text.count("no permission") == 20


def test_given_a_failed_run_that_left_nothing_out_then_the_report_says_so():
    details = cases.incomplete().details | {"xcom": cases.entry("tasks", 3, 9, 0.1)}
    found = page(replace(failed_tables(tables=(), failed_tables={}), details=details)).text
    assert "Nothing is known to be missing: 1 table of the group exported and verified all the same." in found


def test_given_a_failed_group_then_its_log_is_linked():
    summary = cases.incomplete()
    assert summary.failed_groups[0].log_url in [a["href"] for a in page(summary).all("a")]


def test_given_skipped_tables_then_each_stands_with_its_reason():
    assert (
        "not in this Airflow version's schema dag_pickle, dataset, dataset_event, task_fail"
        in page(cases.summary()).text
    )


def test_given_an_export_of_everything_then_the_window_says_so():
    assert "Window everything" in page(cases.summary(cutoff_date=None, max_age_days=None)).text


def test_given_a_selection_then_the_tables_asked_for_are_named():
    selection = Selection(("dag",), ("log",))
    assert "Asked for only dag but log; last 30 days" in page(cases.summary(selection=selection)).text
    assert "Asked for all tables; last 30 days (full)" in page(cases.summary(scope="full")).text


def test_given_a_partial_export_then_nothing_of_its_report_reads_like_a_backup():
    selection = Selection(("dag", "<b>x</b>\n"))
    partial = cases.summary(scope="partial", selection=selection, uncatalogued_tables=(), skipped_tables={})
    found = page(partial)
    assert "COMPLETE (partial)" in found.text
    assert "A partial export, no backup of the environment" in found.text
    assert "only dag, <b>x</b>; last 30 days" in found.text
    assert "Nothing to do" not in found.text
    assert "Nothing to do" in page(replace(partial, scope="full")).text


def test_given_nothing_was_exported_then_there_is_a_report_all_the_same():
    text = page(replace(cases.incomplete(), details={}, alembic_heads={})).text
    assert "No table was exported and verified." in text


def test_given_thirty_exports_then_three_sparklines_have_a_title_and_a_point_for_each():
    summary = cases.summary()
    found = page(summary, cases.history(summary))
    assert len(found.all("svg")) == 3
    assert len(found.all("circle")) == 90
    assert len([a for a in found.all("circle") if "bad" in str(a["class"])]) == 3
    assert "Rows of the last 30 exports: now 19,605,011; lowest" in found.text
    assert "1 incomplete" in found.text


@pytest.mark.parametrize("length", [0, 1], ids=["no history", "the first export"])
def test_given_no_earlier_export_then_there_are_figures_without_a_sparkline(length):
    summary = cases.summary()
    found = page(summary, cases.history(summary, length))
    assert found.all("svg") == []
    assert "This export Rows 19,605,011" in found.text


def test_given_hostile_texts_then_they_are_texts():
    found = page(cases.hostile(), cases.history(cases.hostile()))
    assert {tag for tag, _ in found.elements} & {"script", "img", "iframe", "object", "form", "base"} == set()
    assert "<script>alert(1)</script>" in found.text
    assert "\u202e" not in found.text
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "javascript:" not in str(attributes.get("href"))


@pytest.mark.parametrize(
    "summary", [cases.summary(), cases.incomplete(), cases.hostile()], ids=["good", "bad", "hostile"]
)
def test_given_any_report_then_nothing_comes_from_outside(summary):
    found = page(summary, cases.history(summary))
    assert [a["href"].partition(":")[0] for a in found.all("link")] == ["data"]
    assert not [a for _, a in found.elements if "src" in a or "srcset" in a]
    assert "url(" not in render_report(summary, cases.URI, ())
    [policy] = [a["content"] for a in found.all("meta") if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("summary", [cases.summary(), cases.hostile(5000)], ids=["usual", "5,000 hostile tables"])
def test_given_any_report_then_it_is_light(summary):
    assert len(render_report(summary, cases.URI, cases.history(summary)).encode()) < 150 * KB


def test_given_huge_and_odd_numbers_then_there_is_a_report_all_the_same():
    details = {"log": cases.entry("logs", 10**400, 9, math.nan), "dag": cases.entry("definitions", 1, 9, -1)}
    text = page(cases.summary(details=details, duration_seconds=math.inf), ()).text
    assert "over 999,999 trillion" in text
    assert "Duration unknown" in text
