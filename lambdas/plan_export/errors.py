"""Errors of Plan Export."""

from export_runtime.errors import TerminalError, TransientError


class InvalidExportInputError(TerminalError):
    """The execution input is not what the contract allows."""


class LockContentionError(TransientError):
    """Other executions kept changing the lock while this one tried to take it."""


class OtherExportError(TerminalError):
    """Another export, which does not bring what this one would, has been at work for too long to go on waiting."""
