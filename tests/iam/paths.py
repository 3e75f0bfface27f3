"""Every path on which a role or a service needs what a policy of the stack allows: gone once, by the real pipeline."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from local.fault_matrix.faulted_stack import FaultedStack
from local.fault_matrix.scenario import Scenario
from local.pipeline import DATABASE, ENVIRONMENT, STACK
from local.postgres import USER
from tests.faults import test_drill
from tests.faults.test_restore import JOB, begin, decrypted, end, exported, keep, restore
from tests.unit.dags.conftest import load_dag

ALWAYS = None
FORCED = {"Input": '{"trigger": "schedule", "force": true}'}  # a schedule's export, also beside a fresh one
EXPORTS = "StateMachineArn"
ALMIGHTY = "may-do-everything"
SMALL = ["variable"]  # one group, so one Glue run
SHARED = ["log", "variable"]  # two, which share a snapshot
COPIES = "copies-of-the-exports"
THEIR_KEYS = "other-metadata-export/fernet-key"
MID_COPY = 2 * 1024 * 1024


def walk_all(stack: FaultedStack) -> None:
    """Walk them all, each on a stack that was set for it."""
    for path in PATHS:
        with Scenario(stack) as scenario:
            path(scenario)


def whole_export(scenario: Scenario) -> None:
    scenario.start(include_tables=[])
    scenario.must_complete()


def second_copy(scenario: Scenario) -> None:
    """S3 copies what is written to another bucket."""
    assert replicated(scenario) == ("COMPLETED", 1)


def recovery(scenario: Scenario) -> None:
    """A group dies before it says that it has the snapshot; the holder notices; it is reported, and tried again."""
    scenario.faults.kill_caller("s3", "PutObject", r"/_snapshot_\w+\.json", skip=1)  # the first to say so holds it
    scenario.start(include_tables=SHARED)
    scenario.must_recover("exit code 137")


def grown_table(scenario: Scenario) -> None:
    """A table has a column more than at the export before: so it gets one in the catalog."""
    scenario.start(include_tables=SMALL)
    scenario.must_complete()
    scenario.execute("ALTER TABLE variable ADD COLUMN tenant text")
    scenario.start(include_tables=SMALL)
    scenario.must_complete()


def bad_table(scenario: Scenario) -> None:
    """A table cannot be read once: the retry looks at what the first attempt has delivered, and keeps it."""
    scenario.proxy.fail_copy(MID_COPY, "XX001", "missing chunk number 0 for toast value 16417 in pg_toast_16400")
    scenario.start()
    scenario.must_recover("missing chunk number 0")


def lost_answer(scenario: Scenario) -> None:
    """S3's answer to the last request of an upload is lost: the run sees for itself that the table arrived."""
    scenario.faults.refuse("s3", "CompleteMultipartUpload", "InternalError", 500, resource="/log_", after=True)
    scenario.start(include_tables=["log"])
    scenario.must_complete()


def redrive(scenario: Scenario) -> None:
    """Every Glue run dies with its parts uploaded; a person corrects the cause and redrives."""
    dying = scenario.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_", times=ALWAYS)
    scenario.start(include_tables=SHARED)
    scenario.must_fail("logs")
    dying.remove()
    scenario.client("stepfunctions").redrive_execution(executionArn=scenario.describe()["executionArn"])
    ended(scenario)
    assert scenario.describe()["status"] == "SUCCEEDED"


def abort(scenario: Scenario) -> None:
    """A person stops an execution while a table is copied and an upload of it is half done."""
    scenario.start(include_tables=["log"])
    with scenario.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        began = scenario.describe()["startDate"].astimezone(UTC)
        key = f"exports/{ENVIRONMENT}-backups/{began:%Y/%m/%d}/half_{began:%H%M%S}.csv.gz"
        scenario.client("s3").create_multipart_upload(Bucket=scenario.pipeline.bucket, Key=key)
        scenario.client("stepfunctions").stop_execution(
            executionArn=scenario.describe()["executionArn"], cause="a test"
        )
        ended(scenario)
    scenario.must_fail(status="ABORTED")


