"""A schedule's expression is evaluated in its own zone, as EventBridge Scheduler does."""

from datetime import UTC, datetime

import pytest

from local.aws.schedules import next_due, once

BERLIN = "Europe/Berlin"  # 2 a.m. becomes 3 on 2027-03-28; 3 a.m. becomes 2 on 2026-10-25 and 2027-10-31


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "last", "due"),
    [
        ("cron(0 6 * * ? *)", "UTC", "2026-12-11T05:00", "2026-12-11T06:00"),
        ("cron(0 6 * * ? *)", BERLIN, "2026-12-11T04:00", "2026-12-11T05:00"),
        ("cron(0 6 * * ? *)", BERLIN, "2026-07-11T03:00", "2026-07-11T04:00"),
        ("cron(0 6 * * ? *)", "Asia/Kolkata", "2026-12-11T00:29", "2026-12-11T00:30"),
        ("cron(30 23 ? * FRI *)", "America/New_York", "2026-12-11T12:00", "2026-12-12T04:30"),
        ("cron(30 2 * * ? *)", BERLIN, "2027-03-27T02:00", "2027-03-29T00:30"),
        ("cron(30 2 * * ? *)", BERLIN, "2026-10-24T12:00", "2026-10-25T00:30"),
        ("cron(30 2 * * ? *)", BERLIN, "2026-10-25T00:30", "2026-10-26T01:30"),
        ("cron(0/30 * * * ? *)", BERLIN, "2026-10-25T00:30", "2026-10-25T02:00"),
        ("rate(1 day)", BERLIN, "2026-10-24T12:00", "2026-10-25T12:00"),
    ],
    ids=[
        "UTC",
        "in winter",
        "in summer",
        "half an hour apart",
        "a weekday of the zone",
        "a time that spring skips",
        "a time that autumn has twice, before",
        "a time that autumn has twice, after the first",
        "every half hour of the hour that autumn repeats",
        "a rate knows no zone",
    ],
)
def test_given_an_expression_then_it_is_due_in_its_zone(expression: str, zone: str, last: str, due: str) -> None:
    assert next_due(expression, zone, utc(last)) == utc(due)


def test_given_a_moment_then_it_is_of_the_zone() -> None:
    assert once("at(2026-12-11T14:30:22)", "Pacific/Kiritimati") == utc("2026-12-11T00:30:22")
    assert once("rate(1 day)", "UTC") is None
