"""Every path on which a role or a service needs what a policy of the stack allows: gone once, by the real pipeline."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError

from local.faults.scene import Scene
from local.faults.stage import Stage
from local.pipeline import DATABASE, ENVIRONMENT, STACK
from local.postgres import USER
from tests.unit.dags.conftest import load_dag

ALWAYS = None
ALMIGHTY = "may-do-everything"
SMALL = ["variable"]  # one group, so one Glue run
SHARED = ["log", "variable"]  # two, which share a snapshot
MID_COPY = 2 * 1024 * 1024


def walk_all(stage: Stage) -> None:
    """Walk them all, each on a stage that was set for it."""
    for path in PATHS:
        with Scene(stage) as scene:
            path(scene)


def whole_export(scene: Scene) -> None:
    scene.start(include_tables=[])
    scene.must_complete()


def recovery(scene: Scene) -> None:
    """A group dies before it says that it has the snapshot; the holder notices; it is reported, and tried again."""
    scene.faults.kill_caller("s3", "PutObject", r"/_snapshot_\w+\.json", skip=1)  # the first to say so holds it
    scene.start(include_tables=SHARED)
    scene.must_recover("exit code 137")


def bad_table(scene: Scene) -> None:
    """A table cannot be read once: the retry looks at what the first attempt has delivered, and keeps it."""
    scene.proxy.fail_copy(MID_COPY, "XX001", "missing chunk number 0 for toast value 16417 in pg_toast_16400")
    scene.start()
    scene.must_recover("missing chunk number 0")


def lost_answer(scene: Scene) -> None:
    """S3's answer to the last request of an upload is lost: the run sees for itself that the table arrived."""
    scene.faults.refuse("s3", "CompleteMultipartUpload", "InternalError", 500, resource="/log_", after=True)
    scene.start(include_tables=["log"])
    scene.must_complete()


def redrive(scene: Scene) -> None:
    """Every Glue run dies with its parts uploaded; a person corrects the cause and redrives."""
    dying = scene.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_", times=ALWAYS)
    scene.start(include_tables=SHARED)
    scene.must_fail("logs")
    dying.remove()
    scene.client("stepfunctions").redrive_execution(executionArn=scene.describe()["executionArn"])
    ended(scene)
    assert scene.describe()["status"] == "SUCCEEDED"


def abort(scene: Scene) -> None:
    """A person stops an execution while a table is copied and an upload of it is half done."""
    scene.start(include_tables=["log"])
    with scene.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        began = scene.describe()["startDate"].astimezone(UTC)
        key = f"exports/{ENVIRONMENT}-backups/{began:%Y/%m/%d}/half_{began:%H%M%S}.csv.gz"
        scene.client("s3").create_multipart_upload(Bucket=scene.pipeline.bucket, Key=key)
        scene.client("stepfunctions").stop_execution(executionArn=scene.describe()["executionArn"], cause="a test")
        ended(scene)
    scene.must_fail(status="ABORTED")


def abort_unheard(scene: Scene) -> None:
    """The same, but Glue does not hear Step Functions: Report Failure stops the run."""
    scene.faults.refuse("glue", "BatchStopJobRun", "InternalServiceException", 500)
    abort(scene)


def drift(scene: Scene) -> None:
    """Somebody has changed the connection; the next export repairs it."""
    drift_connection(scene)
    scene.start(include_tables=SMALL)
    scene.must_complete()


def schedule(scene: Scene) -> None:
    """The schedule fires, and exports."""
    seen = executions(scene)
    fire_schedule(scene)
    scene.wait_for(lambda: executions(scene) - seen, "The schedule started nothing")
    [arn] = executions(scene) - seen
    scene.wait_for(lambda: scene.describe(arn)["status"] == "SUCCEEDED", "The schedule's execution did not succeed")


def schedule_undelivered(scene: Scene) -> None:
    """Step Functions refuses the schedule: its role keeps a dead letter."""
    scene.faults.refuse("states", "StartExecution", "ThrottlingException", times=ALWAYS)
    fire_schedule(scene)
    scene.wait_for(lambda: dead_letters(scene, '"schedule"'), "No dead letter of the schedule")


def event_undelivered(scene: Scene) -> None:
    """EventBridge cannot invoke Report Failure: the queue's policy lets it keep a dead letter."""
    scene.faults.refuse("lambda", "Invoke", "TooManyRequestsException", 429, resource="ReportFailure", times=ALWAYS)
    fail(scene)
    scene.wait_for(lambda: dead_letters(scene, "aws.states"), "No dead letter of the rule")


def report_undelivered(scene: Scene) -> None:
    """Report Failure fails at every try: its role keeps the event."""
    scene.faults.throw("ReportFailure", "OddError", "an odd reason", times=ALWAYS)
    fail(scene)
    scene.wait_for(lambda: dead_letters(scene, "RetriesExhausted"), "No record of the failed invocation")


def alarms(scene: Scene) -> None:
    """CloudWatch publishes to the encrypted topic."""
    for alarm in raise_alarms(scene):
        scene.wait_for(lambda name=alarm: alerts(scene, name), f"Nobody heard of the alarm {alarm}")


