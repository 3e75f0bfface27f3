"""Errors of the command line, and the exit codes that scripts rely on (docs/cli.md)."""

from export_contracts.restore_plan import NotRestorableError
from export_runtime.errors import ExportError, TerminalError

OK = 0
BAD = 1
USAGE = 2
AWS = 3
NOT_FOUND = 4
LOCAL = 5
TARGET = 6
BUSY = 7
FAULT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130
NOBODY_READS = 141  # as a shell says of a process that SIGPIPE ended


class InvalidOptionError(TerminalError):
    """What was asked for cannot be: an option or argument is not valid."""


class NotFoundError(TerminalError):
    """There is no such stack, export or report."""


class LocalError(TerminalError):
    """Something on this machine does not work: a file cannot be written, the disk is full."""


class BusyError(TerminalError):
    """Another execution is at work, so there was nothing to do."""


class UnreadableSummaryError(TerminalError):
    """A summary is there and cannot be read."""


class FailedRestoreError(TerminalError):
    """A restore must not be, or an object is not what was exported."""


class UnreadableObjectsError(TerminalError):
    """The objects of an export cannot be read."""


class UnreachableTargetError(TerminalError):
    """The database to restore into cannot be reached, or refuses."""


def exit_code(error: ExportError) -> int:
    """Return the exit code of an error."""
    codes = {
        InvalidOptionError: USAGE,
        NotFoundError: NOT_FOUND,
        LocalError: LOCAL,
        UnreadableSummaryError: BAD,
        NotRestorableError: BAD,
        FailedRestoreError: BAD,
        UnreachableTargetError: TARGET,
        BusyError: BUSY,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), AWS)
