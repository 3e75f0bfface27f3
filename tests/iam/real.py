"""Some mutations for real: the policy in the running stack is changed, and its path is gone once more."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.fault_matrix.faulted_stack import FaultedStack
from local.fault_matrix.scenario import Scenario
from tests.iam import mutations, paths, policies
from tests.iam.mutations import Mutation
from tests.iam.policies import Policies

QUIET_SECONDS = 3.0  # so long nothing arrives that must not


@dataclass(frozen=True)
class Outcome:
    """How a path went with a changed policy: whether it failed, and what was seen."""

    failed: bool
    seen: str


def try_all(stack: FaultedStack, deployed: Policies) -> dict[str, Outcome]:
    """Try them one after the other; each policy is put back."""
    return {name: _try(stack, deployed, name) for name in PATHS}


def check_names(deployed: Policies) -> None:
    """Fail early when a statement or an action is gone whose absence is tried for real."""
    for name in PATHS:
        mutations.find(deployed, name)


def _try(stack: FaultedStack, deployed: Policies, name: str) -> Outcome:
    mutation = mutations.find(deployed, name)
    with Scenario(stack) as scenario, _changed(scenario, mutation, deployed):
        return PATHS[name](scenario)


@contextlib.contextmanager
def _changed(scenario: Scenario, mutation: Mutation, deployed: Policies) -> Iterator[None]:
    policies.write(scenario.client, mutation.place, mutation.document)
    try:
        yield
    finally:
        policies.write(scenario.client, mutation.place, deployed[mutation.place])


def _export_fails(scenario: Scenario) -> Outcome:
    scenario.start(include_tables=paths.SMALL)
    paths.ended(scenario)
    execution = scenario.describe()
    return Outcome(execution["status"] == "FAILED", str(execution.get("cause")))


def _drifted_export_fails(scenario: Scenario) -> Outcome:
    paths.drift_connection(scenario)
    return _export_fails(scenario)


def _schedule_is_undelivered(scenario: Scenario) -> Outcome:
    before = paths.executions(scenario, paths.EXPORTS)
    paths.fire_schedule(scenario, "FallbackSchedule", paths.FORCED)
    scenario.wait_for(lambda: paths.dead_letters(scenario, '"schedule"'), "No dead letter of the schedule")
    return Outcome(paths.executions(scenario, paths.EXPORTS) == before, "a dead letter")


def _nobody_hears_of_the_alarm(scenario: Scenario) -> Outcome:
    names = paths.raise_alarms(scenario)
    with contextlib.suppress(Exception):
        scenario.wait_for(lambda: paths.alerts(scenario, names[0]), "silence", QUIET_SECONDS)
    heard = paths.alerts(scenario, '"NewStateValue"')
    return Outcome(not heard, f"{len(heard)} notices of an alarm")


def _plain_http_is_answered(scenario: Scenario) -> Outcome:
    answers = paths.over_plain_http(scenario)
    return Outcome(answers["s3"] == "OK" and answers["sns"] != "OK" and answers["sqs"] != "OK", str(answers))


def _function_logs_nothing(scenario: Scenario) -> Outcome:
    logs = scenario.client("logs")
    group = paths.resource(scenario, "PlanExportLogs")
    before = len(logs.describe_log_streams(logGroupName=group)["logStreams"])
    paths.fail(scenario)  # Plan Export refuses its input, and says so in its log
    after = len(logs.describe_log_streams(logGroupName=group)["logStreams"])
    return Outcome(before == after > 0, f"{before} log streams before, {after} after")


def _nothing_is_copied(scenario: Scenario) -> Outcome:
    status, copies = paths.replicated(scenario)
    return Outcome((status, copies) == ("FAILED", 0), f"{status}, {copies} copies")


PATHS: dict[str, Callable[[Scenario], Outcome]] = {
    "PlanExportRole/ReadExports": _export_fails,
    "StateMachineRole/trust": _export_fails,
    "PlanExportRole/WriteLogs/logs:PutLogEvents": _function_logs_nothing,
    "PrepareConnectionRole/KeepTheConnection/glue:UpdateConnection": _drifted_export_fails,
    "StateMachineRole/RunExportJob/glue:StartJobRun": _export_fails,
    "ExportJobRole/JoinItsNetwork": _export_fails,
    "AggregateResultsRole/UseTheKey/kms:GenerateDataKey": _export_fails,
    "FallbackScheduleRole/StartExportAndDrill": _schedule_is_undelivered,
    "ExportKey/AlarmsToTheTopic/kms:Decrypt": _nobody_hears_of_the_alarm,
    "ReplicationRole/WriteReplicas/s3:ReplicateObject": _nothing_is_copied,
    "ExportBucket/TlsOnly": _plain_http_is_answered,
}
