"""CloudWatch's part in an alarm, which the emulator does not play: datapoints, their verdict, the change of state.

Time can be let pass, so that nobody waits for hours.

AWS documented: how many datapoints decide about an alarm, and what stands for a missing one.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

ALARM, OK, UNKNOWN = "ALARM", "OK", "INSUFFICIENT_DATA"
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
Point = tuple[datetime, float]


def evaluate(client: Callable[[str], Any], name: str, now: datetime) -> str:
    """Bring an alarm into the state that it has at a time, and return that; a change is announced by the emulator.

    Args:
        client: returns the boto3 client of a service.
        name: of the alarm.
        now: UTC; later than the clock's time when time is let pass.
    """
    cloudwatch = client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    state = state_at(now, alarm, list(datapoints(client, alarm, now)))
    if state != alarm["StateValue"]:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="Threshold crossed")
    return state


def state_at(now: datetime, alarm: Mapping[str, Any], points: Sequence[Point]) -> str:
    """Return the state of an alarm by M out of its last N periods; missing ones count as the alarm says.

    Args:
        now: end of the last period, UTC.
        alarm: as DescribeAlarms gives it.
        points: time and value.
    """
    periods = range(alarm["EvaluationPeriods"])
    length = timedelta(seconds=alarm["Period"])
    breaching = [_breaches(alarm, points, now - length * (n + 1), now - length * n) for n in periods]
    if all(each is None for each in breaching):
        return str(alarm["StateValue"]) if alarm.get("TreatMissingData") == "ignore" else UNKNOWN
    return ALARM if breaching.count(True) >= alarm.get("DatapointsToAlarm", len(periods)) else OK


def _breaches(alarm: Mapping[str, Any], points: Sequence[Point], begin: datetime, end: datetime) -> bool | None:
    values = [value for moment, value in points if begin < moment <= end]
    if not values:
        return {"breaching": True, "notBreaching": False}.get(alarm.get("TreatMissingData", "missing"))
    value = STATISTICS[alarm["Statistic"]](values)
    return BREACHES[alarm["ComparisonOperator"]](value, alarm["Threshold"])


def datapoints(client: Callable[[str], Any], alarm: Mapping[str, Any], now: datetime) -> Iterator[Point]:
    """Yield the datapoints of an alarm's metric: those in the functions' logs, or how full a queue is.

    Args:
        now: the time of the latter, UTC.
    """
    wanted = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    if alarm["Namespace"] == "AWS/SQS":
        yield now, _visible_messages(client("sqs"), wanted["QueueName"])
        return
    logs = client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in (event for page in pages for event in page["events"]):
            yield from embedded(event["message"], alarm["Namespace"], alarm["MetricName"], wanted)


def embedded(line: str, namespace: str, metric: str, dimensions: Mapping[str, str]) -> Iterator[Point]:
    """Yield the values of one metric with exactly these dimensions from a line of a log, in the embedded metric format.

    AWS documented: the embedded metric format. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    document = json.loads(line) if line.startswith("{") and '"_aws"' in line else {}
    for declared in document.get("_aws", {}).get("CloudWatchMetrics", ()):
        names = [each["Name"] for each in declared["Metrics"]]
        sets = [{name: document[name] for name in each} for each in declared["Dimensions"]]
        if declared["Namespace"] == namespace and metric in names and dimensions in sets:
            moment = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
            values = document[metric]
            yield from ((moment, float(value)) for value in (values if isinstance(values, list) else [values]))


def _visible_messages(sqs: Any, queue: str) -> float:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    name = "ApproximateNumberOfMessages"  # the metric's name has "Visible" at its end
    return float(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
