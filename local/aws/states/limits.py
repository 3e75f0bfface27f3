"""Quotas of Step Functions.

AWS documented: Step Functions: the largest payload, the longest name. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json
from typing import Any

from ministack.services import stepfunctions as sfn

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_NAME_LENGTH = 80
# AWS documented: States.ALL catches neither States.DataLimitExceeded nor States.Runtime.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
TERMINAL_ERRORS = ("States.DataLimitExceeded", "States.Runtime")


def check_payload(value: Any, what: str) -> None:
    """Hold a state's input, output or variables to the quota.

    Args:
        value: any JSON value.
        what: for the cause, such as "The state/task 'X' returned a result".

    Raises:
        sfn._ExecutionError: States.DataLimitExceeded.
    """
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise sfn._ExecutionError(
            "States.DataLimitExceeded",
            f"{what} with a size exceeding the maximum number of bytes service limit ({size} > {MAX_PAYLOAD_BYTES}).",
        )


def matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier or catcher is meant for an error."""
    if error in error_equals:
        return True
    if error in TERMINAL_ERRORS:
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")
