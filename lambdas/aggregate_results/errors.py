"""Errors of Aggregate Results."""

from export_runtime.errors import TerminalError


class ManifestError(TerminalError):
    """A group's manifest is missing, unreadable or not this export's. Caught: the group counts as failed."""


class TableNotInDatabaseError(TerminalError):
    """A table that was asked for by name does not exist, so no retry helps. Summary is written, execution fails."""


class ExportIncompleteError(TerminalError):
    """The export is still incomplete after the retry. The summary is written; the execution fails."""
