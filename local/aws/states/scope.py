"""Cancellation: a scope is cancelled with everything inside it. The execution is one, each Map iteration another."""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar


class Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """This scope was cancelled; whoever did it records why."""


class Scope:
    """What can be cancelled as a whole.

    Args:
        parent: the scope around this one.
    """

    def __init__(self, parent: "Scope | None" = None) -> None:
        self._cancelled = threading.Event()
        self._parent = parent

    def cancel(self) -> None:
        """Make everything in this scope end with `Cancelled`."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether this scope, or one around it, was cancelled."""
        return self._cancelled.is_set() or (self._parent is not None and self._parent.cancelled)

    def check(self) -> None:
        """Go on only when this scope was not cancelled.

        Raises:
            Cancelled: it was.
        """
        if self.cancelled:
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Cancelled: this scope was cancelled meanwhile.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._cancelled.wait(min(left, 0.05))
            self.check()
        self.check()


current: ContextVar[Scope] = ContextVar("current_scope")  # of the state that this thread executes


def sleeper(scale: float) -> Callable[[float], None]:
    """A function that sleeps so many scaled seconds, unless the current scope is cancelled."""
    return lambda seconds: current.get().sleep(seconds * scale)
