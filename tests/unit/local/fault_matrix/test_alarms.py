"""What CloudWatch makes of datapoints, and of lines that hold metrics."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.fault_matrix.alarms import ALARM, OK, UNKNOWN, embedded, state_at

NOW = datetime(2026, 12, 11, 12, tzinfo=UTC)
DAILY = {"Period": 3600, "EvaluationPeriods": 3, "DatapointsToAlarm": 3, "Statistic": "Sum", "Threshold": 1.0}
DAILY |= {"ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching"}
QUEUE = {"Period": 300, "EvaluationPeriods": 1, "Statistic": "Maximum", "Threshold": 0.0}
QUEUE |= {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
AGE = {"Period": 3600, "EvaluationPeriods": 1, "Statistic": "Minimum", "Threshold": 10.0}
AGE |= {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore", "StateValue": ALARM}


def ago(hours: float, value: float) -> tuple[datetime, float]:
    return NOW - timedelta(hours=hours), value


@pytest.mark.parametrize(
    ("alarm", "points", "expected"),
    [
        (DAILY, [], ALARM),
        (DAILY, [ago(2.5, 1)], OK),
        (DAILY, [ago(3.5, 1)], ALARM),
        (DAILY, [ago(2.5, 0), ago(0.5, 0)], ALARM),
        (DAILY, [ago(0.5, 0), ago(0.6, 1)], OK),
        (DAILY | {"DatapointsToAlarm": 2}, [ago(2.5, 1)], ALARM),
        (DAILY | {"TreatMissingData": "missing"}, [], UNKNOWN),
        (QUEUE, [], OK),
        (QUEUE, [ago(0, 0)], OK),
        (QUEUE, [ago(0.01, 0), ago(0, 2)], ALARM),
        (QUEUE, [ago(0.1, 2)], OK),
        (AGE, [ago(0.9, 11)], ALARM),
        (AGE, [ago(0.9, 11), ago(0.1, 0)], OK),
        (AGE, [ago(1.1, 0)], ALARM),
        (AGE | {"StateValue": OK}, [ago(1.1, 11)], OK),
    ],
)
def test_given_datapoints_then_the_alarm_is_in_the_state_that_follows(
    alarm: dict[str, Any], points: list[tuple[datetime, float]], expected: str
) -> None:
    assert state_at(NOW, alarm, points) == expected


def line(value: Any = 1, **changes: Any) -> str:
    declared = {"Namespace": "N", "Dimensions": [["environment", "service"]], "Metrics": [{"Name": "M"}]}
    stamp = int(NOW.timestamp() * 1000)
    document = {"_aws": {"Timestamp": stamp, "CloudWatchMetrics": [declared]}, "environment": "prod", "service": "s"}
    return json.dumps(document | {"M": value} | changes)


def test_given_a_line_with_metrics_then_those_with_these_dimensions_are_found() -> None:
    dimensions = {"environment": "prod", "service": "s"}
    assert list(embedded(line([1.0, 2.0]), "N", "M", dimensions)) == [(NOW, 1.0), (NOW, 2.0)]
    assert list(embedded(line(3), "N", "M", dimensions)) == [(NOW, 3.0)]


@pytest.mark.parametrize(
    ("text", "metric", "dimensions"),
    [
        (line(), "Other", {"environment": "prod", "service": "s"}),
        (line(), "M", {"environment": "prod"}),
        (line(environment="dev"), "M", {"environment": "prod", "service": "s"}),
        ("START RequestId", "M", {}),
        ('{"message": "no metric"}', "M", {}),
    ],
    ids=["another metric", "a dimension too few", "another environment", "text", "a log line"],
)
def test_given_another_line_then_nothing_is_found(text: str, metric: str, dimensions: dict[str, str]) -> None:
    assert list(embedded(text, "N", metric, dimensions)) == []
