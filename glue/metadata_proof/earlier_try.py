"""What an earlier try of the same restore has left: a redrive must not restore again what was committed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from metadata_restore.commit import is_committed
from metadata_restore.database import Address
from metadata_restore.errors import UncertainError

from metadata_proof import documents
from metadata_proof.errors import ProofError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Marker:
    """The document that a try writes just before its COMMIT."""

    s3: "S3Client"
    uri: str
    database: str
    """which one it is about, as host:port/name: numbers of transactions mean nothing in another one"""

    def write(self, transaction: str, report: Mapping[str, Any]) -> None:
        """Leave the number of the transaction, and the report that there is once it is committed.

        Raises:
            ProofError: it cannot be written.
        """
        document = {"transaction": transaction, "database": self.database, "report": report}
        try:
            documents.write(self.s3, self.uri, document)
        except (ClientError, BotoCoreError) as error:
            raise ProofError(f"{self.uri} cannot be written: {error}") from error

    def report_of_committed(self, address: Address) -> dict[str, Any] | None:
        """Return the report of the try before this one, if that was committed; else its marker goes.

        Raises:
            UncertainError: the database does not say.
            TargetError: the database does not answer.
            ProofError: S3 does not.
        """
        left = self._read()
        if left is None or left["database"] != self.database:
            return None
        if _committed(address, left["transaction"], self.uri):
            return dict(left["report"])
        self._remove()  # or an alert would say that this try had come so far
        return None

    def _read(self) -> dict[str, Any] | None:
        if not documents.exists(self.s3, self.uri):
            return None
        return dict(json.loads(documents.read(self.s3, self.uri)))

    def _remove(self) -> None:
        try:
            documents.remove(self.s3, self.uri)
        except (ClientError, BotoCoreError) as error:
            raise ProofError(f"{self.uri} cannot be deleted: {error}") from error


def _committed(address: Address, transaction: str, uri: str) -> bool:
    with address.connected() as connection:
        try:
            committed, reason = is_committed(connection, transaction), "the server does not say any more"
        except psycopg.Error as error:
            committed, reason = None, " ".join(str(error).split())
    if committed is None:
        raise UncertainError(
            f"an earlier try of this restore had begun to commit, and the database does not say what became of it "
            f"({reason}; {uri} has its transaction). Nothing was changed now. Look whether the database is what the "
            "export was; if not, start a new restore"
        )
    return committed
