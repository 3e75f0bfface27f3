"""CloudWatch: an alarm reaches a topic only if the topic's policy, and that of its key, let CloudWatch publish.

AWS documented: an alarm needs the topic's policy, and for an encrypted topic the key's, to let CloudWatch publish.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import logging
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch

from local.aws.authorization.services import service_may
from local.aws.patches.encryption import READ, WRITE, key_of
from local.aws.patches.replace import wrap
from local.aws.settings import Settings

CLOUDWATCH = "cloudwatch.amazonaws.com"
PUBLISH = "sns:Publish"
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")

logger = logging.getLogger("alarms")


def apply(settings: Settings) -> None:
    """Patch what alarms do."""
    if settings.auth:
        wrap(cloudwatch, "_dispatch_alarm_actions", _dispatch)


def _dispatch(original: Callable[..., None]) -> Callable[..., None]:
    def dispatch(alarm: dict[str, Any], *change: str) -> None:
        topics = {topic for actions in ACTIONS for topic in alarm.get(actions) or () if ":sns:" in topic}
        deaf = {topic for topic in topics if not _may_publish(topic, alarm["AlarmArn"])}
        for topic in deaf:
            logger.warning("Alarm %s cannot publish to %s", alarm["AlarmName"], topic)
        heard = {actions: [topic for topic in alarm.get(actions) or () if topic not in deaf] for actions in ACTIONS}
        original({**alarm, **heard}, *change)

    return dispatch


def _may_publish(topic: str, alarm: str) -> bool:
    key = key_of(PUBLISH, topic)
    uses = [service_may(CLOUDWATCH, use, key, alarm) for use in (WRITE, READ)] if key else []
    return all([service_may(CLOUDWATCH, PUBLISH, topic, alarm), *uses])
