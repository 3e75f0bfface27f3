"""Waiting for what servers and processes do in their own time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE_SECONDS = 180.0  # a busy machine may take long; what never happens is found out all the same
POLL_SECONDS = 0.05


def wait_until(
    look: Callable[[], Found],
    what: str = "what was awaited",
    seconds: float = PATIENCE_SECONDS,
    poll: float = POLL_SECONDS,
) -> Found:
    """Poll until `look` returns something truthy, and return that.

    Args:
        look: called again and again.
        what: what is waited for, for the message.
        seconds: for how long.
        poll: seconds between looks.

    Raises:
        AssertionError: it did not happen in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(poll)
    return found
