"""The database's address and credentials: Glue connection -> secret -> Credentials.

The secret is docs/contracts/database_secret.schema.json; what that cannot say is in the examples beside it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address
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
    except (ValueError, RecursionError):
        secret = None
    if not isinstance(secret, dict):
        raise CredentialsError(f"the secret {secret_id!r} is not a JSON object: {REFRESH}")
    secret = {name: value for name, value in secret.items() if value not in (None, "")}
    missing = [name for name in REQUIRED if name not in secret]
    wrong = [name for name, usable in CHECKS.items() if name in secret and not usable(secret[name])]
    if problems := [*(f"lacks {name}" for name in missing), *(f"has a {name} that cannot be used" for name in wrong)]:
        raise CredentialsError(f"the secret {secret_id!r} {', '.join(problems)} - {REFRESH}")
    return _credentials(secret)


def _credentials(secret: Mapping[str, Any]) -> Credentials:
    expires_at = datetime.fromisoformat(secret["expires_at"]) if "expires_at" in secret else None
    return Credentials(
        host=secret["host"].strip("[]"),  # an IPv6 address has brackets in a URL only
        port=int(secret["port"]),
        dbname=secret["dbname"],
        username=secret["username"],
        password=secret["password"],
        sslmode=secret.get("sslmode", "require"),
        expires_at=_with_zone(expires_at) if expires_at else None,
    )


def _with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_text(value: object) -> bool:
    # PostgreSQL takes no zero character, and UTF-8 no half of a surrogate pair, which JSON can write.
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


def _is_host(value: object) -> bool:
    if not isinstance(value, str):
        return False
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        return True
    address = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return IPv6Address(address).scope_id is None  # a zone means something on one machine only
    except ValueError:
        return False


def _is_port(value: object) -> bool:
    digits = isinstance(value, str | int) and re.fullmatch(r"[0-9]{1,5}", str(value))
    return bool(digits) and 0 < int(str(value)) < 65536


def _is_moment(value: object) -> bool:
    try:
        return bool(datetime.fromisoformat(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


REQUIRED = ("host", "port", "dbname", "username", "password")
CHECKS: dict[str, Callable[[Any], bool]] = {
    "engine": ("postgres", "postgresql").__contains__,
    "host": _is_host,
    "port": _is_port,
    "dbname": _is_text,
    "username": _is_text,
    "password": _is_text,
    # https://www.postgresql.org/docs/current/libpq-ssl.html
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full").__contains__,
    "expires_at": _is_moment,
}
