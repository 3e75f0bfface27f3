"""The stack that is rehearsed, and how a step looks at what is deployed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from local import deployment, paths, pipeline
from local.aws import account, inventory
from local.aws.account import MwaaAccount
from local.aws.server import EmulatedAws
from local.processes import CommandError

ENVIRONMENT = "orders"
# Another environment of the account, with the longest name that the template accepts.
NEIGHBOUR = "e" * 64
TAGS = {"CostCenter": "4711", "Owner": "Platform Team"}
"""what the whole stack is tagged with, beside the template's own tag"""


@dataclass(frozen=True)
class RehearsedStack:
    """One environment's stack in an account, deployed from a release: by its script first, then by the SAM CLI.

    `release` is the folder, `log` gets what the tools print.
    """

    aws: EmulatedAws
    mwaa: MwaaAccount
    release: Path
    log: Path

    @property
    def name(self) -> str:
        return f"{self.mwaa.environment}-metadata-export"

    @property
    def given(self) -> dict[str, str]:
        """What has no default, and the DAG's bucket, as this environment needs it."""
        needed = {"MwaaEnvironmentName": self.mwaa.environment, "AlertEmail": "platform-team@example.com"}
        return {**needed, "DagBucketName": self.mwaa.bucket}

    @cached_property
    def base(self) -> dict[str, str]:
        """Every parameter: what is given, the default of the others."""
        defaults = {name: str(body["Default"]) for name, body in parameters().items() if "Default" in body}
        return defaults | self.given

    def deploy_first(self) -> None:
        """Run the script of the release with what is given, and a tag for everything.

        Raises:
            CommandError: it says that it failed.
        """
        answers = {name: value for name, value in self.given.items() if name != "MwaaEnvironmentName"}
        env = self.aws.env | {"TAGS": ",".join(f"{name}={value}" for name, value in TAGS.items())}
        deployment.deploy_release(self.release, self.mwaa.environment, answers, aws_env=env, log=self.log)

    def deploy(self, changes: Mapping[str, str] | None = None) -> None:
        """Run `sam deploy` with the base parameters and these changes.

        Raises:
            CommandError: the SAM CLI says that it failed.
        """
        given = {**self.base, **(changes or {})}
        deployment.deploy(self.release / "template.json", self.name, given, aws_env=self.aws.env, log=self.log)

    def refused(self, changes: Mapping[str, str]) -> str:
        """Deploy what cannot be deployed, and return what the person reads.

        Raises:
            AssertionError: it was deployed.
        """
        begin = self.log.stat().st_size if self.log.exists() else 0
        try:
            self.deploy(changes)
        except CommandError:
            return " ".join(self.log.read_bytes()[begin:].decode(errors="replace").split())
        raise AssertionError(f"{dict(changes)} was deployed, and must be refused")

    def delete(self, *, by_sam: bool = True) -> None:
        """Run `sam delete`, or let CloudFormation delete the stack."""
        if by_sam:
            deployment.delete(self.name, aws_env=self.aws.env, log=self.log)
            return
        client = self.client("cloudformation")
        client.delete_stack(StackName=self.name)
        client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's owner."""
        return pipeline.client(self.aws, service)

    def status(self) -> str:
        """Return the stack's status."""
        [found] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return str(found["StackStatus"])

    def kept(self) -> set[str]:
        """Return the physical ids that CloudFormation says it kept, of every stack of the account, deleted or not."""
        client = self.client("cloudformation")
        stacks = [s for page in client.get_paginator("list_stacks").paginate() for s in page["StackSummaries"]]
        pages = client.get_paginator("describe_stack_events")
        events = [e for s in stacks for page in pages.paginate(StackName=s["StackId"]) for e in page["StackEvents"]]
        return {event["PhysicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_SKIPPED"}

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs."""
        return deployment.outputs(self.client("cloudformation"), self.name)

    def resources(self, kind: str = "") -> dict[str, str]:
        """Return physical ids by logical id, of one type or of all."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if kind in ("", r["ResourceType"])}

    def resource(self, logical_id: str) -> str:
        """Return a resource's physical id."""
        return self.resources()[logical_id]

    def call(self, function: str, event: Any) -> Any:
        """Call a function by its logical id and return its answer.

        Raises:
            AssertionError: it failed.
        """
        answer = self.client("lambda").invoke(FunctionName=self.resource(function), Payload=json.dumps(event))
        text = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise AssertionError(f"{function} failed: {text}")
        return json.loads(text)

    def everything(self) -> set[str]:
        """Return everything that the account holds."""
        return inventory.take(self.aws.endpoint)


def parameters() -> dict[str, Any]:
    """Return the template's parameters; those of a release say where it is, and stay as they were."""
    return dict(yaml_parse((paths.ROOT / "template.yaml").read_text())["Parameters"])


def prepare(aws: EmulatedAws, release: Path, log: Path, environment: str = ENVIRONMENT) -> RehearsedStack:
    """Make the account in which an MWAA environment is, and return the stack to be deployed for it."""
    mwaa = account.create_mwaa_environment(lambda service: pipeline.client(aws, service), environment, "3.0.6")
    return RehearsedStack(aws, mwaa, release, log)