def abort_unheard(scenario: Scenario) -> None:
    """The same, but Glue does not hear Step Functions: Report Failure stops the run."""
    scenario.faults.refuse("glue", "BatchStopJobRun", "InternalServiceException", 500)
    abort(scenario)


def drift(scenario: Scenario) -> None:
    """Somebody has changed the connection; the next export repairs it."""
    drift_connection(scenario)
    scenario.start(include_tables=SMALL)
    scenario.must_complete()


def schedule(scenario: Scenario) -> None:
    """The schedule fires, and exports."""
    arn = started_by_schedule(scenario, "FallbackSchedule", EXPORTS, FORCED)
    scenario.wait_for(
        lambda: scenario.describe(arn)["status"] == "SUCCEEDED", "The schedule's execution did not succeed"
    )


def schedule_undelivered(scenario: Scenario) -> None:
    """Step Functions refuses the schedule: its role keeps a dead letter."""
    scenario.faults.refuse("states", "StartExecution", "ThrottlingException", times=ALWAYS)
    fire_schedule(scenario, "FallbackSchedule", FORCED)
    scenario.wait_for(lambda: dead_letters(scenario, '"schedule"'), "No dead letter of the schedule")


def event_undelivered(scenario: Scenario) -> None:
    """EventBridge cannot invoke Report Failure: the queue's policy lets it keep a dead letter."""
    scenario.faults.refuse("lambda", "Invoke", "TooManyRequestsException", 429, resource="ReportFailure", times=ALWAYS)
    fail(scenario)
    scenario.wait_for(lambda: dead_letters(scenario, "aws.states"), "No dead letter of the rule")


def report_undelivered(scenario: Scenario) -> None:
    """Report Failure fails at every try: its role keeps the event."""
    scenario.faults.throw("ReportFailure", "OddError", "an odd reason", times=ALWAYS)
    fail(scenario)
    scenario.wait_for(lambda: dead_letters(scenario, "RetriesExhausted"), "No record of the failed invocation")


def alarms(scenario: Scenario) -> None:
    """CloudWatch publishes to the encrypted topic."""
    for alarm in raise_alarms(scenario):
        scenario.wait_for(lambda name=alarm: alerts(scenario, name), f"Nobody heard of the alarm {alarm}")


def by_dag(scenario: Scenario) -> None:
    """The DAG's own tasks, in the execution role of the environment, with the policy that is in the outputs."""
    policy, role = scenario.pipeline.outputs["MwaaExecutionPolicyArn"], scenario.pipeline.account.execution_role
    scenario.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
    with pytest.MonkeyPatch.context() as worker:
        for name, value in {**as_role(scenario, role), **database_of(scenario)}.items():
            worker.setenv(name, value)
        dag, secrets = load_dag(worker), scenario.client("secretsmanager")
        first, second = (f"key {uuid4()}" for _ in range(2))
        for key in (first, second, first):  # a new one, another new one, and one of before
            worker.setenv("AIRFLOW__CORE__FERNET_KEY", key)
            secret = dag.publish_credentials("")
        assert secrets.get_secret_value(SecretId=f"{STACK}/fernet-key")["SecretString"] == first
        arn = dag.start_export(secret, {"include_tables": SMALL, "force": True}, "manual__2026-12-11T00:00:00+00:00")
        scenario.wait_for(lambda: dag.wait_for_export(arn).is_done, "The DAG waited too long")


def plain_http(scenario: Scenario) -> None:
    """Somebody who may do everything does it where others can listen."""
    assert "OK" not in over_plain_http(scenario).values()


def restored(scenario: Scenario) -> None:
    """An export is restored into the environment, which is exported first."""
    summary = exported(scenario)
    assert restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)["status"] == "SUCCEEDED"


