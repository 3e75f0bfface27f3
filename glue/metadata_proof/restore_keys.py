"""The Fernet keys of a restore, from where the target's stack keeps them (docs/security.md), by the ids of versions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from metadata_restore.errors import FernetKeyError
from metadata_restore.keys import FernetKeys, make_keys

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


ANEW = "what is encrypted was encrypted anew with the target's Fernet key"


@dataclass(frozen=True)
class KeptKeys:
    """The secrets with Fernet keys.

    Args:
        secret_id: ARN of the target's; None: its stack keeps no keys.
        current: the version that has the key which the target uses; None: not known.
        exported_from: ARN of that of the exported environment; None: it is the target's.
    """

    secret_id: str | None
    current: str | None
    exported_from: str | None = None


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
    if kept.exported_from:
        return _of_another_environment(client, kept, exported), ANEW
    if exported is None or exported == kept.current:
        return None, None
    if kept.secret_id is None or kept.current is None:
        return None, "the target's Fernet key is not kept (KeepFernetKey): what is encrypted is as it was"
    old = _read(client, kept.secret_id, exported)
    if old is None:
        return None, f"the Fernet key {exported} is not kept in {kept.secret_id}: what is encrypted is as it was"
    return make_keys(old, _of_the_target(client, kept)), ANEW


def _of_another_environment(client: "SecretsManagerClient", kept: KeptKeys, exported: str | None) -> FernetKeys | None:
    """Return the keys where a person says where the old one is: without both the restore is refused."""
    new = _of_the_target(client, kept)
    old = _read(client, str(kept.exported_from), exported)
    if old is None:
        raise FernetKeyError(
            f"The Fernet key of the export, version {exported or 'AWSCURRENT'} of {kept.exported_from}, is not there. "
            "Name the secret of the environment that the export is of (old_fernet_key), or none."
        )
    return make_keys(old, new)


def _of_the_target(client: "SecretsManagerClient", kept: KeptKeys) -> str:
    if kept.secret_id is None or kept.current is None:
        raise FernetKeyError(
            "The target's own Fernet key is not kept, so nothing can be encrypted for it: deploy its stack with "
            "KeepFernetKey=true, trigger the DAG mwaa_metadata_export, then redrive."
        )
    new = _read(client, kept.secret_id, kept.current)
    if new is None:
        raise FernetKeyError(
            f"The target's Fernet key, version {kept.current} of {kept.secret_id}, is not there. Trigger the DAG "
            "mwaa_metadata_export, which keeps it again, then redrive."
        )
    return new


def _read(client: "SecretsManagerClient", secret_id: str, version: str | None) -> str | None:
    """Return a key, or None when there is no such version; without one that of the newest."""
    try:
        if version is None:
            return client.get_secret_value(SecretId=secret_id)["SecretString"]
        return client.get_secret_value(SecretId=secret_id, VersionId=version)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise FernetKeyError(
            f"The Fernet key, version {version or 'AWSCURRENT'} of {secret_id}, cannot be read: {error} - see that the "
            "job's role may read the secret and use its KMS key (RestoreFernetKeyArns, RestoreKeyArns), and that "
            "neither is scheduled for deletion; then redrive."
        ) from error
