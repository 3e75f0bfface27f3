"""The flow itself: cfn-lint does not look behind `DefinitionUri`, and notices no dangling `Next`."""

import json
import re

import pytest
import yaml

from .definitions import ASL_FILES, ROOT, resources, scopes, state_machine

# AWS documented: what Lambda reports that may pass, a function's own time-out and its end for want of memory included.
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
#
# The runtime gives two of them a type, which Step Functions reports: the time-out (Sandbox.Timedout) and a process that
# died, as of too little memory (Runtime.ExitError). States.Timeout is its own.
TRANSIENT_LAMBDA_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.Timeout",
}


def transient_errors_of_functions():
    """Names of our functions' error classes that say that another try may help."""
    text = "\n".join(file.read_text() for file in (ROOT / "lambdas").rglob("errors.py"))
    return set(re.findall(r"^class (\w+)\((?:\w+, )?TransientError\)", text, re.MULTILINE))


def all_states():
    """Every state of every flow, by the flow's name and its own."""
    return [
        ((flow, name), state)
        for flow in ASL_FILES
        for scope in scopes(state_machine(flow))
        for name, state in scope["States"].items()
    ]


def targets(state):
    """Every state name that a state can go on to."""
    branches = [*state.get("Choices", []), *state.get("Catch", [])]
    return {branch["Next"] for branch in branches} | {state[key] for key in ("Next", "Default") if key in state}


def reachable(scope):
    seen, waiting = set(), [scope["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += targets(scope["States"][name])
    return seen


def as_inline_template(definition):
    """A CloudFormation template that holds the definition inline, where cfn-lint checks it."""
    literal = re.sub(
        r"\$\{(\w+)\}", lambda match: "aws" if match[1] == "Partition" else match[1], json.dumps(definition)
    )
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/r", "Definition": json.loads(literal)}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": machine}})


def lint(template):
    """What cfn-lint finds. Its import takes five seconds, which only the process that runs these tests shall spend."""
    from cfnlint.api import lint_all

    return lint_all(template)


@pytest.mark.parametrize("flow", ASL_FILES)
def test_the_definition_passes_the_asl_rules_of_cfn_lint(flow):
    assert lint(as_inline_template(state_machine(flow))) == []


def test_the_asl_rules_of_cfn_lint_do_look_at_the_definition():
    broken = json.loads(json.dumps(state_machine()))
    broken["States"]["Plan Export"]["Type"] = "Tusk"

    assert lint(as_inline_template(broken)) != []


@pytest.mark.parametrize("flow", ASL_FILES)
def test_every_state_is_reachable_and_every_next_exists(flow):
    for scope in scopes(state_machine(flow)):
        assert reachable(scope) == set(scope["States"])


def test_both_maps_and_the_top_are_looked_at():
    assert len(scopes(state_machine())) == 3


TASKS = {name: state for name, state in all_states() if state["Type"] == "Task"}


@pytest.mark.parametrize("state", TASKS.values(), ids=map(" ".join, TASKS))
class TestEveryTask:
    def test_has_a_timeout(self, state):
        assert state["TimeoutSeconds"] > 0

    def test_retries_three_times_with_full_jitter(self, state):
        for retry in state["Retry"]:
            assert (retry["MaxAttempts"], retry["BackoffRate"], retry["JitterStrategy"]) == (3, 2, "FULL")

    def test_retries_only_transient_errors(self, state):
        errors = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
        if "lambda:invoke" in state["Resource"]:
            assert errors - transient_errors_of_functions() == TRANSIENT_LAMBDA_ERRORS
        elif "glue:" in state["Resource"]:
            assert all(error.startswith("Glue.") for error in errors)
            assert errors >= {"Glue.AWSGlueException", "Glue.SdkClientException"}, "throttled, or no answer"
        elif "states:startExecution" in state["Resource"]:
            assert all(error.startswith("StepFunctions.") for error in errors)
            assert errors >= {"StepFunctions.AWSStepFunctionsException", "StepFunctions.SdkClientException"}
        else:
            assert state["Resource"].endswith("sns:publish")


@pytest.mark.parametrize("service", ["lambda", "glue", "sns"])
def test_tasks_that_call_one_service_retry_alike(service):
    """They are written once each: an alias of YAML does not get through to Step Functions (docs/decisions/0015)."""
    retries = [state["Retry"] for state in TASKS.values() if f":::{service}:" in state["Resource"]]

    assert len(retries) > 1
    assert retries == retries[:1] * len(retries)


@pytest.mark.parametrize("file", ASL_FILES.values(), ids=ASL_FILES)
def test_the_definition_is_plain_yaml(file):
    """SAM puts the file into S3 as it is, and Step Functions refuses an alias there."""
    events = list(yaml.parse(file.read_text()))

    assert len(events) > 100
    assert [event for event in events if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)] == []


def test_the_retry_of_failed_groups_is_not_caught_so_that_a_redrive_reruns_them():
    retry = state_machine()["States"]["Retry Failed Groups"]

    assert "Catch" not in retry
    assert "Catch" not in retry["ItemProcessor"]["States"]["Retry Group"]


def test_first_try_and_retry_start_the_job_with_the_same_arguments():
    states = dict(all_states())

    assert states["export", "Export Group"]["Arguments"] == states["export", "Retry Group"]["Arguments"]


def test_no_state_ends_in_fail_because_a_redrive_would_repeat_only_that():
    assert {state["Type"] for _, state in all_states()} == {"Task", "Choice", "Map", "Pass", "Succeed", "Wait"}


@pytest.mark.parametrize("machine", resources("AWS::Serverless::StateMachine").values())
def test_every_substitution_of_the_definition_is_given_by_the_template(machine):
    used = set(re.findall(r"\$\{(\w+)\}", (ROOT / machine["Properties"]["DefinitionUri"]).read_text()))

    assert used == set(machine["Properties"]["DefinitionSubstitutions"])
