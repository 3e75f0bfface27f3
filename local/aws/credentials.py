"""What a service does with a role: assume it, and call other services with its credentials."""

import functools
import hashlib
from typing import Any

import boto3
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region

from local.aws.errors import EmulatorError
from local.aws.settings import Settings

READ_TIMEOUT_SECONDS = 960  # a Lambda function may take 900


class RoleError(EmulatorError):
    """A service cannot assume the role that it was given."""


def role_environment(settings: Settings, role_arn: str, service: str, session: str) -> dict[str, str]:
    """Environment variables with the credentials that `service` gets by assuming a role.

    Args:
        settings: the emulator's.
        role_arn: ARN of the role.
        service: the service's principal, such as `glue.amazonaws.com`.
        session: name of the role session.

    Raises:
        RoleError: the role does not exist, or does not trust the service.
    """
    common = {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if not settings.auth:
        return {**common, "AWS_ACCESS_KEY_ID": get_account_id(), "AWS_SECRET_ACCESS_KEY": "test"}
    check_trust(role_arn, service)
    return {**common, **_register_session(role_arn, session)}


def role_client(settings: Settings, name: str, role_arn: str, service: str, session: str) -> Any:
    """A boto3 client that acts as `service` in a role.

    Raises:
        RoleError: as for `role_environment`.
    """
    env = role_environment(settings, role_arn, service, session)
    return _client(
        name,
        settings.endpoint,
        env["AWS_REGION"],
        env["AWS_ACCESS_KEY_ID"],
        env["AWS_SECRET_ACCESS_KEY"],
        env.get("AWS_SESSION_TOKEN"),
    )


@functools.lru_cache(maxsize=64)
def _client(name: str, endpoint: str, region: str, key: str, secret: str, token: str | None) -> Any:
    return boto3.client(
        name,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=READ_TIMEOUT_SECONDS, max_pool_connections=50),
    )


def _register_session(role_arn: str, session: str) -> dict[str, str]:
    from ministack.services import sts

    role = role_arn.rsplit("/", 1)[-1]
    secret = hashlib.sha256(f"{role_arn}:{session}".encode()).hexdigest()
    key, token = f"ASIA{secret[:16].upper()}", secret[::-1]
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/{session[:64]}",
            "UserId": f"{role}:{session[:64]}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def check_trust(role_arn: str, service: str) -> None:
    """Check that a role exists and that its trust policy names a service.

    Raises:
        RoleError: it does not.
    """
    from ministack.services import iam

    from local.aws.authorization import services

    role = iam._roles.get(role_arn.rsplit("/", 1)[-1]) if ":role/" in role_arn else None
    if role is None:
        raise RoleError(f"Role {role_arn or '(none)'} does not exist, so {service} cannot assume it")
    if not services.trusts(role_arn, role["AssumeRolePolicyDocument"], service):
        raise RoleError(f"The trust policy of role {role_arn} does not let {service} assume it")
