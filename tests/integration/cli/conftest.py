"""The command line as its own process, against the emulated AWS with a small stack in it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]

from local.aws.account import create_mwaa_environment  # noqa: E402
from tests.emulated_account import Account, emulated_account  # noqa: E402
from tests.unit.cli.made import BUCKET, TABLES, Made  # noqa: E402

OUTPUT = {"status": "COMPLETE", "summary_uri": "s3://prod-exports/summary", "total_tables": 3, "total_rows": 2002}
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Give an emulated account with an MWAA environment, a stack that has the template's outputs, and an export."""
    with emulated_account(tmp_path_factory.mktemp("aws")) as running:
        create_mwaa_environment(running.client, "prod", "3.0.6")
        running.client("s3").create_bucket(Bucket=BUCKET)
        _deploy(running)
        made = Made(running.client("s3"))
        made.export(timedelta(hours=9), tables=TABLES | {"日本-ü": [["id"], ["1"]]})
        made.export()
        yield running


@pytest.fixture
def start(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Give a function that starts a command in a process of its own."""

    cache = tmp_path_factory.mktemp("cache")

    def starting(*arguments: str, endpoint: str = "", encoding: str = "utf-8") -> "subprocess.Popen[str]":
        # As a person has it who pasted what `make up` prints.
        names = ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env |= {name: account.aws.env[name] for name in names} | {"COLUMNS": "120", "PYTHONUNBUFFERED": "1"}
        env |= {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
        env |= {"PYTHONIOENCODING": encoding, "MWAA_EXPORT_CACHE": str(cache)}
        command = [sys.executable, "-m", "export_cli", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True, encoding=encoding)

    return starting


@pytest.fixture
def run(start: Start) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Give a function that runs a command to its end."""

    def running(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        process = start(*arguments, **more)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return running


def _deploy(account: Account) -> None:
    machine = account.machine({"StartAt": "Done", "States": {"Done": {"Type": "Succeed", "Output": OUTPUT}}})
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "prod-alerts"}}
    outputs: dict[str, Any] = {
        "ExportBucketName": {"Value": BUCKET},
        "ExportLocation": {"Value": f"s3://{BUCKET}/exports/prod-backups/"},
        "StateMachineArn": {"Value": machine},
        "AlertTopicArn": {"Value": {"Ref": "Topic"}},
        "MwaaExecutionPolicyArn": {"Value": "arn:aws:iam::000000000000:policy/missing"},
    }
    selection = {"MaxAgeInDays": "30", "IncludeTables": "", "ExcludeTables": ""}
    template = {
        "Parameters": {
            "MwaaEnvironmentName": {"Type": "String"},
            **{name: {"Type": "String", "Default": value} for name, value in selection.items()},
        },
        "Resources": {"Topic": topic},
        "Outputs": outputs,
    }
    client = account.client("cloudformation")
    parameters = [{"ParameterKey": "MwaaEnvironmentName", "ParameterValue": "prod"}]
    client.create_stack(StackName="prod-metadata-export", TemplateBody=json.dumps(template), Parameters=parameters)
    waiter = client.get_waiter("stack_create_complete")
    waiter.wait(StackName="prod-metadata-export", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
