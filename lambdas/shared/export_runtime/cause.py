"""Why a Glue run or a function failed, from what Step Functions says of it. Nothing in it is trusted.

AWS assumed: the cause of a failed Glue run is the run as JSON, that of a refused call is plain text. Both are read,
and whatever else it may be is shown as it is.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from export_runtime.text import one_line

ERROR_LIMIT = 2000
_RUN_ID = re.compile(r"jr_[0-9A-Za-z_]{8,255}")
# The state machine cuts long causes, so the JSON may have no end.
_CUT_MESSAGE = re.compile(r'"[Ee]rrorMessage"\s*:\s*("(?:[^"\\]|\\.)*")')
_CUT_ID = re.compile(r'"Id"\s*:\s*"(jr_[^"]*)"')


@dataclass(frozen=True)
class Cause:
    """One line that says why, and the Glue run and its table group if they are known."""

    text: str
    job_run_id: str | None
    group: str | None = None


def read_cause(error: str, cause: str, limit: int = ERROR_LIMIT) -> Cause:
    """Return why something failed.

    Args:
        error: name of the error, such as ``States.TaskFailed`` or ``Glue.ConcurrentRunsExceededException``.
        cause: JSON of a Glue job run (``ErrorMessage``) or of a function's error (``errorMessage``), or plain text.
        limit: longest text in characters.
    """
    run = _parsed(cause)
    message = run.get("ErrorMessage", run.get("errorMessage"))
    if not isinstance(message, str) or not message.strip():
        message = f"the Glue run ended as {run['JobRunState']}" if run.get("JobRunState") else cause
    text = one_line(message, limit) or "no reason was given"
    # States.TaskFailed says no more than that it failed.
    name = one_line(error, 100)
    prefix = "" if name in ("", "States.TaskFailed") else f"{name}: "
    return Cause(f"{prefix}{text}", valid_run_id(run.get("Id")), _group(run))


def valid_run_id(value: object) -> str | None:
    """Return the id of a Glue job run if it looks like one."""
    return value if isinstance(value, str) and _RUN_ID.fullmatch(value) else None


def _parsed(cause: str) -> dict[str, Any]:
    try:
        run = json.loads(cause)
    except ValueError:
        return _cut(cause)
    return run if isinstance(run, dict) else {}


def _cut(cause: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if identifier := _CUT_ID.search(cause):
        found["Id"] = identifier[1]
    if message := _CUT_MESSAGE.search(cause):
        found["ErrorMessage"] = json.loads(message[1], strict=False)
    return found


def _group(run: dict[str, Any]) -> str | None:
    arguments = run.get("Arguments")
    group = arguments.get("--EXPORT_GROUP") if isinstance(arguments, dict) else None
    return one_line(group, 100) if isinstance(group, str) else None
