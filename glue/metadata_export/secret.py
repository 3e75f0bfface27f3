"""The database's address and credentials: Glue connection -> secret -> Credentials."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from metadata_export.errors import CredentialsError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

REFRESH = "trigger the DAG mwaa_metadata_export, which publishes fresh ones, then redrive or start the export again"


@dataclass(frozen=True)
class Credentials:
    """How to reach the database; what must stay secret is not in its repr."""

    host: str
    port: int
    dbname: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    sslmode: str
    expires_at: datetime | None
    """an IAM token opens no connection after it"""

    def check_fresh(self, now: datetime) -> None:
        """Raise CredentialsError when a connection opened at `now` would be refused."""
        if self.expires_at is not None and now >= self.expires_at:
            raise CredentialsError(f"the database credentials expired at {self.expires_at.isoformat()}: {REFRESH}")


def read_credentials(glue: "GlueClient", secretsmanager: "SecretsManagerClient", connection_name: str) -> Credentials:
    """Read the secret that a Glue connection names.

    Args:
        connection_name: its property SECRET_ID is the name or ARN of a secret of the usual RDS form.

    Raises:
        CredentialsError: naming the connection or the secret, never a value of it.
    """
    try:
        connection = glue.get_connection(Name=connection_name, HidePassword=True)["Connection"]
    except (ClientError, BotoCoreError) as error:
        raise CredentialsError(
            f"cannot read the Glue connection {connection_name!r}: {error} - if it is gone, start a new execution, "
            "which makes it again (a redrive does not)"
        ) from error
    secret_id = connection.get("ConnectionProperties", {}).get("SECRET_ID")
    if not secret_id:
        raise CredentialsError(
            f"the Glue connection {connection_name!r} has no property SECRET_ID: run the export from its state machine"
        )
    try:
        text = secretsmanager.get_secret_value(SecretId=secret_id)["SecretString"]
    except (ClientError, BotoCoreError, KeyError) as error:
        raise CredentialsError(
            f"cannot read the secret {secret_id!r} of the Glue connection: {error} - see that it has a value, that the "
            "job's role may read it, and that it is not scheduled for deletion (then restore it)"
        ) from error
    return parse_secret(secret_id, text)


def parse_secret(secret_id: str, text: str) -> Credentials:
    """Turn the JSON of a secret into Credentials; messages name fields, never values."""
    try:
        secret = json.loads(text)
    except json.JSONDecodeError:
        secret = None
    if not isinstance(secret, dict):
        raise CredentialsError(f"the secret {secret_id!r} is not a JSON object: {REFRESH}")
    missing = [name for name in ("host", "dbname", "username", "password") if not secret.get(name)]
    if missing:
        raise CredentialsError(f"the secret {secret_id!r} lacks {', '.join(missing)} - {REFRESH}")
    try:
        return _credentials(secret)
    except (TypeError, ValueError):
        # the cause would quote a value of the secret
        raise CredentialsError(
            f"the secret {secret_id!r} has a port or expires_at that cannot be read: {REFRESH}"
        ) from None


def _credentials(secret: Mapping[str, Any]) -> Credentials:
    expires_at = datetime.fromisoformat(secret["expires_at"]) if secret.get("expires_at") else None
    return Credentials(
        host=str(secret["host"]).strip("[]"),  # an IPv6 address has brackets in a URL only
        port=int(secret.get("port") or 5432),
        dbname=str(secret["dbname"]),
        username=str(secret["username"]),
        password=str(secret["password"]),
        sslmode=str(secret.get("sslmode") or "require"),
        expires_at=_with_zone(expires_at) if expires_at else None,
    )


def _with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
