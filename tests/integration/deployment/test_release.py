"""A release: what is in it, that its bytes are those of its sources, who can embed it, and the update to it."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hcl2
import pytest
from export_contracts.layout import Layout, export_id
from export_runtime.version import VERSION

from local import deployment, paths, release
from local.console import Progress
from local.node import packages
from local.processes import CommandError
from local.rehearsal import steps
from local.rehearsal.__main__ import account
from local.rehearsal.stack import RehearsedStack
from tests.documents import pointer, stored, summary

EXAMPLES = paths.ROOT / "docs" / "examples"
PREVIOUS = "0f69f5f"  # 0.1.0
HASHED = re.compile(r"\w+-[0-9a-f]{16}\.(zip|asl\.yaml)")


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsedStack]:
    """An account with a release, of which nothing is deployed."""
    with account(tmp_path_factory.mktemp("release"), Progress()) as stack:
        yield stack


@pytest.fixture(scope="module")
def released(rehearsed: RehearsedStack) -> Path:
    """The folder of the release."""
    return rehearsed.release


@pytest.fixture(scope="module")
def template(released: Path) -> Any:
    """Its template."""
    return json.loads((released / "template.json").read_text())


def test_given_the_same_sources_then_the_release_has_the_same_bytes(released: Path, tmp_path: Path) -> None:
    again = release.build(deployment.build(log=tmp_path / "log"), tmp_path)

    assert release.digest(release.pack(again)) == release.digest(release.pack(released))


def test_given_the_release_then_it_holds_what_its_template_names_and_every_file_has_its_sum(
    released: Path, template: Any
) -> None:
    names = {file.name for file in released.iterdir()}
    located = [each for each in _values(template["Resources"]) if each == {"Ref": "ReleaseBucket"}]
    named = [text.removeprefix("${ReleasePrefix}") for text in _texts(template) if "${ReleasePrefix}" in text]

    assert set(named) == {name for name in names if HASHED.fullmatch(name)}
    assert len(named) == len(located) > 8
    assert {"deploy.sh", "mwaa_metadata_export.py", f"mwaa_metadata_export-{VERSION}-py3-none-any.whl"} <= names
    sums = dict(reversed(line.split()) for line in (released / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: release.digest(released / name) for name in names - {"SHA256SUMS"}}


def test_given_the_template_then_it_is_plain_cloudformation_and_knows_nothing_of_this_machine(template: Any) -> None:
    text = json.dumps(template)

    assert "Transform" not in template
    assert [body["Type"] for body in template["Resources"].values() if "Serverless" in body["Type"]] == []
    assert str(paths.ROOT) not in text
    assert str(Path.home()) not in text


def test_given_the_cdk_example_when_synthesised_then_it_has_every_resource_and_the_parameters(
    released: Path, template: Any, tmp_path: Path
) -> None:
    folder = packages.ensure_packages(paths.LOCAL / "cdk", EXAMPLES / "cdk")
    app = folder / "app.ts"
    shutil.copy(EXAMPLES / "cdk" / "app.ts", app)
    packages.run(app, env={"RELEASE": str(released), "RELEASE_BUCKET": "company", "CDK_OUTDIR": str(tmp_path)})

    for environment, role in (("orders", "orders-mwaa-execution"), ("billing", "billing-mwaa-execution")):
        made = json.loads((tmp_path / f"{environment}-metadata-export.template.json").read_text())
        ours = {name: body["Type"] for name, body in template["Resources"].items()}
        assert {name: made["Resources"].get(name, {}).get("Type") for name in ours} == ours
        assert made["Resources"]["MwaaExecutionPolicy"]["Properties"]["Roles"] == [role]
        given = {name: body.get("Default") for name, body in made["Parameters"].items()}
        assert template["Parameters"].keys() <= given.keys()
        assert (given["MwaaEnvironmentName"], given["ReleaseBucket"]) == (environment, "company")
        assert given["ReleasePrefix"] == f"{released.name}/"
        assert given["MaxAgeInDays"] == ("90" if environment == "orders" else "30")
        tags = made["Resources"]["ExportBucket"]["Properties"]["Tags"]
        assert {"Key": "CostCenter", "Value": "4711"} in tags
        assert {"Key": "mwaa-environment", "Value": {"Ref": "MwaaEnvironmentName"}} in tags


def test_given_the_terraform_example_when_parsed_then_it_names_what_the_template_has(template: Any) -> None:
    with (EXAMPLES / "terraform" / "main.tf").open() as file:
        parsed = hcl2.load(file)
    text = json.dumps(parsed)
    resources = {json.loads(kind) for each in parsed["resource"] for kind in each if kind.startswith('"')}
    [stack] = [body for each in parsed["resource"] for body in each.get('"aws_cloudformation_stack"', {}).values()]
    [files] = [body for each in parsed["resource"] for body in each.get('"aws_s3_object"', {}).values()]
    given = set(re.findall(r"(\w+) = ", stack["parameters"]))

    assert resources == {"aws_s3_object", "aws_cloudformation_stack", "aws_iam_role_policy_attachment"}
    assert given == {name for name, body in template["Parameters"].items() if "Default" not in body}
    assert [each["create_before_destroy"] for each in files["lifecycle"]] == [True]  # a rollback reads the old ones
    assert "MaxAgeInDays" in text
    assert "MaxAgeInDays" in template["Parameters"]
    assert set(re.findall(r'outputs\[\\*"(\w+?)\\*"\]', text)) == {"MwaaExecutionPolicyArn"}
    assert "MwaaExecutionPolicyArn" in template["Outputs"]


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the script where there is no AWS, and return its exit code and what it said."""
    nowhere = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ACCESS_KEY_ID": "none"}
    done = subprocess.run([folder / "deploy.sh", *arguments], env=nowhere, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_given_no_environment_or_a_damaged_file_then_the_script_says_so_and_calls_nothing(
    released: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(released, tmp_path / released.name)
    with (damaged / "template.json").open("a") as file:
        file.write(" ")

    for arguments in ([], ["--help"]):
        code, said = _run(damaged, *arguments)
        assert (code, "./deploy.sh <environment> AlertEmail=<address>" in said) == (2, True)
    code, said = _run(damaged, "orders")
    assert (code, "template.json" in said, "aws" in said.lower()) == (1, True, False)


# Last, in this order: they deploy.
KEPT = ("ExportBucket", "ExportKey", "DatabaseSecret", "AlertTopic", "ExportStateMachine", "ExportJob")


def test_given_a_first_deployment_that_failed_when_repeated_then_it_is_deployed_and_later_ones_keep_what_is_there(
    rehearsed: RehearsedStack,
) -> None:
    answers, tags = {"AlertEmail": "team@example.com"}, {"TAGS": "CostCenter=4711,Owner=Platform * Team"}

    def deploy(environment: str = "first_try", env: Mapping[str, str] = MappingProxyType({}), **given: str) -> None:
        aws_env = rehearsed.aws.env | env
        deployment.deploy_release(rehearsed.release, environment, given, aws_env=aws_env, log=rehearsed.log)

    with pytest.raises(CommandError, match="Invalid ScheduleExpression"):
        deploy(env=tags, **answers, ScheduleExpression="cron(0 25 * * ? *)")
    deploy(env=tags, **answers, ScheduleExpression="cron(0 7 * * ? *)")
    deploy(FreshHours="10")
    with pytest.raises(CommandError, match="not of first-try, but of first_try: set STACK_NAME"):
        deploy("first-try", FreshHours="9")

    stack = replace(rehearsed, mwaa=replace(rehearsed.mwaa, environment="first-try"))
    [found] = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}
    assert found["StackStatus"] == "UPDATE_COMPLETE"
    assert (given["ScheduleExpression"], given["FreshHours"]) == ("cron(0 7 * * ? *)", "10")
    assert {each["Key"]: each["Value"] for each in found["Tags"]} == {"CostCenter": "4711", "Owner": "Platform * Team"}
    stack.delete(by_sam=False)


def test_given_the_previous_version_with_an_export_when_updated_then_what_is_there_stays_and_counts(
    rehearsed: RehearsedStack, tmp_path: Path
) -> None:
    previous = deployment.build(log=tmp_path / "log", root=_checkout(PREVIOUS))
    deployment.deploy(previous, rehearsed.name, rehearsed.given, aws_env=rehearsed.aws.env, log=rehearsed.log)
    assert "Version" not in rehearsed.outputs()
    before, keys = rehearsed.resources(), _put_export(rehearsed)
    assert _is_due(rehearsed) is False

    rehearsed.deploy_first()

    after, s3 = rehearsed.resources(), rehearsed.client("s3")
    assert (rehearsed.status(), rehearsed.outputs()["Version"]) == ("UPDATE_COMPLETE", VERSION)
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    for key, body in keys.items():
        assert s3.get_object(Bucket=after["ExportBucket"], Key=key)["Body"].read() == body
    assert _is_due(rehearsed) is False  # the export of before still counts
    assert "Plan Export plans" in steps.works(rehearsed)
    found = _command(rehearsed, "list", "--json")
    assert [each["status"] for each in found] == ["COMPLETE"]
    [version] = [each for each in _command(rehearsed, "doctor", "--json")["checks"] if each["check"] == "version"]
    assert version["verdict"] == "pass", version


def test_given_an_update_that_a_service_refuses_then_the_script_says_its_reason(rehearsed: RehearsedStack) -> None:
    wrong = {"ScheduleExpression": "cron(0 25 * * ? *)"}
    with pytest.raises(
        CommandError, match=r"What failed in this stack.*\n.*FallbackSchedule\s+.*Invalid ScheduleExpression"
    ):
        deployment.deploy_release(
            rehearsed.release, rehearsed.mwaa.environment, wrong, aws_env=rehearsed.aws.env, log=rehearsed.log
        )


def _checkout(commit: str) -> Path:
    """Unpack a commit, always in the same folder, where what was built from it finds its sources."""
    if subprocess.run(["git", "cat-file", "-e", commit], cwd=paths.ROOT, check=False).returncode:
        pytest.skip(f"this checkout has no history, so {commit} cannot be built")
    target = paths.LOCAL / "previous" / commit
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    archive = target.with_suffix(".tar")
    subprocess.run(["git", "archive", "--output", str(archive), commit], cwd=paths.ROOT, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")
    return target


def _put_export(stack: RehearsedStack) -> dict[str, bytes]:
    """Write summary and pointer of an export of an hour ago, as the previous version did; return what was written."""
    layout = Layout(stack.resource("ExportBucket"), "exports", stack.mwaa.environment)
    started = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
    key = layout.summary_key(started)
    timestamp = f"{started:%Y-%m-%dT%H:%M:%SZ}"
    made = summary(export_id=export_id(started), export_timestamp=timestamp, environment=layout.environment)
    written = {key: stored(made), layout.latest_key: stored(pointer(key, made.export_id))}
    for each, body in written.items():
        stack.client("s3").put_object(Bucket=layout.bucket, Key=each, Body=body)
    return written


def _is_due(stack: RehearsedStack) -> object:
    """Ask Plan Export as the schedule does."""
    arn = stack.resource("ExportStateMachine").replace(":stateMachine:", ":execution:")
    execution = {"id": f"{arn}:two", "name": "two", "start_time": datetime.now(UTC).isoformat()}
    return stack.call("PlanExportFunction", {"input": {"trigger": "schedule"}, "execution": execution})["due"]


def _command(stack: RehearsedStack, *arguments: str) -> Any:
    command = [str(deployment.SAM.with_name("mwaa-metadata-export")), *arguments, "-e", stack.mwaa.environment]
    done = subprocess.run(
        command, env=os.environ | stack.aws.env, capture_output=True, text=True, check=False, cwd=paths.LOCAL
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def _values(node: Any) -> Iterator[Any]:
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _values(child)


def _texts(node: Any) -> Iterator[str]:
    return (each for each in _values(node) if isinstance(each, str))
