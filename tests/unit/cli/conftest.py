"""Unit tests of the command line: no network; AWS in this process, with fakes for what moto has not."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

import pytest  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from moto import mock_aws  # noqa: E402

from export_cli import __main__ as cli  # noqa: E402
from export_cli.aws import Aws  # noqa: E402
from tests.unit.cli import environment  # noqa: E402
from tests.unit.cli.made import BUCKET, Made  # noqa: E402

STACK_PARAMETERS = {"MwaaEnvironmentName": "prod", "BasePrefix": "exports", "AlertEmail": "ops@example.com"}
STACK_PARAMETERS |= {"MaxAgeInDays": "30", "IncludeTables": "", "ExcludeTables": ""}
# Kept between tests: to make one takes longer than most tests.
_CLIENTS: dict[tuple[str, str], Any] = {}


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document that --json prints."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def no_network(socket_disabled: None) -> None:
    """Fail every test that opens a socket."""


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the credentials of nobody, and no configuration of the machine's user."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MWAA_"))]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "COLUMNS": "160",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Give a function that runs a command line."""

    def running(*arguments: str) -> Result:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return running


class CloudFormation:
    """Stacks as CloudFormation describes them."""

    def __init__(self) -> None:
        """Begin without any."""
        self.stacks: dict[str, dict[str, Any]] = {}

    def add(
        self, name: str, parameters: dict[str, str], outputs: dict[str, str], status: str = "CREATE_COMPLETE"
    ) -> None:
        """Deploy a stack."""
        self.stacks[name] = {
            "StackName": name,
            "StackStatus": status,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Return one stack."""
        if StackName not in self.stacks:
            error = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")  # type: ignore[typeddict-item]
        return {"Stacks": [self.stacks[StackName]]}

    def get_paginator(self, _: str) -> "CloudFormation":
        """Return what has pages."""
        return self

    def paginate(self) -> list[dict[str, Any]]:
        """Return all stacks, on pages of one."""
        return [{"Stacks": [stack]} for stack in self.stacks.values()]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the clients that are not moto's, by service."""
    found: dict[str, Any] = {"cloudformation": CloudFormation()}
    real = Aws.client

    def client(self: Aws, service: str) -> Any:
        if service not in found and (service, self.region) not in _CLIENTS:
            _CLIENTS[service, self.region] = real(self, service)
        return found.get(service) or _CLIENTS[service, self.region]

    monkeypatch.setattr(Aws, "client", client)
    return found


@pytest.fixture
def made(fakes: dict[str, Any]) -> Iterator[Made]:
    """Give an account with a bucket, a stack of the environment prod, and no export yet."""
    with mock_aws():
        account = Made.create()
        fakes["cloudformation"].add("prod-metadata-export", STACK_PARAMETERS, account.outputs())
        yield account


@pytest.fixture
def sound(made: Made, fakes: dict[str, Any]) -> Made:
    """Give an account in which everything holds."""
    fakes["mwaa"], fakes["stepfunctions"] = environment.Mwaa(*environment.make_network()), environment.StepFunctions()
    fakes["sns"], fakes["s3"] = environment.Sns(), environment.S3()
    made.put("assets/glue/script.py", b"")
    made.put("assets/glue/wheels.zip", b"")
    glue = environment.client("glue")
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/assets/glue/script.py"}
    packages = {"--additional-python-modules": f"s3://{BUCKET}/assets/glue/wheels.zip"}
    glue.create_job(
        Name="prod-metadata-export", Role="r", Command=command, GlueVersion="5.1", DefaultArguments=packages
    )
    outputs = fakes["cloudformation"].stacks["prod-metadata-export"]["Outputs"]
    outputs.append({"OutputKey": "KeyArn", "OutputValue": environment.make_storage()})
    environment.make_schedule("ENABLED")
    environment.make_policy()
    environment.client("secretsmanager").create_secret(
        Name="prod-metadata-export/database", SecretString=json.dumps(environment.SECRET)
    )
    made.s3.create_bucket(Bucket=environment.DAGS, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    made.s3.put_object(Bucket=environment.DAGS, Key="dags/team/mwaa_metadata_export.py", Body=b"")
    made.export()
    return made
