"""What somebody may do to a deployed stack: doctor finds it, and the very command of its fix repairs it."""

import json
import re
import shlex
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest

from export_cli import __main__ as cli
from export_cli import drift
from local import deployment
from tests.aws_command import run_aws
from tests.integration.deployment.conftest import ENVIRONMENT, STACK, Deployed

Harm = Callable[[Deployed], None]


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str


def doctor(deployed: Deployed) -> dict[str, dict[str, str]]:
    """Return what `doctor` finds, by check."""
    return {each["check"]: each for each in json.loads(ours(deployed, "doctor", "--json").out)["checks"]}


def ours(deployed: Deployed, *words: str) -> Result:
    """Run a command of the command line, in this process."""
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(StringIO()) as out:
        for name, value in deployed.aws.env.items():
            patched.setenv(name, value)
        patched.setattr(drift, "POLL_SECONDS", 0.1)
        return Result(cli.main(words), out.getvalue())


def carry_out(deployed: Deployed, fix: str) -> None:
    """Run the command that a fix ends with, as it stands there."""
    command = re.split(r": (?=aws |mwaa-metadata-export )", fix)[-1]
    if command.startswith("aws "):
        run_aws(command, deployed.client)
        return
    program, *words = shlex.split(command)
    assert program == "mwaa-metadata-export", fix
    result = ours(deployed, *words)
    assert result.code == 0, result.out


def job(deployed: Deployed) -> dict[str, Any]:
    return dict(deployed.client("glue").get_job(JobName=STACK)["Job"])


def delete_object(deployed: Deployed, uri: str) -> None:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    deployed.client("s3").delete_object(Bucket=bucket, Key=key)


def no_script(deployed: Deployed) -> None:
    delete_object(deployed, job(deployed)["Command"]["ScriptLocation"])


def no_packages(deployed: Deployed) -> None:
    delete_object(deployed, job(deployed)["DefaultArguments"]["--additional-python-modules"])


def other_script(deployed: Deployed) -> None:
    found = job(deployed)
    command = found["Command"] | {"ScriptLocation": "s3://somewhere/else.py"}
    update = {"Role": found["Role"], "Command": command, "DefaultArguments": found["DefaultArguments"]}
    deployed.client("glue").update_job(JobName=STACK, JobUpdate=update)


def no_job(deployed: Deployed) -> None:
    deployed.client("glue").delete_job(JobName=STACK)


def no_machine(deployed: Deployed) -> None:
    deployed.client("stepfunctions").delete_state_machine(stateMachineArn=deployed.resource("ExportStateMachine"))


def no_schedule(deployed: Deployed) -> None:
    deployed.client("scheduler").delete_schedule(Name=deployed.resource("FallbackSchedule"))


def schedule_off(deployed: Deployed) -> None:
    client, name = deployed.client("scheduler"), deployed.resource("FallbackSchedule")
    found = client.get_schedule(Name=name)
    kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "KmsKeyArn")
    client.update_schedule(Name=name, State="DISABLED", **{each: found[each] for each in kept})


def no_topic(deployed: Deployed) -> None:
    deployed.client("sns").delete_topic(TopicArn=deployed.resource("AlertTopic"))


def nobody_subscribed(deployed: Deployed) -> None:
    sns = deployed.client("sns")
    for each in sns.list_subscriptions_by_topic(TopicArn=deployed.resource("AlertTopic"))["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def role_of(deployed: Deployed) -> str:
    found = deployed.client("mwaa").get_environment(Name=ENVIRONMENT)["Environment"]
    return str(found["ExecutionRoleArn"]).rpartition("/")[2]


def detached(deployed: Deployed) -> None:
    iam, role = deployed.client("iam"), role_of(deployed)
    for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=each["PolicyArn"])


def secret_going(deployed: Deployed) -> None:
    deployed.client("secretsmanager").delete_secret(SecretId=f"{STACK}/database")


def key_off(deployed: Deployed) -> None:
    deployed.client("kms").disable_key(KeyId=deployed.resource("ExportKey"))


def key_going(deployed: Deployed) -> None:
    deployed.client("kms").schedule_key_deletion(KeyId=deployed.resource("ExportKey"))


def key_without_alarms(deployed: Deployed) -> None:
    kms, key = deployed.client("kms"), deployed.resource("ExportKey")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"] = policy["Statement"][:1]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def not_encrypted(deployed: Deployed) -> None:
    deployed.client("s3").delete_bucket_encryption(Bucket=deployed.resource("ExportBucket"))


