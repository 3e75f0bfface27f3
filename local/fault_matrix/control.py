"""What people and schedules do with executions, and how an execution that raises no alert must end."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.fault_matrix import verdict
from local.fault_matrix.faulted_stack import SCALES
from local.fault_matrix.outcome import Alerts
from local.fault_matrix.scenario import ALERT_SECONDS, Scenario
from local.pipeline import STACK


def arn(scenario: Scenario) -> str:
    """Return the ARN of the scenario's execution."""
    return str(scenario.describe()["executionArn"])


def schedule(scenario: Scenario) -> dict[str, Any]:
    """Return the schedule of the stack that starts exports; drills have one of their own."""
    scheduler = scenario.client("scheduler")
    found = [scheduler.get_schedule(Name=each["Name"]) for each in scheduler.list_schedules()["Schedules"]]
    [ours] = [each for each in found if each["Target"]["Arn"] == scenario.pipeline.outputs["StateMachineArn"]]
    return dict(ours)


def start_another(scenario: Scenario, **given: Any) -> str:
    """Start an execution beside the scenario's, and return its ARN; `given` as of `Scenario.start`."""
    return start_exactly(scenario, {"include_tables": list(scenario.tables), "max_age_in_days": None} | given)


def start_exactly(scenario: Scenario, given: Mapping[str, Any]) -> str:
    """Start an execution beside the scenario's with this input and nothing else, and return its ARN."""
    machine = scenario.pipeline.outputs["StateMachineArn"]
    states = scenario.client("stepfunctions")
    started = states.start_execution(stateMachineArn=machine, input=json.dumps(given))
    scenario.undo.callback(_stop, states, started["executionArn"])
    return str(started["executionArn"])


def stop(scenario: Scenario, cause: str) -> None:
    """Stop the scenario's execution."""
    scenario.client("stepfunctions").stop_execution(executionArn=arn(scenario), error="Stopped", cause=cause)


def redrive(scenario: Scenario) -> None:
    """Redrive the scenario's execution."""
    scenario.client("stepfunctions").redrive_execution(executionArn=arn(scenario))


def wait_until_ended(scenario: Scenario, arn: str = "") -> str:
    """Wait until an execution (the scenario's, without an ARN) has ended, and return how."""
    scenario.wait_for(lambda: scenario.describe(arn)["status"] != "RUNNING", "The execution did not end")
    return str(scenario.describe(arn)["status"])


@contextlib.contextmanager
def time_limit(scenario: Scenario, seconds: float) -> Iterator[None]:
    """Give the executions that start within the block a time limit."""
    states, machine = scenario.client("stepfunctions"), scenario.pipeline.outputs["StateMachineArn"]
    before = states.describe_state_machine(stateMachineArn=machine)["definition"]
    limit = {"TimeoutSeconds": seconds / SCALES["timeout_scale"]}
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps({**json.loads(before), **limit}))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=machine, definition=before)


def states_since_redrive(scenario: Scenario, execution: str = "") -> list[str]:
    """Return the states that were entered since the last redrive, in order; those of a Map once per iteration."""
    names: list[str] = []
    history = scenario.client("stepfunctions").get_paginator("get_execution_history")
    pages = history.paginate(executionArn=execution or arn(scenario))
    for event in (event for page in pages for event in page["events"]):
        if event["type"] == "ExecutionRedriven":
            names.clear()
        elif "stateEnteredEventDetails" in event:
            names.append(event["stateEnteredEventDetails"]["name"])
    return names


def runs_of(scenario: Scenario) -> list[str]:
    """Return the group of every Glue run of the scenario's execution, in the order of their start."""
    pages = scenario.client("glue").get_paginator("get_job_runs").paginate(JobName=STACK)
    runs = sorted((run for page in pages for run in page["JobRuns"]), key=lambda run: run["StartedOn"])
    began = scenario.describe()["startDate"]
    return [run["Arguments"]["--EXPORT_GROUP"] for run in runs if run["StartedOn"] >= began]


