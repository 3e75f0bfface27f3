"""SNS: Publish refuses what SNS refuses.

AWS documented: SNS: a subject has less than 100 characters and no line break, a message is not empty.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from collections.abc import Callable
from typing import Any

from ministack.services import sns

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings

MAX_SUBJECT_LENGTH = 99


def apply(_: Settings) -> None:
    """Patch SNS."""
    for name in ("_p", "_error"):
        attribute(sns, name)
    wrap(sns, "_publish", _publish)


def _publish(original: Callable[..., Any]) -> Callable[..., Any]:
    def publish(params: dict[str, Any]) -> Any:
        problem = _problem(params)
        return sns._error("InvalidParameter", f"Invalid parameter: {problem}", 400) if problem else original(params)

    return publish


def _problem(params: dict[str, Any]) -> str | None:
    subject = sns._p(params, "Subject")
    if len(subject) > MAX_SUBJECT_LENGTH or not subject.isprintable():
        return "Subject"
    return None if sns._p(params, "Message") else "Empty message"
