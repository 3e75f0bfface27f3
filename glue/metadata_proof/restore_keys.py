"""The Fernet keys of a restore, from where the target's stack keeps them (docs/security.md), by the ids of versions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from metadata_restore.errors import FernetKeyError
from metadata_restore.keys import FernetKeys, make_keys

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True)
class KeptKeys:
    """The secret with the target's Fernet keys.

    Args:
        secret_id: its ARN; None: the target's stack keeps no keys.
        current: the version that has the key which the target uses; None: not known.
    """

    secret_id: str | None
    current: str | None


def read_keys(
    client: "SecretsManagerClient", kept: KeptKeys, exported: str | None
) -> tuple[FernetKeys | None, str | None]:
    """Return with which keys an export is restored, and what a person should know of that.

    Args:
        client: Secrets Manager.
        kept: the target's.
        exported: the version that has the key of the exported values; None: it was not kept.

    Returns:
        Keys, or None where encrypted values stay as they are; and a note, or None.

    Raises:
        FernetKeyError: a key that is kept cannot be read, or is none. It never names a key.
    """
    if exported is None or exported == kept.current:
        return None, None
    if kept.secret_id is None or kept.current is None:
        return None, "the target's Fernet key is not kept (KeepFernetKey): what is encrypted is as it was"
    old = _read(client, kept.secret_id, exported)
    if old is None:
        return None, f"the Fernet key {exported} is not kept in {kept.secret_id}: what is encrypted is as it was"
    new = _read(client, kept.secret_id, kept.current)
    if new is None:
        raise FernetKeyError(
            f"The target's Fernet key, version {kept.current} of {kept.secret_id}, is not there. Trigger the DAG "
            "mwaa_metadata_export, which keeps it again, then redrive."
        )
    return make_keys(old, new), "what is encrypted was encrypted anew with the target's Fernet key"


def _read(client: "SecretsManagerClient", secret_id: str, version: str) -> str | None:
    """Return a key, or None when there is no such version."""
    try:
        return client.get_secret_value(SecretId=secret_id, VersionId=version)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise FernetKeyError(
            f"The Fernet key, version {version} of {secret_id}, cannot be read: {error} - see that the job's role may "
            "read the secret and use its KMS key, and that neither is scheduled for deletion; then redrive."
        ) from error
