"""Errors of Prepare Connection."""

from export_runtime.errors import TerminalError, TransientError


class ConnectionImpossibleError(TerminalError):
    """The export cannot work as credentials, environment or network are; the message lists everything wrong."""


class ForeignConnectionError(TerminalError):
    """A Glue connection of this name exists that this project did not create."""


class ConnectionContentionError(TransientError):
    """The Glue connection appeared and disappeared while it was being prepared."""
