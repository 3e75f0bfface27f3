"""Errors of all functions: terminal ones need a person, transient ones pass when the state machine tries again."""


class ExportError(Exception):
    """Base of every error that a function raises on purpose."""


class TerminalError(ExportError):
    """Repeating the call does not help: somebody has to change something first."""


class TransientError(ExportError):
    """Repeating the call later may help."""


class ConfigurationError(TerminalError):
    """An environment variable of the function is missing or malformed."""


class InvalidEventError(TerminalError):
    """The state machine passed something that is not the contract."""


class AwsCallError(TerminalError):
    """AWS refused a call."""


class ArchivedObjectError(AwsCallError):
    """An object is in an archive class of S3: it must be restored there before it can be read."""


class ContentionError(TransientError):
    """Others kept changing what was to be changed, every time it was tried."""


class AwsUnavailableError(TransientError):
    """AWS did not answer a call, or asked to slow down, after all retries of the SDK."""
