"""`doctor`: everything sound passes, and each thing that can be wrong is found, with its fix."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from export_contracts.summary import Selection
from export_runtime.version import VERSION

from tests.contract_examples import base
from tests.unit.cli.environment import DAGS, ROLE, SECRET, checks, client, make_schedule, must_fail, refusal
from tests.unit.cli.made import BUCKET, LAYOUT, Made

CHECKS = [
    "stack", "version", "state machine", "Glue job", "bucket", "key", "schedule", "alerts", "environment",
    "execution role", "DAG", "network", "secret", "Fernet key", "connection", "last export", "proof",
    "second copy",
]  # fmt: skip


def test_given_everything_holds_then_every_check_passes(sound, run):
    result = run("doctor", "--json")
    assert [(each["check"], each["verdict"]) for each in result.json["checks"]] == [(name, "pass") for name in CHECKS]
    assert result.code == 0
    assert "18 pass" in run("doctor").out


def test_given_any_output_then_the_password_is_not_in_it(sound, run):
    for arguments in (["doctor"], ["doctor", "--json"]):
        result = run(*arguments)
        assert "CANARY" not in result.out + result.err
        assert "db.internal" not in result.out + result.err


REPAIR = ": mwaa-metadata-export repair -e prod --yes"
PUBLISH = ": mwaa-metadata-export publish -e prod"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
SUBSCRIBE = f": aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-endpoint ops@example.com"
MAIL = f"To get another mail{SUBSCRIBE}"


def _break_stack(_: Made, fakes: dict[str, Any]) -> None:
    fakes["cloudformation"].stacks["prod-metadata-export"]["StackStatus"] = "UPDATE_ROLLBACK_FAILED"


def _of_version(version: str) -> Callable[[Made, dict[str, Any]], None]:
    def deploy(_: Made, fakes: dict[str, Any]) -> None:
        outputs = fakes["cloudformation"].stacks["prod-metadata-export"]["Outputs"]
        [output] = [each for each in outputs if each["OutputKey"] == "Version"]
        output["OutputValue"] = version

    return deploy


def _replicated(status: str | None, age: timedelta = timedelta(hours=3)) -> Callable[[Made, dict[str, Any]], None]:
    def replicate(made: Made, fakes: dict[str, Any]) -> None:
        parameter = {"ParameterKey": "ReplicaBucketArn", "ParameterValue": "arn:aws:s3:::copies"}
        fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)
        fakes["s3"].replication = status
        made.export(age)

    return replicate


@pytest.mark.parametrize(("status", "said"), [("COMPLETED", "all 4 objects of"), ("PENDING", "4 of 4 objects of")])
def test_given_a_second_copy_is_made_or_on_its_way_then_it_passes(sound, fakes, run, status, said):
    _replicated(status, timedelta(hours=1))(sound, fakes)
    [found] = [each for each in run("doctor", "--json").json["checks"] if each["check"] == "second copy"]
    assert (found["verdict"], said in found["detail"]) == ("pass", True), found


def _no_machine(_: Made, fakes: dict[str, Any]) -> None:
    fakes["stepfunctions"].status = None


def _machine_going(_: Made, fakes: dict[str, Any]) -> None:
    fakes["stepfunctions"].status = "DELETING"


def _no_topic(_: Made, fakes: dict[str, Any]) -> None:
    fakes["sns"].subscriptions = None


def _no_policy(made: Made, fakes: dict[str, Any]) -> None:
    _detached(made, fakes)
    client("iam").delete_policy(PolicyArn="arn:aws:iam::123456789012:policy/prod-policy")


def _no_role(made: Made, fakes: dict[str, Any]) -> None:
    _detached(made, fakes)
    client("iam").delete_role(RoleName=ROLE)


def _secret_going(_: Made, __: dict[str, Any]) -> None:
    client("secretsmanager").delete_secret(SecretId="prod-metadata-export/database")


def _no_job(_: Made, __: dict[str, Any]) -> None:
    client("glue").delete_job(JobName="prod-metadata-export")


def _no_script(made: Made, _: dict[str, Any]) -> None:
    made.s3.delete_object(Bucket=BUCKET, Key="assets/glue/script.py")


def _no_packages(made: Made, _: dict[str, Any]) -> None:
    made.s3.delete_object(Bucket=BUCKET, Key="assets/glue/wheels.zip")


def _names_no_packages(_: Made, __: dict[str, Any]) -> None:
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/assets/glue/script.py"}
    client("glue").delete_job(JobName="prod-metadata-export")
    client("glue").create_job(Name="prod-metadata-export", Role="r", Command=command)


def _damaged(made: Made, _: dict[str, Any]) -> None:
    for found in made.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        if "export_summary" in found["Key"]:
            made.put(found["Key"], b"no gzip")


def _no_schedule(_: Made, __: dict[str, Any]) -> None:
    client("scheduler").delete_schedule(Name="prod-metadata-export")


def _schedule_off(made: Made, fakes: dict[str, Any]) -> None:
    _no_schedule(made, fakes)
    make_schedule("DISABLED")


def _not_confirmed(_: Made, fakes: dict[str, Any]) -> None:
    fakes["sns"].subscriptions = (("ops@example.com", "PendingConfirmation"),)


def _nobody(_: Made, fakes: dict[str, Any]) -> None:
    fakes["sns"].subscriptions = ()


def _all_deleted(_: Made, fakes: dict[str, Any]) -> None:
    fakes["sns"].subscriptions = (("ops@example.com", "Deleted"),)


def _no_environment(_: Made, fakes: dict[str, Any]) -> None:
    fakes["mwaa"].environment = None


def _updating(_: Made, fakes: dict[str, Any]) -> None:
    fakes["mwaa"].environment["Status"] = "UPDATING"


def _detached(_: Made, __: dict[str, Any]) -> None:
    client("iam").detach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::123456789012:policy/prod-policy")


def _no_self_reference(_: Made, fakes: dict[str, Any]) -> None:
    [group] = fakes["mwaa"].environment["NetworkConfiguration"]["SecurityGroupIds"]
    itself = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": group}]}
    client("ec2").revoke_security_group_ingress(GroupId=group, IpPermissions=[itself])  # type: ignore[list-item]


def _secret(**changes: object) -> Callable[[Made, dict[str, Any]], None]:
    def put(_: Made, __: dict[str, Any]) -> None:
        text = json.dumps({key: value for key, value in (SECRET | changes).items() if value is not None})
        client("secretsmanager").put_secret_value(SecretId="prod-metadata-export/database", SecretString=text)

    return put


def _no_secret(_: Made, __: dict[str, Any]) -> None:
    client("secretsmanager").delete_secret(SecretId="prod-metadata-export/database", ForceDeleteWithoutRecovery=True)


def _no_dag(made: Made, _: dict[str, Any]) -> None:
    made.s3.delete_object(Bucket=DAGS, Key="dags/team/mwaa_metadata_export.py")


def _no_dag_but_the_stacks(made: Made, fakes: dict[str, Any]) -> None:
    _no_dag(made, fakes)
    parameter = {"ParameterKey": "DagBucketName", "ParameterValue": DAGS}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)


def _never_ran(made: Made, fakes: dict[str, Any]) -> None:
    _no_secret(made, fakes)
    client("secretsmanager").create_secret(Name="prod-metadata-export/database")


def _never_ran_without_dag(made: Made, fakes: dict[str, Any]) -> None:
    _never_ran(made, fakes)
    _no_dag(made, fakes)


def _stale_without_secret(made: Made, fakes: dict[str, Any]) -> None:
    _stale(made, fakes)
    _no_secret(made, fakes)


def _foreign_connection(_: Made, __: dict[str, Any]) -> None:
    content = {"Name": "prod-metadata-export", "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": "x"}}
    client("glue").create_connection(ConnectionInput=content)  # type: ignore[arg-type]


def _drifted_connection(_: Made, __: dict[str, Any]) -> None:
    content = {"Name": "prod-metadata-export", "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": "x"}}
    content["Description"] = "Created by mwaa-metadata-export long ago"
    client("glue").create_connection(ConnectionInput=content)  # type: ignore[arg-type]


def _stale(made: Made, _: dict[str, Any]) -> None:
    for found in made.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        if "export_summary" in found["Key"]:
            made.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    made.export(timedelta(days=3))


def _partial(made: Made, fakes: dict[str, Any]) -> None:
    for found in made.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        if "export_summary" in found["Key"]:
            made.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    made.export(timedelta(hours=1), selection=Selection(("dag",)))


def _more_is_asked_for(_: Made, fakes: dict[str, Any]) -> None:
    parameter = {"ParameterKey": "MaxAgeInDays", "ParameterValue": "null"}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)


def _stale_beside_a_partial(made: Made, fakes: dict[str, Any]) -> None:
    _stale(made, fakes)
    made.export(timedelta(hours=1), max_age_days=7)


DRILL = "arn:aws:states:eu-central-1:123456789012:stateMachine:prod-db-drill"


def _drills(fakes: dict[str, Any]) -> None:
    stack = fakes["cloudformation"].stacks["prod-metadata-export"]
    stack["Outputs"].append({"OutputKey": "DrillStateMachineArn", "OutputValue": DRILL})
    stack["Parameters"].append({"ParameterKey": "AlarmAfterDaysUnproven", "ParameterValue": "10"})


def _proof(made: Made, age: timedelta, *problems: str, identifier: str = "20261211T143022Z") -> None:
    finished = datetime.now(UTC) - age
    given = {"finished_at": f"{finished:%Y-%m-%dT%H:%M:%SZ}", "export_id": identifier}
    document = base("proof") | given | {"problems": list(problems), "restorable": not problems}
    made.s3.put_object(Bucket=BUCKET, Key=LAYOUT.proof_key(identifier), Body=json.dumps(document).encode())


def _proof_too_old(made: Made, fakes: dict[str, Any]) -> None:
    _drills(fakes)
    _proof(made, timedelta(days=11))


def _never_proven(made: Made, fakes: dict[str, Any]) -> None:
    _drills(fakes)
    made.export(timedelta(days=12), latest=False)


def _not_restorable(made: Made, fakes: dict[str, Any]) -> None:
    _drills(fakes)
    _proof(made, timedelta(days=8))
    _proof(made, timedelta(days=1), "the table log is not there", identifier="20261218T143022Z")


def _not_restorable_by_hand(made: Made, _: dict[str, Any]) -> None:
    _proof(made, timedelta(days=1), "the table log is not there")


def test_given_a_young_proof_then_it_is_told_and_so_is_that_there_is_none(sound, fakes, run):
    assert "the stack makes no drills" in checks(run("doctor", "--json"))["proof"]["detail"]
    _drills(fakes)
    found = checks(run("doctor", "--json"))["proof"]
    assert (found["verdict"], found["detail"]) == ("pass", "no export is proven to restore yet")
    _proof(sound, timedelta(days=9))
    found = checks(run("doctor", "--json"))["proof"]
    assert (found["verdict"], found["detail"][:41]) == ("pass", "20261211T143022Z is proven restorable on ")


def _incomplete(made: Made, _: dict[str, Any]) -> None:
    made.export(timedelta(minutes=1), status="INCOMPLETE")


@pytest.mark.parametrize(
    ("check", "harm", "detail", "fix"),
    [
        ("stack", _break_stack, "UPDATE_ROLLBACK_FAILED", ": aws cloudformation continue-update-rollback --stack-name"),
        ("version", _of_version(""), "older than 0.2.0", f"Update the stack to {VERSION}"),
        ("version", _of_version("0.0.9"), "the stack is 0.0.9", f"Update the stack to {VERSION}"),
        ("version", _of_version("10.0.0"), "the stack is 10.0.0", "Install the command of 10.0.0"),
        ("state machine", _no_machine, "does not exist", REPAIR),
        ("state machine", _machine_going, "is DELETING", REPAIR),
        ("Glue job", _no_job, "there is no Glue job", REPAIR),
        ("Glue job", _no_script, "script s3://prod-exports/assets/glue/script.py does not exist", PUBLISH),
        ("Glue job", _no_packages, "packages s3://prod-exports/assets/glue/wheels.zip does not exist", PUBLISH),
        ("Glue job", _names_no_packages, "packages (it names none) is not what the stack gave it", REPAIR),
        ("proof", _proof_too_old, "for 11 days, more than 10", f"start-execution --state-machine-arn {DRILL}"),
        ("proof", _never_proven, "no export is proven to restore yet: for 1", f"--state-machine-arn {DRILL}"),
        ("proof", _not_restorable, "20261218T143022Z is NOT restorable when", "export -e prod, then try that: aws "),
        (
            "proof",
            _not_restorable_by_hand,
            "is NOT restorable when",
            "try that: mwaa-metadata-export prove -e prod",
        ),
        ("schedule", _no_schedule, "there is no schedule", REPAIR),
        ("schedule", _schedule_off, "DISABLED, the stack's parameter ScheduleState says ENABLED", REPAIR),
        ("alerts", _not_confirmed, "ops@example.com has not confirmed", f"48 hours after it was made. {MAIL}"),
        ("alerts", _nobody, "nobody is subscribed", SUBSCRIBE),
        ("alerts", _all_deleted, "nobody is subscribed", SUBSCRIBE),
        ("alerts", _no_topic, "alerts does not exist", REPAIR),
        ("environment", _no_environment, "there is no MWAA environment prod", "right name"),
        ("environment", _updating, "is UPDATING", "AVAILABLE"),
        (
            "execution role",
            _detached,
            "has not the policy",
            f"aws iam attach-role-policy --role-name {ROLE} --policy-arn arn",
        ),
        (
            "DAG",
            _no_dag,
            "is not below s3://prod-dags/dags/",
            ": aws s3 cp dags/mwaa_metadata_export.py s3://prod-dags/dags/",
        ),
        ("DAG", _no_dag_but_the_stacks, "is not below s3://prod-dags/dags/", ": mwaa-metadata-export publish -e prod"),
        ("DAG", _never_ran, "it has never run", "unpause the DAG mwaa_metadata_export"),
        ("secret", _never_ran_without_dag, "no value", "First put right: DAG. Then: Trigger the DAG"),
        ("last export", _stale_without_secret, "older than 36", "First put right: secret. Then: Start one"),
        ("network", _no_self_reference, "Glue cannot work in it", "All TCP"),
        ("execution role", _no_policy, "policy/prod-policy does not exist", REPAIR),
        ("execution role", _no_role, "prod-mwaa-role does not exist", "aws mwaa update-environment --name prod"),
        ("secret", _no_secret, "does not exist", REPAIR),
        ("secret", _secret_going, "somebody deleted", ": aws secretsmanager restore-secret --secret-id prod-metadata"),
        ("secret", _secret(password=None), "lacks password", "Trigger the DAG"),
        ("secret", _secret(expires_at="2020-01-01T00:00:00Z"), "expired at 2020", "Trigger the DAG"),
        (
            "connection",
            _foreign_connection,
            "did not create",
            "aws glue delete-connection --connection-name prod-metadata",
        ),
        ("connection", _drifted_connection, "is not what it should be", "mwaa-metadata-export export -e prod"),
        ("last export", _stale, "older than 36 hours", "mwaa-metadata-export export"),
        ("last export", _damaged, "it is not gzip", "mwaa-metadata-export export"),
        ("last export", _partial, "is partial: only dag; last 30 days", "mwaa-metadata-export export"),
        ("last export", _more_is_asked_for, "is partial: all tables; last 30 days", "mwaa-metadata-export export"),
        ("last export", _stale_beside_a_partial, "older than 36 hours", "mwaa-metadata-export export"),
        ("second copy", _replicated("FAILED"), "4 of 4 objects", "role of the stack's output ReplicationRoleArn"),
        ("second copy", _replicated(None), "before the stack copied anything", "S3 Batch Replication"),
        ("second copy", _replicated("PENDING", timedelta(hours=30)), "still to be copied", "S3 Batch Replication"),
        ("last export", _incomplete, "is not COMPLETE", "mwaa-metadata-export show"),
    ],
)
def test_given_something_is_wrong_then_its_check_fails_with_the_fix(sound, fakes, run, check, harm, detail, fix):
    harm(sound, fakes)
    found = must_fail(run, check, detail, fix)
    shown = run("doctor")
    assert shown.code == 1
    assert f"{check}, fix: {found['fix']}" in shown.out


def test_given_a_partial_export_after_a_fresh_full_one_then_the_last_export_is_the_full_one(sound, run):
    partial = sound.export(timedelta(minutes=1), max_age_days=7)
    found = checks(run("doctor", "--json"))["last export"]
    assert found["verdict"] == "pass"
    assert partial.export_id not in found["detail"]
    assert "COMPLETE and full (all tables; last 30 days)" in found["detail"]


def test_given_no_secret_value_yet_then_it_fails(sound, run):
    secrets = client("secretsmanager")
    secrets.delete_secret(SecretId="prod-metadata-export/database", ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name="prod-metadata-export/database")
    assert checks(run("doctor", "--json"))["secret"]["verdict"] == "fail"


def test_given_a_refused_call_then_the_check_is_unknown_and_the_others_go_on(sound, fakes, run):
    def refuse(**_: str) -> None:
        raise refusal("AccessDeniedException")

    fakes["mwaa"].get_environment = refuse
    result = run("doctor", "--json")
    found = checks(result)
    assert result.code == 3
    assert found["environment"]["verdict"] == found["execution role"]["verdict"] == "unknown"
    assert "AccessDeniedException" in found["environment"]["detail"]
    assert "airflow:GetEnvironment" in found["environment"]["fix"]
    assert found["last export"]["verdict"] == "pass"


def test_given_no_stack_yet_then_environment_and_network_are_examined_all_the_same(sound, fakes, run):
    fakes["cloudformation"].stacks.clear()
    result = run("doctor", "-e", "prod", "--json")
    found = checks(result)
    assert (result.code, found["stack"]["verdict"]) == (1, "fail")
    assert "deploy.sh of a release" in found["stack"]["fix"]
    assert found["environment"]["verdict"] == found["network"]["verdict"] == "pass"
    assert found["state machine"]["verdict"] == found["last export"]["verdict"] == "unknown"


def test_given_more_files_of_dags_than_s3_lists_at_once_then_the_dag_is_found_among_them(sound, run):
    for number in range(1000):
        sound.s3.put_object(Bucket=DAGS, Key=f"dags/a{number:04}.py", Body=b"")
    assert checks(run("doctor", "--json"))["DAG"]["verdict"] == "pass"


def test_given_hours_then_they_decide_what_is_fresh(sound, fakes, run):
    assert checks(run("doctor", "--fresh-hours", "2", "--json"))["last export"]["verdict"] == "fail"
    parameter = {"ParameterKey": "AlarmAfterHours", "ParameterValue": "2"}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)
    assert checks(run("doctor", "--json"))["last export"]["verdict"] == "fail"


def test_given_a_schedule_that_is_off_on_purpose_then_that_passes(sound, fakes, run):
    _schedule_off(sound, fakes)
    parameter = {"ParameterKey": "ScheduleState", "ParameterValue": "DISABLED"}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)
    assert "only the DAG exports" in checks(run("doctor", "--json"))["schedule"]["detail"]


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("REVIEW_IN_PROGRESS", "Deploy it: ./deploy.sh"),
        ("UPDATE_ROLLBACK_COMPLETE", "correct that, then: ./deploy.sh"),
        ("UPDATE_FAILED", "then: aws cloudformation rollback-stack --stack-name prod-metadata-export"),
        ("ROLLBACK_COMPLETE", "then: aws cloudformation delete-stack --stack-name prod-metadata-export && aws "),
        ("DELETE_FAILED", "wait stack-delete-complete --stack-name prod-metadata-export, then ./deploy.sh"),
    ],
)
def test_given_a_stack_in_a_bad_state_then_the_fix_is_what_cloudformation_takes_in_it(sound, fakes, run, status, fix):
    fakes["cloudformation"].stacks["prod-metadata-export"]["StackStatus"] = status
    must_fail(run, "stack", status if status != "REVIEW_IN_PROGRESS" else "not been deployed", fix)


def test_given_a_stack_in_the_middle_of_a_change_then_it_is_to_be_waited_for(sound, fakes, run):
    fakes["cloudformation"].stacks["prod-metadata-export"]["StackStatus"] = "UPDATE_IN_PROGRESS"
    assert checks(run("doctor", "--json"))["stack"]["verdict"] == "unknown"


def test_given_region_and_profile_then_the_commands_of_the_fixes_name_them_too(sound, fakes, run):
    _nobody(sound, fakes)
    _no_machine(sound, fakes)
    found = checks(run("doctor", "--region", "eu-central-1", "--json"))
    assert found["alerts"]["fix"].endswith("ops@example.com --region eu-central-1")
    assert found["state machine"]["fix"].endswith("repair -e prod --region eu-central-1 --yes")


def _keeps_the_fernet_key(fakes: dict[str, Any]) -> None:
    parameter = {"ParameterKey": "KeepFernetKey", "ParameterValue": "true"}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(parameter)


def test_given_a_stack_that_keeps_the_fernet_key_then_the_secret_must_know_its_version(sound, fakes, run):
    _keeps_the_fernet_key(fakes)
    must_fail(run, "Fernet key", "has kept no key", "Trigger the DAG")

    known = {**SECRET, "fernet_key_version": "ab" * 16}
    client("secretsmanager").put_secret_value(SecretId="prod-metadata-export/database", SecretString=json.dumps(known))
    [found] = [each for each in run("doctor", "--json").json["checks"] if each["check"] == "Fernet key"]
    assert (found["verdict"], "ab" * 16 in found["detail"]) == ("pass", True), found