def restored_anew(scenario: Scenario) -> None:
    """The environment has got another Fernet key since the export."""
    _, new = keep(scenario)
    summary = exported(scenario)
    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT, fernet_key=new.version)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert decrypted(scenario, new.key) == b"plain"


def restored_from_elsewhere(scenario: Scenario) -> None:
    """The export is read from the bucket of the copies, and its Fernet key from a secret of another environment."""
    old, new = keep(scenario)
    secrets = scenario.client("secretsmanager")
    theirs = secrets.put_secret_value(SecretId=THEIR_KEYS, SecretString=old.key, ClientRequestToken=old.version)["ARN"]
    there = exported(scenario).replace(f"s3://{scenario.pipeline.bucket}/", f"s3://{COPIES}/")
    given = {"summary_uri": there, "confirm": ENVIRONMENT, "old_fernet_key": theirs}
    ended = restore(scenario, fernet_key=new.version, **given)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert decrypted(scenario, new.key) == b"plain"


def restore_of_nothing(scenario: Scenario) -> None:
    """The summary that is to be restored, a kept one, is not there."""
    nothing = f"s3://{scenario.pipeline.bucket}/kept/{ENVIRONMENT}-backups/2026/12/11/export_summary_143022.json.gz"
    ended = restore(scenario, summary_uri=nothing, confirm=ENVIRONMENT)
    assert json.loads(ended["cause"])["errorType"] == "NoSuchExportError", ended["cause"]


def restore_stopped(scenario: Scenario) -> None:
    """A person stops a restore while the target is exported, and one while it is restored; that then lacks a table."""
    s3, states, bucket = scenario.client("s3"), scenario.client("stepfunctions"), scenario.pipeline.bucket
    summary = exported(scenario)  # the newest one may be another path's, and of another Fernet key
    table = summary.removeprefix(f"s3://{bucket}/").replace("export_summary", "log").replace(".json", ".csv")
    given = {"summary_uri": summary, "confirm": ENVIRONMENT}
    seen = executions(scenario, EXPORTS)
    arn = begin(scenario, **given)
    [export] = scenario.wait_for(lambda: executions(scenario, EXPORTS) - seen, "The target was not exported")
    scenario.wait_for(scenario.active_runs, "No Glue run began")
    states.stop_execution(executionArn=arn)
    scenario.wait_for(lambda: scenario.describe(export)["status"] == "ABORTED", "The export goes on")
    scenario.wait_for(lambda: not scenario.active_runs(), "The runs of the export go on")

    arn = begin(scenario, **given)
    scenario.wait_for(lambda: test_drill.state(scenario, JOB) == "RUNNING", "The restore does not run")
    states.stop_execution(executionArn=arn)
    scenario.wait_for(lambda: test_drill.state(scenario, JOB) == "STOPPED", "The restore goes on")
    s3.delete_object(Bucket=bucket, Key=table)
    states.redrive_execution(executionArn=arn)
    cause = end(scenario, arn)["cause"]
    assert "does not exist" in cause, cause


def restore_tried_again(scenario: Scenario) -> None:
    """The run of a restore is killed, what it had begun to commit was rolled back, and somebody redrives it."""
    s3, bucket, summary = scenario.client("s3"), scenario.pipeline.bucket, exported(scenario)
    scenario.faults.kill_caller("s3", "PutObject", r"_restores/.*/report\.json")
    arn = begin(scenario, summary_uri=summary, confirm=ENVIRONMENT)
    assert end(scenario, arn)["status"] == "FAILED"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"exports/{ENVIRONMENT}-backups/_restores/")["Contents"]
    key = max(each["Key"] for each in listed if each["Key"].endswith("committing.json"))
    with psycopg.connect(scenario.pipeline.database_url) as connection:
        [[transaction]] = connection.execute("SELECT pg_current_xact_id()::text").fetchall()
        connection.rollback()
    left = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(left | {"transaction": transaction}).encode())
    scenario.client("stepfunctions").redrive_execution(executionArn=arn)
    assert end(scenario, arn)["status"] == "SUCCEEDED"


