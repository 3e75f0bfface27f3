"""The secret that the DAG publishes (docs/contracts/database_secret.schema.json), read as the Glue job reads it.

What the schema cannot say is in docs/contracts/examples/database_secret.json.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from export_runtime.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

REMEDY = "trigger the DAG mwaa_metadata_export, it publishes the credentials"
_REQUIRED = ("host", "port", "dbname", "username", "password")
_WITHOUT_TLS = ("disable", "allow", "prefer")
# https://www.postgresql.org/docs/current/libpq-ssl.html
_SSLMODES = (*_WITHOUT_TLS, "require", "verify-ca", "verify-full")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PORT = re.compile(r"[0-9]{1,5}")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_KEY_VERSION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class DatabaseAddress:
    """Where the database is. The credentials themselves are only looked at, never kept."""

    host: str
    port: int
    name: str
    enforce_tls: bool

    @property
    def jdbc_url(self) -> str:
        """URL without credentials; an IPv6 address in brackets, the database name percent-encoded."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"jdbc:postgresql://{host}:{self.port}/{quote(self.name, safe='')}"


def read_secret(client: "SecretsManagerClient", secret_arn: str) -> str | None:
    """Return the secret's text, or None when the secret or its value does not exist.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    advice = (
        "Check that the function's role may read the secret and use its KMS key, and that the secret is not "
        "scheduled for deletion (then restore it)."
    )
    with aws_call(f"read secret {secret_arn}", advice):
        try:
            return client.get_secret_value(SecretId=secret_arn).get("SecretString")
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise


def parse_secret(text: str | None, now: datetime) -> tuple[DatabaseAddress | None, list[str]]:
    """Return the database's address, or None and what is wrong. Problems never quote the secret's values.

    Args:
        text: as ``read_secret`` returns it.
        now: to tell whether an IAM token has expired.
    """
    if not text:
        return None, [f"the secret has no value yet: {REMEDY}, and says so when the secret itself is missing"]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return None, [f"the secret is not a JSON object: {REMEDY}"]
    content = {name: value for name, value in content.items() if value not in (None, "")}
    problems = [*_missing(content), *_malformed(content), *_expired(content, now)]
    return (None, problems) if problems else (_address(content), [])


def kept_key_version(text: str | None) -> str | None:
    """Return which version of the secret of the Fernet keys has that of the database's values; None: none is known.

    Args:
        text: as ``read_secret`` returns it.
    """
    try:
        version = json.loads(text or "{}").get("fernet_key_version")
    except (ValueError, RecursionError, AttributeError):
        return None
    return version if isinstance(version, str) and _KEY_VERSION.fullmatch(version) else None


def _address(content: dict[str, Any]) -> DatabaseAddress:
    return DatabaseAddress(
        host=content["host"].strip("[]"),
        port=int(content["port"]),
        name=content["dbname"],
        enforce_tls=content.get("sslmode") not in _WITHOUT_TLS,
    )


def _missing(content: dict[str, Any]) -> list[str]:
    missing = [name for name in _REQUIRED if name not in content]
    # No colon here: after "password:" it would be taken for a password, and be hidden.
    return [f"the secret lacks {', '.join(missing)} - {REMEDY}"] if missing else []


def _malformed(content: dict[str, Any]) -> list[str]:
    wrong = [name for name, check in _CHECKS.items() if name in content and not check(content[name])]
    return [f"the secret's {', '.join(wrong)} cannot be used: {REMEDY}"] if wrong else []


def _expired(content: dict[str, Any], now: datetime) -> list[str]:
    if not _is_moment(content.get("expires_at")):
        return []
    moment = datetime.fromisoformat(content["expires_at"])
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return [f"the secret's IAM token expired at {moment.isoformat()}: {REMEDY}"] if moment <= now else []


def _is_postgres(engine: object) -> bool:
    return engine in ("postgres", "postgresql")


def _is_sslmode(mode: object) -> bool:
    return mode in _SSLMODES


def _is_text(value: object) -> bool:
    # PostgreSQL takes no zero character, and UTF-8 no half of a surrogate pair, which JSON can write.
    return isinstance(value, str) and not _NO_TEXT.search(value)


def _is_host(host: object) -> bool:
    if not isinstance(host, str):
        return False
    if _HOST_NAME.fullmatch(host):
        return True
    address = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ipaddress.IPv6Address(address).scope_id is None  # a zone means something on one machine only
    except ValueError:
        return False


def _is_port(port: object) -> bool:
    text = str(port)
    return isinstance(port, str | int) and bool(_PORT.fullmatch(text)) and 0 < int(text) < 65536


def _is_moment(value: object) -> bool:
    try:
        return bool(datetime.fromisoformat(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


_CHECKS: dict[str, Callable[[object], bool]] = {
    "engine": _is_postgres,
    "host": _is_host,
    "port": _is_port,
    "dbname": _is_text,
    "username": _is_text,
    "password": _is_text,
    "sslmode": _is_sslmode,
    "expires_at": _is_moment,
}
