"""What can go wrong. A terminal error stays the same when tried again; a transient one may not."""

import re

MESSAGE_LIMIT = 1000  # Glue cuts ErrorMessage; the beginning is what names the thing


class ExportError(Exception):
    """The export of this group failed; terminal unless a subclass says otherwise."""

    transient = False


class ArgumentError(ExportError):
    """A job argument is missing or wrong."""


class OtherExportError(ExportError):
    """Another export of this environment is running; at most one does."""


class CredentialsError(ExportError):
    """The Glue connection or its secret does not lead to the database."""


class SourceError(ExportError):
    """The database refuses what is asked of it."""


class SnapshotError(ExportError):
    """A snapshot cannot be imported."""


class StorageError(ExportError):
    """S3 refuses what is asked of it."""


class TableError(ExportError):
    """A table cannot be exported; the others can."""


class WorkerError(ExportError):
    """A process that exports has ended, or has lost the connection that it kept."""

    transient = True


class TransientSourceError(SourceError):
    """The database cannot be reached, or ended the connection."""

    transient = True


class TransientStorageError(StorageError):
    """S3 cannot be reached, is busy, or got something else than what was sent."""

    transient = True


def describe(error: BaseException) -> str:
    """Return an error as one bounded line: its message, or its class when it has none."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    name = type(error).__name__
    line = text if isinstance(error, ExportError) and text else f"{name}: {text}" if text else name
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 3] + "..."
