"""Errors of Publish Assets."""

from export_runtime.errors import TerminalError, TransientError


class InvalidPropertiesError(TerminalError):
    """The template gave the custom resource properties that it cannot use."""


class MissingAssetError(TerminalError):
    """The function's package lacks a file that `sam build` should have put there."""


class ForeignObjectError(TerminalError):
    """An object that this stack did not put there is where an asset should go."""


class UnansweredError(TransientError):
    """CloudFormation could not be answered; Lambda invokes the function again."""
