"""Errors of Plan Export."""

from export_contracts.errors import TerminalError, TransientError


class InvalidExportInputError(TerminalError):
    """The execution input is not what the contract allows."""


class LockContentionError(TransientError):
    """Other executions kept changing the lock while this one tried to take it."""
