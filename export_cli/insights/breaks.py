"""The days on which a DAG's runs became slower, or fast again, for longer than a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

_BEFORE, _AFTER = 14, 5  # days with runs that are compared
_LEAST = 3  # days on either side: one slow day is no break
_FACTOR = 1.5
_SECONDS = 20.0


@dataclass(frozen=True)
class Day:
    """The runs of a DAG that began on a day, and how long half of them and 19 of 20 took at most, in seconds."""

    day: date
    runs: int
    median: float
    p95: float


@dataclass(frozen=True)
class Break:
    """A day from which on the median is another, before and after it in seconds."""

    day: date
    before: float
    after: float

    @property
    def factor(self) -> float:
        """How many times as long runs take since."""
        return self.after / max(self.before, 0.001)

    @property
    def slower(self) -> bool:
        """Whether they take longer."""
        return self.after > self.before


def find_breaks(days: Sequence[Day]) -> tuple[Break, ...]:
    """Return the breaks, oldest first.

    The median of the days before (since the last break, 14 at most) is compared with that of the day and those after it
    (5 in all). A break is where they differ by half and by 20 seconds.

    Args:
        days: those with runs, oldest first.
    """
    found: list[Break] = []
    since = 0
    for place in range(len(days)):
        before, after = days[max(place - _BEFORE, since) : place], days[place : place + _AFTER]
        if len(before) >= _LEAST and len(after) >= _LEAST and (broken := _break(before, after)):
            found.append(broken)
            since = place
    return tuple(found)


def _break(before: Sequence[Day], after: Sequence[Day]) -> Break | None:
    was, now = (median(day.median for day in some) for some in (before, after))
    # The day itself must be beyond the middle of both: otherwise the break is a later one.
    beyond = (after[0].median > (was + now) / 2) == (now > was)
    large = max(was, now) >= _FACTOR * min(was, now) and abs(now - was) >= _SECONDS
    return Break(after[0].day, was, now) if large and beyond else None
