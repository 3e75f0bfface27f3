"""Clients of AWS, with timeouts and bounded retries; the endpoint comes from the environment (AWS_ENDPOINT_URL).

The region is what the job is told (--AWS_REGION), on the driver and on the workers: Glue does not document that the
environment of either names one, and without one S3's client would silently take us-east-1.
They are botocore's: importing boto3 costs a fifth of a second more, in every process, for what nothing here uses.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.session import Session, get_session

from metadata_export.version import USER_AGENT

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 5},
    user_agent_extra=USER_AGENT,
)
# What is written has its SHA-256 in a header that is signed, and S3 checks it. botocore would hash the bytes once more,
# for the signature: over https it spares that only where it has made the checksum itself.
S3_CONFIG = CONFIG.merge(Config(s3={"payload_signing_enabled": False}))


def glue_client(region: str) -> "GlueClient":
    """Return a client of AWS Glue."""
    client: GlueClient = _session().create_client("glue", region, config=CONFIG)  # type: ignore[assignment]
    return client


def secretsmanager_client(region: str) -> "SecretsManagerClient":
    """Return a client of Secrets Manager."""
    client: SecretsManagerClient = _session().create_client(  # type: ignore[assignment]
        "secretsmanager", region, config=CONFIG
    )
    return client


@lru_cache(maxsize=1)
def s3_client(region: str) -> "S3Client":
    """Return this process's client of S3: making one costs more than a small table does."""
    client: S3Client = _session().create_client("s3", region, config=S3_CONFIG)  # type: ignore[assignment]
    return client


@lru_cache(maxsize=1)
def _session() -> Session:
    return get_session()