def drilled(scenario: Scenario) -> None:
    """The newest full export is tried when the drill's schedule fires, and restores."""
    test_drill.exported(scenario)
    arn = started_by_schedule(scenario, "WeeklyDrill", "DrillStateMachineArn", {})
    assert end(scenario, arn)["status"] == "SUCCEEDED"


def drill_of_damage(scenario: Scenario) -> None:
    """It lacks a table."""
    test_drill.missing(scenario, test_drill.exported(scenario))
    ended = test_drill.drill(scenario)
    assert (ended["error"], "does not exist" in ended["cause"]) == ("ExportNotRestorableError", True), ended["cause"]


def drill_stopped(scenario: Scenario) -> None:
    """A person stops a drill while the export is tried."""
    test_drill.exported(scenario)
    arn = test_drill.begin(scenario)
    scenario.wait_for(lambda: test_drill.state(scenario) == "RUNNING", "The drill does not run")
    scenario.client("stepfunctions").stop_execution(executionArn=arn)
    scenario.wait_for(lambda: test_drill.state(scenario) == "STOPPED", "The drill goes on")


PATHS: tuple[Callable[[Scenario], None], ...] = (
    whole_export,
    second_copy,
    grown_table,
    recovery,
    bad_table,
    lost_answer,
    redrive,
    abort,
    abort_unheard,
    drift,
    schedule,
    schedule_undelivered,
    event_undelivered,
    report_undelivered,
    alarms,
    by_dag,
    plain_http,
    restored,
    restored_anew,
    restored_from_elsewhere,
    restore_of_nothing,
    restore_stopped,
    restore_tried_again,
    drilled,
    drill_of_damage,
    drill_stopped,
)


def replicated(scenario: Scenario) -> tuple[str, int]:
    """What S3 says of an object that is written now, and how many of it are in the other bucket."""
    s3, key = scenario.client("s3"), f"exports/{ENVIRONMENT}-backups/_probe_{time.monotonic_ns()}"
    s3.put_object(Bucket=scenario.pipeline.bucket, Key=key, Body=b"x")
    status = s3.head_object(Bucket=scenario.pipeline.bucket, Key=key)["ReplicationStatus"]
    return status, s3.list_objects_v2(Bucket=COPIES, Prefix=key)["KeyCount"]


def ended(scenario: Scenario) -> None:
    scenario.wait_for(lambda: scenario.describe()["status"] != "RUNNING", "The execution did not end")


def fail(scenario: Scenario) -> None:
    """An execution that fails before it starts anything: its input is wrong."""
    scenario.start(max_age_in_days=-1)
    ended(scenario)
    assert scenario.describe()["status"] == "FAILED"


def executions(scenario: Scenario, machine: str) -> set[str]:
    """Return the executions of the state machine that is this output of the stack."""
    machine = scenario.pipeline.outputs[machine]
    found = scenario.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return {execution["executionArn"] for execution in found}


def drift_connection(scenario: Scenario) -> None:
    glue = scenario.client("glue")
    found = glue.get_connection(Name=STACK)["Connection"]
    names = ("Name", "Description", "ConnectionType", "ConnectionProperties", "PhysicalConnectionRequirements")
    given = {name: found[name] for name in names}
    given["ConnectionProperties"]["JDBC_CONNECTION_URL"] = "jdbc:postgresql://elsewhere:5432/AirflowMetadata"
    glue.update_connection(Name=STACK, ConnectionInput=given)


def started_by_schedule(scenario: Scenario, schedule: str, machine: str, changed: dict[str, str]) -> str:
    """Let one of the stack's schedules fire, and return the execution that it starts; arguments as for both below."""
    seen = executions(scenario, machine)
    fire_schedule(scenario, schedule, changed)
    scenario.wait_for(lambda: executions(scenario, machine) - seen, "The schedule started nothing")
    [arn] = executions(scenario, machine) - seen
    return arn


