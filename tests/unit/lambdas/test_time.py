"""A function's time is enough for its calls to AWS, however slow each is, and the state that calls it waits longer.

Nothing is retyped: times come from template, flow and the clients' Config, the number of calls from a run of each.
"""

import json
import math
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from aggregate_results import handler as aggregate_results
from aggregate_results.report import publication
from aggregate_results.verification import _CONCURRENT_LOOKS
from botocore.client import BaseClient
from conduct_drill import handler as conduct_drill
from conduct_drill.errors import NoProofError
from export_contracts.coverage import Coverage
from export_runtime.aws import CLIENT_CONFIG
from plan_export import handler as plan_export
from plan_export.selection import table_groups
from prepare_connection import handler as prepare_connection
from report_failure import glue_runs
from report_failure import handler as report_failure
from report_failure.report import PATIENCE_SECONDS

from tests.documents import pointer, stored
from tests.unit.lambdas.aggregate_results.exports import EXPORT, GROUPS, deliver_all, raw_event
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.plan_export.cases import ARN, LAYOUT, OTHER_ARN, STARTED
from tests.unit.lambdas.plan_export.test_handler import environment  # noqa: F401
from tests.unit.lambdas.prepare_connection.test_handler import EVENT, open_to_itself, world  # noqa: F401
from tests.unit.lambdas.report_failure.cases import event
from tests.unit.lambdas.report_failure.test_handler import inbox  # noqa: F401
from tests.unit.template.definitions import resources, state_machine, template, variables

# AWS documented: to start takes a function's code at most 10 s. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
START_SECONDS = 30  # until Lambda has a sandbox, and the code in it
# AWS documented: a function runs for 15 minutes at most. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_SECONDS = 900


def slowest_call() -> float:
    """Seconds of a call whose every attempt is as slow as it may, with the pauses between them.

    AWS documented: in standard mode boto3 waits 2**n seconds at most, never over 20.
    https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    attempts = CLIENT_CONFIG.retries["total_max_attempts"]
    pauses = sum(min(2**number, 20) for number in range(attempts - 1))
    return attempts * (CLIENT_CONFIG.connect_timeout + CLIENT_CONFIG.read_timeout) + pauses


def timeout_of(function: str) -> int:
    """Seconds that the template gives a function."""
    shared = template()["Globals"]["Function"]
    return (shared | resources("AWS::Serverless::Function")[function]["Properties"])["Timeout"]


@contextmanager
def counted(monkeypatch):
    """Collect the calls that this thread makes: one after another."""
    calls, original = [], BaseClient._make_api_call

    def call(client, operation, parameters):
        if threading.current_thread() is threading.main_thread():
            calls.append(operation)
        return original(client, operation, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield calls


@pytest.mark.usefixtures("environment")
def test_plan_export_has_time_for_its_calls(store, context, monkeypatch):
    # GIVEN a lock of an execution that has ended, and a complete export that is a week too old
    store.write_if_unchanged(LAYOUT.lock_key, json.dumps({"execution_arn": OTHER_ARN}).encode(), None)
    old = LAYOUT.summary_key(STARTED - timedelta(days=7))
    store.write(LAYOUT.latest_key, stored(pointer(old)), "application/json")
    execution = {"id": ARN, "name": "mine", "start_time": "2026-12-11T14:30:22Z"}

    with counted(monkeypatch) as calls:
        assert plan_export.handler({"input": {"trigger": "schedule"}, "execution": execution}, context)["due"]

    assert len(calls) >= 7
    release = 2  # where another export has just become complete: read the lock, write it
    assert (len(calls) + release) * slowest_call() < timeout_of("PlanExportFunction")


def test_prepare_connection_has_time_for_its_calls(world, context, monkeypatch):  # noqa: F811
    open_to_itself(world)

    with counted(monkeypatch) as calls:
        assert prepare_connection.handler(EVENT, context)["action"] == "created"

    assert len(calls) >= 9
    endpoints = 1  # their security groups, in a network that has any
    assert (len(calls) + endpoints) * slowest_call() < timeout_of("PrepareConnectionFunction")


def test_aggregate_results_has_time_for_its_calls(store, context, monkeypatch):
    deliver_all(store)
    monkeypatch.setattr(publication, "read_history", lambda *_: ())  # see the next test, and that after it

    with counted(monkeypatch) as calls:
        assert aggregate_results.handler(raw_event(), context)["status"] == "COMPLETE"

    groups = table_groups(Coverage(), LAYOUT, STARTED)
    looks = sum(math.ceil(len(group.tables) / _CONCURRENT_LOOKS) for group in groups)
    manifests = len(groups) - len(GROUPS)
    assert len(calls) >= len(GROUPS) + 4
    assert looks > 5
    needed = (len(calls) + manifests + looks) * slowest_call()
    assert needed < timeout_of("AggregateResultsFunction")


def test_the_history_of_the_report_stops_while_a_round_and_the_report_itself_still_fit():
    rounds = 2  # one that was just allowed, and the report
    assert rounds * slowest_call() < publication._HISTORY_RESERVE_MS / 1000


def test_the_proofs_are_left_out_while_report_and_announcement_still_fit(store, monkeypatch):
    store.write(f"{EXPORT.root}/2026/12/11/dag_143022.csv.gz", b"", "application/gzip")

    with counted(monkeypatch) as calls:
        aggregate_results._newest_proof(EXPORT, store, drills=True)

    assert len(calls) == 4  # there is none: since when there are exports
    milliseconds = len(calls) * slowest_call() * 1000
    assert milliseconds + aggregate_results.TIME_FOR_THE_REST < aggregate_results.TIME_FOR_PROOFS


def test_conduct_drill_has_time_for_its_calls(store, context, monkeypatch):
    for name, value in {**variables("ConductDrillFunction"), "EXPORT_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)
    store.write(f"{EXPORT.root}/2026/12/11/dag_143022.csv.gz", b"", "application/gzip")

    with counted(monkeypatch) as calls, pytest.raises(NoProofError):
        conduct_drill.handler({"step": "conclude", "export_id": EXPORT.export_id}, context)

    assert len(calls) == 5
    older = 1  # a proof that is read where there is one
    assert (len(calls) + older) * slowest_call() < timeout_of("ConductDrillFunction")


def test_report_failure_has_time_for_its_calls_and_its_patience(inbox, context, monkeypatch):  # noqa: F811
    with counted(monkeypatch) as calls:
        report_failure.handler(event(), context)

    assert len(calls) >= 6
    pages = math.ceil(glue_runs._NEWEST_RUNS / glue_runs._PAGE)
    of_runs = 2 * pages + 1  # the runs before the patience begins and at its end, and the request to stop them
    needed = (len(calls) + of_runs) * slowest_call() + PATIENCE_SECONDS
    assert needed < timeout_of("ReportFailureFunction")


@pytest.mark.parametrize("function", resources("AWS::Serverless::Function"))
def test_a_function_has_no_more_time_than_lambda_gives(function):
    assert timeout_of(function) <= LONGEST_SECONDS


STATES = {
    name: state
    for flow in ("export", "drill")
    for name, state in state_machine(flow)["States"].items()
    if "lambda:invoke" in state.get("Resource", "")
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_state_waits_longer_than_its_function_may_take(state):
    function = state["Arguments"]["FunctionName"].removeprefix("${").removesuffix("Arn}")

    assert state["TimeoutSeconds"] >= timeout_of(function) + START_SECONDS


def test_the_states_that_call_functions_are_looked_at():
    assert len(STATES) >= 6
