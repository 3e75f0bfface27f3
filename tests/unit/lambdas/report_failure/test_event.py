"""What EventBridge passes."""

import pytest
from export_runtime.errors import InvalidEventError
from report_failure.event import parse_event

from tests.unit.lambdas.plan_export.cases import draft
from tests.unit.lambdas.report_failure.cases import ARN, EXPORT_ID, event, execution


def test_given_a_start_then_the_export_id_is_the_one_that_plan_export_derives():
    assert execution().export_id == EXPORT_ID == draft()[0].export_id


def test_given_a_time_out_then_error_and_cause_may_be_missing():
    found = execution(status="TIMED_OUT", error=None, cause=None)
    assert (found.arn, found.error, found.cause) == (ARN, "", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"detail": None},
        event(status="SUCCEEDED"),
        event(status="RUNNING"),
        event(startDate="soon"),
        event(startDate=None),
    ],
    ids=repr,
)
def test_given_something_else_then_it_is_refused(wrong):
    with pytest.raises(InvalidEventError):
        parse_event(wrong)
