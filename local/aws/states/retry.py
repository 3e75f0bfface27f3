"""Retry and Catch of a state.

AWS documented: intervals, backoff, jitter and attempts of Retry, and what Catch hands on.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import random
from collections.abc import Mapping
from typing import Any

from ministack.services import stepfunctions as sfn

from local.aws.states.limits import matches

DEFAULT_INTERVAL_SECONDS = 1
DEFAULT_BACKOFF_RATE = 2.0
DEFAULT_ATTEMPTS = 3


class Retries:
    """The retries of one execution of a state.

    Args:
        retriers: the state's `Retry`.
    """

    def __init__(self, retriers: list[Mapping[str, Any]]) -> None:
        self._retriers = retriers
        self._used = [0] * len(retriers)

    @property
    def count(self) -> int:
        """How often the state was retried, for `$states.context.State.RetryCount`."""
        return sum(self._used)

    def delay(self, error: str) -> float | None:
        """Seconds to wait before the next attempt, or None when there is none. The first match decides."""
        for index, retrier in enumerate(self._retriers):
            if matches(retrier["ErrorEquals"], error):
                if self._used[index] >= retrier.get("MaxAttempts", DEFAULT_ATTEMPTS):
                    return None
                self._used[index] += 1
                return _delay(retrier, self._used[index] - 1)
        return None


def _delay(retrier: Mapping[str, Any], used: int) -> float:
    interval = retrier.get("IntervalSeconds", DEFAULT_INTERVAL_SECONDS)
    delay = interval * retrier.get("BackoffRate", DEFAULT_BACKOFF_RATE) ** used
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)  # noqa: S311 - no secret
    return float(delay)


def catch(state: Mapping[str, Any], data: Any, context: dict[str, Any], error: Any) -> tuple[Any, str]:
    """Output and next state after an error that no retry helped against.

    Raises:
        sfn._ExecutionError: the error itself, when nothing catches it.
    """
    for catcher in state.get("Catch", []):
        if matches(catcher["ErrorEquals"], error.error):
            # AWS assumed: Catch leaves out a Cause that is empty; what survives that survives both.
            error_output = {"Error": error.error} | ({"Cause": error.cause} if error.cause else {})
            language = sfn._state_query_language(state, context)
            return sfn._apply_catcher(catcher, data, context, language, error_output), catcher["Next"]
    raise error