def public(deployed: Deployed) -> None:
    deployed.client("s3").delete_public_access_block(Bucket=deployed.resource("ExportBucket"))


def plain_text(deployed: Deployed) -> None:
    deployed.client("s3").delete_bucket_policy(Bucket=deployed.resource("ExportBucket"))


def uploads_stay(deployed: Deployed) -> None:
    s3, bucket = deployed.client("s3"), deployed.resource("ExportBucket")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    kept = [rule for rule in rules if "AbortIncompleteMultipartUpload" not in rule]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": kept})


# By check, so that many are tried at once; none of a round hides another.
ROUNDS: list[dict[str, Harm]] = [
    {
        "Glue job": no_script,
        "state machine": no_machine,
        "schedule": no_schedule,
        "alerts": nobody_subscribed,
        "execution role": detached,
        "key": key_without_alarms,
        "bucket": not_encrypted,
    },
    {"Glue job": no_packages, "schedule": schedule_off, "alerts": no_topic, "bucket": public, "secret": secret_going},
    {"Glue job": no_job, "key": key_off, "bucket": plain_text},
    {"Glue job": other_script, "key": key_going, "bucket": uploads_stay},
]


@pytest.fixture(scope="module")
def attached(deployed: Deployed) -> Deployed:
    """The deployed stack, with its policy attached to the environment's role, and credentials published."""
    policy = deployment.outputs(deployed.client("cloudformation"), STACK)["MwaaExecutionPolicyArn"]
    deployed.client("iam").attach_role_policy(RoleName=role_of(deployed), PolicyArn=policy)
    secret = {"engine": "postgres", "host": "db.internal", "port": 5432, "dbname": "AirflowMetadata", "username": "u"}
    text = json.dumps(secret | {"password": "p", "sslmode": "require"})
    deployed.client("secretsmanager").put_secret_value(SecretId=f"{STACK}/database", SecretString=text)
    return deployed


@pytest.mark.parametrize("harms", ROUNDS, ids=lambda harms: "-".join(harm.__name__ for harm in harms.values()))
def test_given_harms_then_doctor_finds_each_and_the_command_of_its_fix_repairs_it(
    attached: Deployed, harms: dict[str, Harm]
) -> None:
    assert verdicts(doctor(attached), harms) == dict.fromkeys(harms, "pass")
    for harm in harms.values():
        harm(attached)
    found = doctor(attached)
    assert verdicts(found, harms) == dict.fromkeys(harms, "fail")

    for check in harms:
        carry_out(attached, found[check]["fix"])

    assert verdicts(doctor(attached), harms) == dict.fromkeys(harms, "pass")


def verdicts(found: dict[str, dict[str, str]], harms: dict[str, Harm]) -> dict[str, str]:
    """Return the verdicts of the checks that are harmed."""
    return {check: found[check]["verdict"] for check in harms}


def test_given_the_script_is_gone_then_a_deployment_brings_it_not_back(attached: Deployed) -> None:
    """Why `publish` exists: CloudFormation calls a custom resource only when its properties change."""
    no_script(attached)
    parameters = attached.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in parameters}
    log = attached.aws.settings.home / "again.log"
    deployment.deploy(attached.build / "template.yaml", STACK, given, aws_env=attached.aws.env, log=log)
    assert doctor(attached)["Glue job"]["verdict"] == "fail"

    assert ours(attached, "publish").code == 0

    assert doctor(attached)["Glue job"]["verdict"] == "pass"


def test_given_drift_without_yes_then_repair_shows_it_and_changes_nothing(attached: Deployed) -> None:
    schedule_off(attached)
    shown = ours(attached, "repair", "--json")
    assert shown.code == 1
    assert [each["resource"] for each in json.loads(shown.out)["changes"]] == ["FallbackSchedule"]
    assert doctor(attached)["schedule"]["verdict"] == "fail"

    assert ours(attached, "repair", "--yes").code == 0
    again = ours(attached, "repair")
    assert (again.code, "is what its template says" in again.out) == (0, True)


def test_given_the_dag_is_gone_then_publish_puts_it_back_for_the_stack_to_delete(attached: Deployed) -> None:
    s3, key = attached.client("s3"), "dags/mwaa_metadata_export.py"
    before = s3.head_object(Bucket="orders-mwaa", Key=key)["Metadata"]
    s3.delete_object(Bucket="orders-mwaa", Key=key)

    assert ours(attached, "publish").code == 0

    assert s3.head_object(Bucket="orders-mwaa", Key=key)["Metadata"] == before
