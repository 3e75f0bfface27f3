"""When a schedule of EventBridge Scheduler is due: its expression is evaluated in its own time zone.

AWS documented: "When the time shifts forward in spring, your schedule invocation is skipped if the cron expression
falls on a date and time that do not exist; when it shifts back in autumn, your schedule runs only once".
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ministack.services import eventbridge

_AT = re.compile(r"\s*at\((.+)\)\s*")


def next_due(expression: str, zone: str, last: datetime) -> datetime | None:
    """Return when a schedule is due next, or None when it never is.

    Args:
        expression: `at(...)`, `rate(...)` or `cron(...)`.
        zone: of the IANA time zone database.
        last: when it was due last or, if it never was, when it was made.
    """
    if one_time := once(expression, zone):
        return one_time
    seconds = eventbridge._parse_rate_seconds(expression)
    if seconds is not None:
        return last + timedelta(seconds=seconds)
    return _next_of_cron(expression, ZoneInfo(zone), last)


def once(expression: str, zone: str) -> datetime | None:
    """Return the moment of an `at(...)`, None for what recurs."""
    match = _AT.fullmatch(expression)
    return datetime.fromisoformat(match[1].strip()).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if match else None


def _next_of_cron(expression: str, zone: ZoneInfo, last: datetime) -> datetime | None:
    fields = eventbridge._parse_cron_fields(expression)
    clock = _on_the_wall(last, zone)
    while fields is not None and (found := eventbridge._cron_next_fire(fields, clock)) is not None:
        clock = found
        moment = found.replace(tzinfo=zone).astimezone(UTC)
        exists = _on_the_wall(moment, zone) == found
        if exists and moment > last:  # what autumn repeats has been due an hour ago
            return moment
    return None


def _on_the_wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What clocks show there, labelled UTC for ministack's walk through the calendar."""
    return moment.astimezone(zone).replace(tzinfo=UTC, fold=0)
