"""Errors of Plan Restore."""

from export_runtime.errors import TerminalError


class InvalidRestoreInputError(TerminalError):
    """The execution input is not what the contract allows."""


class NoSuchExportError(TerminalError):
    """There is no export that can be restored where the input says."""


class SameSecondError(TerminalError):
    """Another execution of that second has this restore's name, and its plan must not be overwritten."""
