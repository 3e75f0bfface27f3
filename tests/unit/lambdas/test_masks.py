"""Columns to mask, from the stack's parameter to the summary: nothing passes unmasked or unsaid."""

import pytest
from aggregate_results.report.document import render_report
from aggregate_results.summary import build_summary
from aggregate_results.verification import verify_groups
from export_contracts.plan import Export
from export_runtime.errors import ConfigurationError
from plan_export.settings import read_settings

from tests.contracts import violations
from tests.unit.lambdas.aggregate_results import exports
from tests.unit.lambdas.aggregate_results.test_summary import NOW
from tests.unit.lambdas.plan_export.cases import draft
from tests.unit.template.definitions import variables

VARIABLES = variables("PlanExportFunction")


def test_given_the_parameter_then_settings_and_plan_have_the_columns():
    settings = read_settings(VARIABLES | {"MASK_COLUMNS": "xcom.value,log.extra"})
    assert settings.mask_columns == ("log.extra", "xcom.value")
    assert read_settings(VARIABLES).mask_columns == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("triger.kwargs", "names the table triger, which the table registry does not know"),
        ("trigger", "allowed is <table>.<column>"),
        ("trigger.", "allowed is <table>.<column>"),
        ("log.extra,my_plugin.secret", "names the table my_plugin"),
        ("session.data", "names the table session"),
    ],
)
def test_given_a_slip_of_the_pen_then_nothing_starts(value, said):
    with pytest.raises(ConfigurationError, match=said):
        read_settings(VARIABLES | {"MASK_COLUMNS": value})


def test_given_a_plan_of_before_then_it_masks_nothing():
    export, _ = draft()
    content = export.to_json()
    assert content.pop("mask_columns") == []
    assert Export.from_json(content).mask_columns == ()


def summary_of(store, masks, **delivered):
    """Return the summary of an export that was to mask these, whose group tasks delivered this."""
    exports.deliver_all(store)
    exports.deliver(store, exports.group_of("tasks"), **delivered)
    event = exports.event()
    content = event.export.to_json() | {"mask_columns": masks}
    changed = type(event)(**{**vars(event), "export": Export.from_json(content)})
    return build_summary(changed, verify_groups(changed, store), NOW, "/aws-glue/jobs/error")


def test_given_what_was_masked_then_summary_and_report_say_so(store):
    summary = summary_of(store, ["xcom.value"], masked_columns={"xcom": ("value",)})
    assert violations("export_summary", summary.to_json()) == []
    assert (summary.status, summary.masked_columns) == ("COMPLETE", {"xcom": ("value",)})
    assert "xcom.value: empty in every row" in render_report(summary, "s3://b/k", ())


@pytest.mark.parametrize("masked", [{}, {"xcom": ("key",)}, {"dag": ("value",)}], ids=str)
def test_given_a_table_that_came_without_its_mask_then_the_export_is_incomplete(store, masked):
    summary = summary_of(store, ["xcom.value"], masked_columns=masked)
    assert summary.status == "INCOMPLETE"
    assert summary.problems == ("group tasks: table 'xcom' was exported without masking value",)


def test_given_a_manifest_of_before_then_it_masked_nothing(store):
    assert summary_of(store, []).masked_columns == {}
