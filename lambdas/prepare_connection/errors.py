"""Errors of Prepare Connection."""

from export_runtime.errors import TerminalError


class ConnectionImpossibleError(TerminalError):
    """The export cannot work with credentials, environment or network as they are; the message lists what is wrong."""


class ForeignConnectionError(TerminalError):
    """A Glue connection of this name exists that this project did not create."""
