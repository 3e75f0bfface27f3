"""Where objects are read, by the caller's own client."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from export_runtime.aws import error_code

from export_cli.aws import missing
from export_cli.errors import NotFoundError, UnreadableSummaryError

_CHANGED = ("PreconditionFailed", "412")


@dataclass(frozen=True)
class Bucket:
    """A bucket and the client that reads it."""

    client: Any
    name: str

    def refuse(self, error: ClientError, address: str) -> None:
        """Say what it means that S3 refused to give an object; what means nothing in particular is left to the caller.

        Raises:
            NotFoundError: the object is gone or archived.
            UnreadableSummaryError: it was replaced while it was read.
        """
        if missing(error):
            raise NotFoundError(f"{address} does not exist any more.") from error
        if error_code(error) == "InvalidObjectState":
            raise NotFoundError(f"{address} is archived: restore it from Glacier first, or say --since.") from error
        if error_code(error) in _CHANGED:
            raise UnreadableSummaryError(f"{address} was replaced just now. Query again.") from error
