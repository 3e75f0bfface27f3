"""Errors of Prepare Connection."""

from export_runtime.errors import TerminalError


class ConnectionImpossibleError(TerminalError):
    """The export cannot work as credentials, environment or network are; the message lists everything wrong."""


class ForeignConnectionError(TerminalError):
    """A Glue connection of this name exists that this project did not create."""