def keys(scenario: Scenario) -> list[str]:
    """Return the keys of all tables in the bucket; a scenario begins without any."""
    pages = scenario.client("s3").get_paginator("list_objects_v2").paginate(Bucket=scenario.pipeline.bucket)
    found = (item["Key"] for page in pages for item in page.get("Contents", []))
    return sorted(key for key in found if key.endswith(".csv.gz"))


def alarm_notice(scenario: Scenario, name: str, state: str) -> dict[str, Any]:
    """Wait until the topic has delivered that an alarm is in a state, and return what CloudWatch said.

    Alerts of executions stay in the queue, for the verdict on those.
    """
    sqs, queue = scenario.client("sqs"), scenario.pipeline.alert_queue_url

    def found() -> dict[str, Any] | None:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        for message in received.get("Messages", []):
            envelope = json.loads(message["Body"])
            if envelope.get("Subject", "").startswith(f'{state}: "{name}"'):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return dict(json.loads(envelope["Message"]))
        return None

    notice: dict[str, Any] = scenario.wait_for(found, f"Nobody heard that {name} is {state}", ALERT_SECONDS)
    return notice


def must_be_told(scenario: Scenario, *naming: str) -> None:
    """Somebody is told in these words, before the scenario's execution or its runs have ended."""
    alerts = Alerts(scenario.pipeline, scenario.describe()["name"])
    told = alerts.wait(lambda found: verdict.is_said(found, naming), ALERT_SECONDS)
    if not verdict.is_said(told, naming):
        raise AssertionError(f"no alert says {' and '.join(naming)}: {told}")


def must_be_noticed(scenario: Scenario, notices: int = 1) -> None:
    """The export is COMPLETE, and there are so many notices of recovery and nothing else."""

    def enough(alerts: verdict.Alerts) -> bool:
        return len(alerts) >= notices

    scenario.judge(lambda seen: verdict.of_noticed(seen, scenario.tables, notices), enough)


def must_fail_after_export(scenario: Scenario, *naming: str) -> None:
    """The export is there and verified, but the execution failed; an alert says so, and these words."""

    def enough(alerts: verdict.Alerts) -> bool:
        return verdict.is_said(alerts, naming) and verdict.is_end_told(alerts, "FAILED")

    scenario.judge(lambda seen: verdict.of_failed_after_export(seen, scenario.tables, naming), enough)


def must_yield(scenario: Scenario, winner: str, arn: str = "") -> None:
    """The scenario's execution, or another one, did nothing but to name the winner."""
    scenario.judge(lambda seen: verdict.of_yielded(seen, winner), lambda alerts: True, arn)


def must_be_unheard(scenario: Scenario) -> None:
    """The execution failed, and its event waits in the dead-letter queue, because no alert could be sent."""
    wait_until_ended(scenario)
    kept: list[str] = []

    def arrived() -> bool:
        kept.extend(dead_letters(scenario))
        return any(arn(scenario) in body for body in kept)

    scenario.wait_for(arrived, "There is no dead letter", ALERT_SECONDS)
    scenario.judge(lambda seen: verdict.of_unheard(seen, kept), lambda alerts: True)


def dead_letters(scenario: Scenario) -> list[str]:
    """Take what is in the dead-letter queue, and return the messages' bodies."""
    sqs = scenario.client("sqs")
    [resource] = scenario.client("cloudformation").describe_stack_resources(
        StackName=STACK, LogicalResourceId="UndeliveredQueue"
    )["StackResources"]
    messages = sqs.receive_message(QueueUrl=resource["PhysicalResourceId"], MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=resource["PhysicalResourceId"], ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


def _stop(states: Any, arn: str) -> None:
    with contextlib.suppress(states.exceptions.ClientError):  # it has ended
        states.stop_execution(executionArn=arn)
