"""An emulated AWS account for tests, and the smallest things to build in it; a real one is in `real_account.py`."""

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import paths
from local.aws import runtimes, server
from local.aws.settings import Settings
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[1]
SERVICES = {name: f"{name}.amazonaws.com" for name in ("lambda", "glue", "states", "scheduler", "s3")}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@dataclass(frozen=True)
class Account:
    """An emulated account, and how to make things in it."""

    aws: Any
    """`client(service, **config)` makes clients of it"""

    def wait(self, look: Any, what: str) -> Any:
        """Poll until `look` returns something truthy, and return that."""
        return wait_until(look, what)

    def client(self, service: str) -> Any:
        """A client of the account's owner."""
        return self.aws.client(service)

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        """A role that `service` (a key of SERVICES) may assume. Returns its ARN."""
        name = f"{service}-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": SERVICES[service]}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=_policy(*statements))
        return str(arn)

    def bucket(self) -> str:
        """An empty bucket."""
        name, s3 = f"bucket-{uuid.uuid4().hex[:12]}", self.client("s3")
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        return name

    def topic(self) -> str:
        """An SNS topic. Returns its ARN."""
        return str(self.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"])

    def put_bucket_policy(self, bucket: str, statement: dict[str, Any]) -> None:
        """Replace a bucket's policy."""
        self.client("s3").put_bucket_policy(Bucket=bucket, Policy=_policy(statement))

    def queue(self, *statements: dict[str, Any]) -> str:
        """An SQS queue with a policy. Returns its URL."""
        attributes = {"Policy": _policy(*statements)} if statements else {}
        return str(
            self.client("sqs").create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}", Attributes=attributes)[
                "QueueUrl"
            ]
        )

    def queue_arn(self, url: str) -> str:
        """ARN of a queue."""
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def function(self, code: str, role: str = "", **settings: Any) -> str:
        """A Lambda function from the source of a module with `handler(event, context)`. Returns its ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("index.py", code)
        made = self.client("lambda").create_function(
            FunctionName=f"function-{uuid.uuid4().hex[:8]}",
            Runtime="python3.13",
            Handler="index.handler",
            Role=role or self.role("lambda", EVERYTHING),
            Code={"ZipFile": archive.getvalue()},
            **{"Timeout": 60, **settings},
        )
        return str(made["FunctionArn"])

    def job(self, script: str, role: str = "", **settings: Any) -> str:
        """A Glue job from the source of its script. Returns its name."""
        bucket = self.bucket()
        self.client("s3").put_object(Bucket=bucket, Key="scripts/script.py", Body=script.encode())
        job = {
            "Name": f"job-{uuid.uuid4().hex[:8]}",
            "Role": role or self.role("glue", EVERYTHING),
            "Command": {"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/scripts/script.py", "PythonVersion": "3"},
            "GlueVersion": "5.1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            **settings,
        }
        return str(self.client("glue").create_job(**job)["Name"])

    def deploy(self, stack: str, resources: dict[str, Any]) -> dict[str, str]:
        """Create a stack of these resources. Returns their physical ids by logical id."""
        client = self.client("cloudformation")
        body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
        client.create_stack(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        found = client.describe_stack_resources(StackName=stack)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def update(self, stack: str, resources: dict[str, Any]) -> None:
        """Change a stack to these resources."""
        client = self.client("cloudformation")
        body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
        client.update_stack(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        client.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def delete(self, stack: str) -> None:
        """Delete a stack."""
        client = self.client("cloudformation")
        client.delete_stack(StackName=stack)
        client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def run_job(self, name: str, **request: Any) -> dict[str, Any]:
        """Start a run of a job and wait until it has ended."""
        glue = self.client("glue")
        run_id = glue.start_job_run(JobName=name, **request)["JobRunId"]

        def ended() -> Any:
            run = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
            return run if run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING") else None

        return dict(self.wait(ended, f"the run {run_id} ends"))

    def machine(self, definition: dict[str, Any], role: str = "") -> str:
        """A state machine; JSONata unless it says otherwise. Returns its ARN."""
        made = self.client("stepfunctions").create_state_machine(
            name=f"machine-{uuid.uuid4().hex[:8]}",
            definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
            roleArn=role or self.role("states", EVERYTHING),
        )
        return str(made["stateMachineArn"])

    def execute(self, machine: str, data: Any = None, **request: Any) -> dict[str, Any]:
        """Start an execution and wait until it has ended."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps(data or {}), **request
        )
        return self.ended(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait until an execution has ended, and describe it."""
        client = self.client("stepfunctions")

        def described() -> Any:
            found = client.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return dict(self.wait(described, f"{execution} ends"))

    def history(self, execution: str) -> list[dict[str, Any]]:
        """All events of an execution."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]


@contextmanager
def emulated_account(home: Path, **settings: Any) -> Iterator[Account]:
    """Run an emulator with IAM evaluation, in which waits are short.

    Args:
        home: its folder.
        settings: more of `Settings`.
    """
    short = {"wait_scale": 0.05, "timeout_scale": 0.1, "poll_seconds": 0.05}
    environments = {
        "glue_python": runtimes.ensure_glue_runtime(paths.GLUE_RUNTIME),
        "lambda_python": runtimes.ensure_lambda_runtime(paths.LAMBDA_RUNTIME),
    }
    with server.start(Settings(home=home, **{**environments, **short, **settings})) as aws:
        yield Account(aws)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
