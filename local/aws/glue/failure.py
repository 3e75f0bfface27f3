"""Why a job run failed, in Glue's words.

AWS documented: the categories of a run's error. https://docs.aws.amazon.com/glue/latest/dg/error-classification.html

AWS assumed: the words of a run's error behind its category, where no page shows them.
"""

import re
import signal
from collections.abc import Sequence

from local.aws.errors import EmulatorError

_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION_LINE = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)\b.*")


class LaunchError(EmulatorError):
    """A run that failed before its script could start.

    Args:
        category: as Glue classifies errors, such as `PERMISSION_ERROR`.
        message: the reason.
    """

    def __init__(self, category: str, message: str) -> None:
        super().__init__(f"{category}; {message}" if category == "LAUNCH ERROR" else classified(category, message))


def classified(category: str, message: str) -> str:
    """An error message of a job run."""
    return f"Error Category: {category}; {message}"


def of_exit(return_code: int, error_lines: Sequence[str]) -> str:
    """The error message of a script that ended with `return_code`, from the lines it wrote to stderr."""
    if return_code < 0 or return_code > 128:
        number = -return_code if return_code < 0 else return_code - 128
        reason = "the driver was killed" if number == signal.SIGKILL else f"the driver got signal {number}"
        return classified("UNCLASSIFIED_ERROR", f"Command failed with exit code {128 + number}: {reason}")
    if exception := _exception(error_lines):
        return classified("UNCLASSIFIED_ERROR", exception)
    return classified("UNCLASSIFIED_ERROR", f"SystemExit: {error_lines[-1] if error_lines else return_code}")


def _exception(error_lines: Sequence[str]) -> str | None:
    """Return what ended the script: the first exception after the beginning of Python's last traceback.

    Spark's Java writes to the same stream, also while and after the script ends; its traces begin otherwise.
    """
    begins = [number for number, line in enumerate(error_lines) if line == _TRACEBACK]
    lines = error_lines[begins[-1] :] if begins else reversed(error_lines)
    return next((line for line in lines if _EXCEPTION_LINE.match(line)), None)