def fire_schedule(scenario: Scenario, schedule: str, changed: dict[str, str]) -> None:
    """Let a copy of one of the stack's schedules fire now, once: same target, role and key but for what is changed."""
    scheduler = scenario.client("scheduler")
    found = scheduler.get_schedule(Name=resource(scenario, schedule))
    same = {key: found[key] for key in ("FlexibleTimeWindow", "Target", "KmsKeyArn", "State")}
    same["Target"] = same["Target"] | changed
    at = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    name = f"now-{time.monotonic_ns()}"
    scheduler.create_schedule(Name=name, ScheduleExpression=at, ActionAfterCompletion="DELETE", **same)


def resource(scenario: Scenario, logical_id: str) -> str:
    found = scenario.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def dead_letters(scenario: Scenario, text: str) -> list[str]:
    """Bodies of new dead letters that hold a text; all that are there are taken."""
    sqs, url = scenario.client("sqs"), resource(scenario, "UndeliveredQueue")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in found if text in message["Body"]]


def raise_alarms(scenario: Scenario) -> list[str]:
    """Let every alarm of the stack ring; their names."""
    cloudwatch = scenario.client("cloudwatch")
    names = [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=STACK)["MetricAlarms"]]
    assert len(names) >= 2
    for name in names:
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
    return names


def alerts(scenario: Scenario, text: str) -> list[str]:
    """Bodies of what has arrived at the topic and holds a text; nothing is taken away."""
    sqs, url = scenario.client("sqs"), scenario.pipeline.alert_queue_url
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in found if text in message["Body"]]


def as_role(scenario: Scenario, role: str) -> dict[str, str]:
    """Environment variables of a process that acts in a role."""
    arn = scenario.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    keys = scenario.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    names["AWS_SESSION_TOKEN"] = "SessionToken"
    return scenario.pipeline.aws.env | {variable: keys[name] for variable, name in names.items()}


def database_of(scenario: Scenario) -> dict[str, str]:
    """Environment variables of a worker of Airflow 2."""
    login = f"{USER}:{quote(scenario.database.password, safe='')}"
    url = f"postgresql+psycopg2://{login}@127.0.0.1:{scenario.proxy.port}/{DATABASE}?sslmode=disable"
    return {"AIRFLOW_ENV_NAME": ENVIRONMENT, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}


def over_plain_http(scenario: Scenario) -> dict[str, str]:
    """What bucket, topic and queue answer, over http, a role that may do everything: an error's code, or OK."""
    bucket, topic = scenario.pipeline.bucket, scenario.pipeline.outputs["AlertTopicArn"]
    queue = resource(scenario, "UndeliveredQueue")
    calls: dict[str, Callable[[Any], Any]] = {
        "s3": lambda client: client.list_objects_v2(Bucket=bucket),
        "sns": lambda client: client.publish(TopicArn=topic, Message="by a test"),
        "sqs": lambda client: client.send_message(QueueUrl=queue, MessageBody="by a test"),
    }
    env = as_role(scenario, almighty(scenario.client("iam")))
    return {service: _answer(env, service, call) for service, call in calls.items()}


def _answer(env: dict[str, str], service: str, call: Callable[[Any], Any]) -> str:
    session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
    client = session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"])
    client.meta.events.register("before-send", _forwarded_from_http)
    try:
        call(client)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


def _forwarded_from_http(request: Any, **_: Any) -> None:
    request.headers["x-forwarded-proto"] = "http"


def almighty(iam: Any) -> str:
    """A role that may do everything, and that the account's owner may assume."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allowed = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [statement]}) for statement in (trust, allowed)]
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=ALMIGHTY, AssumeRolePolicyDocument=documents[0])
    iam.put_role_policy(RoleName=ALMIGHTY, PolicyName="everything", PolicyDocument=documents[1])
    return ALMIGHTY
