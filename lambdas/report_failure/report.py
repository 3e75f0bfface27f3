"""Tidies up after a failed execution and finds out what there is to say of it. Nothing here holds back the alert."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from export_runtime.errors import ExportError
from export_runtime.executions import Executions
from export_runtime.text import one_line

from report_failure.event import FailedExecution
from report_failure.glue_runs import GlueRuns, Stopped
from report_failure.objects import ExportObjects, Remains

# A Glue run that is told to stop needs half a minute or so.
PATIENCE_SECONDS = 90

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What was found and done. ``problems`` are one line each."""

    runs: Stopped
    uploads: int
    remains: Remains | None
    last_state: str | None
    is_redriven: bool
    problems: tuple[str, ...] = ()


def tidy_up(
    execution: FailedExecution,
    executions: Executions,
    runs: GlueRuns,
    objects: ExportObjects,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Report:
    """Stop what still runs, abort what is half written, and look at what there is.

    Does not touch an execution that somebody has redriven in the meantime (events may arrive late, or twice).
    """
    problems: list[str] = []

    def attempt(work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except ExportError as error:
            problems.append(one_line(str(error), 500))
        except Exception as error:  # people must be told of the failed execution even if this is wrong
            problems.append(f"unexpected {one_line(repr(error), 500)}")
        return otherwise

    # As long as it is not known whether it runs again, its runs are left alone.
    redriven = attempt(lambda: executions.is_running(execution.arn), None)
    stopped, uploads = Stopped(), 0
    if redriven is False:
        stopped = attempt(lambda: runs.stop(execution, patience_seconds), stopped)
        # That took a while. If somebody has redriven it, what is half written belongs to the new runs.
        redriven = attempt(lambda: executions.is_running(execution.arn), None)
    if redriven is False:
        uploads = attempt(lambda: objects.abort_uploads(execution), uploads)
    remains = attempt(lambda: objects.remains(execution), None)
    last_state = attempt(lambda: executions.last_state(execution.arn), None)
    return Report(stopped, uploads, remains, last_state, bool(redriven), tuple(problems))