def by_dag(scene: Scene) -> None:
    """The DAG's own tasks, in the execution role of the environment, with the policy that is in the outputs."""
    policy, role = scene.pipeline.outputs["MwaaExecutionPolicyArn"], scene.pipeline.account.execution_role
    scene.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
    with pytest.MonkeyPatch.context() as worker:
        for name, value in {**as_role(scene, role), **database_of(scene)}.items():
            worker.setenv(name, value)
        dag = load_dag(worker)
        secret = dag.publish_credentials("")
        arn = dag.start_export(secret, {"include_tables": SMALL, "force": True}, "manual__2026-12-11T00:00:00+00:00")
        scene.wait_for(lambda: dag.wait_for_export(arn).is_done, "The DAG waited too long")


def plain_http(scene: Scene) -> None:
    """Somebody who may do everything does it where others can listen."""
    assert "OK" not in over_plain_http(scene).values()


PATHS: tuple[Callable[[Scene], None], ...] = (
    whole_export,
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
)


def ended(scene: Scene) -> None:
    scene.wait_for(lambda: scene.describe()["status"] != "RUNNING", "The execution did not end")


def fail(scene: Scene) -> None:
    """An execution that fails before it starts anything: its input is wrong."""
    scene.start(max_age_in_days=-1)
    ended(scene)
    assert scene.describe()["status"] == "FAILED"


def executions(scene: Scene) -> set[str]:
    machine = scene.pipeline.outputs["StateMachineArn"]
    found = scene.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return {execution["executionArn"] for execution in found}


def drift_connection(scene: Scene) -> None:
    glue = scene.client("glue")
    found = glue.get_connection(Name=STACK)["Connection"]
    names = ("Name", "Description", "ConnectionType", "ConnectionProperties", "PhysicalConnectionRequirements")
    given = {name: found[name] for name in names}
    given["ConnectionProperties"]["JDBC_CONNECTION_URL"] = "jdbc:postgresql://elsewhere:5432/AirflowMetadata"
    glue.update_connection(Name=STACK, ConnectionInput=given)


def fire_schedule(scene: Scene) -> None:
    """Let a copy of the stack's schedule fire now, once: same target, role and key, but also beside a fresh export."""
    scheduler = scene.client("scheduler")
    found = scheduler.get_schedule(Name=resource(scene, "FallbackSchedule"))
    same = {key: found[key] for key in ("FlexibleTimeWindow", "Target", "KmsKeyArn", "State")}
    forced = {"Input": '{"trigger": "schedule", "force": true}'}
    same["Target"] = same["Target"] | forced
    at = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    name = f"now-{time.monotonic_ns()}"
    scheduler.create_schedule(Name=name, ScheduleExpression=at, ActionAfterCompletion="DELETE", **same)


def resource(scene: Scene, logical_id: str) -> str:
    found = scene.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def dead_letters(scene: Scene, text: str) -> list[str]:
    """Bodies of new dead letters that hold a text; all that are there are taken."""
    sqs, url = scene.client("sqs"), resource(scene, "UndeliveredQueue")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in found if text in message["Body"]]


def raise_alarms(scene: Scene) -> list[str]:
    """Let every alarm of the stack ring; their names."""
    cloudwatch = scene.client("cloudwatch")
    names = [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=STACK)["MetricAlarms"]]
    assert len(names) >= 2
    for name in names:
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
    return names


def alerts(scene: Scene, text: str) -> list[str]:
    """Bodies of what has arrived at the topic and holds a text; nothing is taken away."""
    sqs, url = scene.client("sqs"), scene.pipeline.alert_queue_url
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in found if text in message["Body"]]


def as_role(scene: Scene, role: str) -> dict[str, str]:
    """Environment variables of a process that acts in a role."""
    arn = scene.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    keys = scene.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    names["AWS_SESSION_TOKEN"] = "SessionToken"
    return scene.pipeline.aws.env | {variable: keys[name] for variable, name in names.items()}


def database_of(scene: Scene) -> dict[str, str]:
    """Environment variables of a worker of Airflow 2."""
    login = f"{USER}:{quote(scene.database.password, safe='')}"
    url = f"postgresql+psycopg2://{login}@127.0.0.1:{scene.proxy.port}/{DATABASE}?sslmode=disable"
    return {"AIRFLOW_ENV_NAME": ENVIRONMENT, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}


def over_plain_http(scene: Scene) -> dict[str, str]:
    """What bucket, topic and queue answer, over http, a role that may do everything: an error's code, or OK."""
    bucket, topic = scene.pipeline.bucket, scene.pipeline.outputs["AlertTopicArn"]
    queue = resource(scene, "UndeliveredQueue")
    calls: dict[str, Callable[[Any], Any]] = {
        "s3": lambda client: client.list_objects_v2(Bucket=bucket),
        "sns": lambda client: client.publish(TopicArn=topic, Message="by a test"),
        "sqs": lambda client: client.send_message(QueueUrl=queue, MessageBody="by a test"),
    }
    env = as_role(scene, almighty(scene.client("iam")))
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
