"""Clients of this function, made at their first use and kept while the function is warm."""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from export_runtime.aws import CLIENT_CONFIG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_mwaa import MWAAClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient


@cache
def s3() -> "S3Client":
    """Return the S3 client."""
    return boto3.client("s3", config=CLIENT_CONFIG)


@cache
def step_functions() -> "SFNClient":
    """Return the Step Functions client."""
    return boto3.client("stepfunctions", config=CLIENT_CONFIG)


@cache
def secrets_manager() -> "SecretsManagerClient":
    """Return the Secrets Manager client."""
    return boto3.client("secretsmanager", config=CLIENT_CONFIG)


@cache
def mwaa() -> "MWAAClient":
    """Return the MWAA client."""
    return boto3.client("mwaa", config=CLIENT_CONFIG)


@cache
def ec2() -> "EC2Client":
    """Return the EC2 client."""
    return boto3.client("ec2", config=CLIENT_CONFIG)


@cache
def glue() -> "GlueClient":
    """Return the Glue client."""
    return boto3.client("glue", config=CLIENT_CONFIG)


@cache
def event_bus() -> Any:
    """Return the EventBridge client."""
    return boto3.client("events", config=CLIENT_CONFIG)


@cache
def sns() -> "SNSClient":
    """Return the SNS client."""
    return boto3.client("sns", config=CLIENT_CONFIG)
