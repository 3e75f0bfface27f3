"""A real AWS account, for the tests that are marked `on_aws`: `make test-on-aws`.

Endpoint, region and credentials come from the environment, as boto3 finds them. What a test makes is deleted when the
tests have ended; what it costs is cents: some functions, executions and objects, and a dozen Glue runs of two workers.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from tests.emulated_account import Account
from tests.waiting import wait_until

# IAM is eventually consistent: a role is known to the services some seconds after it was made.
SETTLE_SECONDS = 15
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 900.0


def is_asked_for() -> bool:
    """Say whether the tests are to run on a real account; the variable is LocalStack's."""
    return os.environ.get("TEST_TARGET") == "AWS_CLOUD"


@dataclass(frozen=True)
class RealAws:
    """The account that the environment names."""

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client; `config` are arguments of `botocore.config.Config`."""
        return boto3.client(service, config=Config(**config))


@dataclass(frozen=True)
class RealAccount(Account):
    """A real account, and how to make things in it.

    Args:
        made: deletes what was made.
    """

    made: ExitStack

    def wait(self, look: Any, what: str) -> Any:
        return wait_until(look, what, PATIENCE_SECONDS, POLL_SECONDS)

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        arn, iam = super().role(service, *statements), self.client("iam")
        name = arn.rpartition("/")[2]
        self.made.callback(iam.delete_role, RoleName=name)
        if statements:
            self.made.callback(iam.delete_role_policy, RoleName=name, PolicyName="inline")
        time.sleep(SETTLE_SECONDS)
        return arn

    def bucket(self) -> str:
        name = super().bucket()
        self.made.callback(self._delete_bucket, name)
        return name

    def topic(self) -> str:
        arn = super().topic()
        self.made.callback(self.client("sns").delete_topic, TopicArn=arn)
        return arn

    def function(self, code: str, role: str = "", **settings: Any) -> str:
        arn, client = super().function(code, role, **settings), self.client("lambda")
        self.made.callback(self._delete_logs, f"/aws/lambda/{arn.rpartition(':')[2]}")
        self.made.callback(client.delete_function, FunctionName=arn)
        client.get_waiter("function_active_v2").wait(FunctionName=arn)
        return arn

    def job(self, script: str, role: str = "", **settings: Any) -> str:
        name = super().job(script, role, **settings)
        self.made.callback(self.client("glue").delete_job, JobName=name)
        return name

    def machine(self, definition: dict[str, Any], role: str = "") -> str:
        arn = super().machine(definition, role)
        self.made.callback(self.client("stepfunctions").delete_state_machine, stateMachineArn=arn)
        return arn

    def _delete_logs(self, group: str) -> None:
        logs = self.client("logs")
        with suppress(logs.exceptions.ResourceNotFoundException):  # of a function that never ran
            logs.delete_log_group(logGroupName=group)

    def _delete_bucket(self, name: str) -> None:
        s3 = self.client("s3")
        for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            for each in page.get("Contents", []):
                s3.delete_object(Bucket=name, Key=each["Key"])
        s3.delete_bucket(Bucket=name)


@contextmanager
def real_account() -> Iterator[RealAccount]:
    """Give the account, and delete at the end what was made in it."""
    with ExitStack() as made:
        yield RealAccount(RealAws(), made)
