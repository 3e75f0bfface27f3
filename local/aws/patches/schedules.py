"""EventBridge Scheduler: a schedule fires in its own time zone; stock ministack takes every expression for UTC.

AWS documented: a schedule is evaluated in its time zone. https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, set_request_account_id, set_request_region
from ministack.services import eventbridge, scheduler

from local.aws.patches.replace import attribute, replace
from local.aws.schedules import next_due, once
from local.aws.settings import Settings

Place = tuple[str, str, str]
"""account, region, and group and name of a schedule"""


@dataclass
class Watch:
    """A schedule as it was seen first, or has been since it was changed.

    Args:
        what: expression and zone.
        since: when it was due last; at first, from when on it counts.
        fired: whether it was due.
    """

    what: tuple[str, str]
    since: datetime
    fired: bool = False


_watched: dict[Place, Watch] = {}
logger = logging.getLogger("schedules")


def apply(_: Settings) -> None:
    """Patch when schedules fire."""
    for name in ("_parse_rate_seconds", "_parse_cron_fields", "_cron_next_fire", "_invoke_target"):
        attribute(eventbridge, name)
    for name in ("_schedules", "_to_epoch"):
        attribute(scheduler, name)
    replace(scheduler, "_tick_schedules", _fire_what_is_due)
    replace(scheduler, "_SCHEDULE_TICK_INTERVAL", 1)  # seconds between looks; Scheduler keeps to the minute


def _fire_what_is_due() -> None:
    account, region = get_account_id(), get_region()
    try:
        for place, schedule in list(scheduler._schedules._data.items()):
            _look_at(place, schedule, time.time())
    finally:
        set_request_account_id(account)
        set_request_region(region)


def _look_at(place: Place, schedule: dict[str, Any], now: float) -> None:
    begins, ends = (scheduler._to_epoch(schedule.get(name)) for name in ("StartDate", "EndDate"))
    if ends is not None and now > ends:
        _complete(place, schedule)
    elif schedule.get("State") == "ENABLED" and (begins is None or now >= begins):
        _fire_if_due(place, schedule, datetime.fromtimestamp(now, UTC))


def _fire_if_due(place: Place, schedule: dict[str, Any], now: datetime) -> None:
    watch = _watch(place, schedule, now)
    one_time = once(*watch.what)
    due = next_due(*watch.what, watch.since)
    if due is None or due > now or (one_time and watch.fired):
        return
    watch.since, watch.fired = now, True
    _fire(place, schedule, now)
    if one_time:
        _complete(place, schedule)


def _watch(place: Place, schedule: dict[str, Any], now: datetime) -> Watch:
    what = (schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone") or "UTC")
    watch = _watched.get(place)
    if watch is None or watch.what != what:
        of_rate = what[0].startswith("rate") and "CreationDate" in schedule
        since = datetime.fromtimestamp(schedule["CreationDate"], UTC) if of_rate else now
        watch = _watched[place] = Watch(what, since)
    return watch


def _fire(place: Place, schedule: dict[str, Any], now: datetime) -> None:
    account, region, name = place
    set_request_account_id(account)
    set_request_region(region)
    event = {
        "EventId": new_uuid(),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": now.timestamp(),
        "Resources": [schedule["Arn"]],
        "Account": account,
        "Region": region,
    }
    try:
        eventbridge._invoke_target(schedule["Target"], event, schedule)
    except Exception:
        logger.exception("Schedule %s did not reach its target", name)


def _complete(place: Place, schedule: dict[str, Any]) -> None:
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(place, None)
        _watched.pop(place, None)
