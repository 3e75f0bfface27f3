"""Errors of Plan Export."""

from export_runtime.errors import TerminalError


class InvalidExportInputError(TerminalError):
    """The execution input is not what the contract allows."""


class OtherExportError(TerminalError):
    """Another export, which does not bring what this one would, has been at work for too long to go on waiting."""


class SameSecondError(TerminalError):
    """A complete export that another execution began in the same second has this one's name, and must not be lost."""
