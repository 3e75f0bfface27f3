"""Errors of Conduct Drill."""

from export_runtime.errors import TerminalError


class ExportUnreadableError(TerminalError):
    """Which export is the newest, or what is in it, cannot be read."""


class NoProofError(TerminalError):
    """The run that should have tried the export left no proof."""


class ExportNotRestorableError(TerminalError):
    """The export was tried, and is not what comes back."""
