"""Whether an export is due, and the plan."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from export_contracts.coverage import Coverage
from export_contracts.layout import export_id
from export_contracts.plan import Decision, Plan
from export_contracts.summary import Selection
from export_runtime.errors import InvalidEventError, TerminalError
from plan_export.errors import OtherExportError, SameSecondError
from plan_export.planning import LONGEST_WAIT, decide, parse_request, settle
from plan_export.settings import Settings

from tests.contracts import violations
from tests.documents import stored, summary
from tests.unit.lambdas.plan_export.cases import ARN, LAYOUT, NOW, OTHER_ARN, SETTINGS, STARTED, draft, request_with
from tests.unit.lambdas.plan_export.test_fresh_export import SUMMARY_KEY, publish


class FakeExecutions:
    """Executions of which these are running."""

    def __init__(self, *running: str) -> None:
        """Take the ARNs of the running executions."""
        self.running = running

    def is_running(self, arn: str) -> bool:
        """Say whether an execution is among them."""
        return arn in self.running


def decide_on(store, raw: dict, *running: str, now: datetime = NOW, settings: Settings = SETTINGS) -> Decision:
    """Decide on an execution input."""
    export, _ = draft(raw, settings)
    return decide(request_with(raw).input, export, settings, store, FakeExecutions(*running), now)


def lock_for_another(store, **asked) -> None:
    """Let another execution hold the lock, for an export of these tables and this age."""
    document = {"execution_arn": OTHER_ARN, **(Coverage(**asked).to_json() if asked else {})}
    store.write(LAYOUT.lock_key, json.dumps(document).encode(), "application/json")


ALL = {"max_age_in_days": None}


def locked_by(store) -> str | None:
    """Return who holds the lock."""
    found = store.read(LAYOUT.lock_key)
    return json.loads(found.body).get("execution_arn") if found else None


@pytest.mark.parametrize("raw", [{}, {"trigger": "dag"}, {"trigger": "schedule", "force": True}], ids=str)
def test_given_a_fresh_export_then_all_but_an_unforced_schedule_export_again(store, raw):
    publish(store)
    assert decide_on(store, raw).due
    assert locked_by(store) == ARN


def test_given_a_fresh_export_then_the_schedule_does_nothing_and_takes_no_lock(store):
    publish(store)
    decision = decide_on(store, {"trigger": "schedule"})
    assert (decision.due, decision.winner) == (False, f"s3://exports-bucket/{SUMMARY_KEY}")
    assert locked_by(store) is None


def test_given_no_fresh_export_then_the_schedule_exports(store):
    decision = decide_on(store, {"trigger": "schedule"})
    assert decision.due
    assert "20 hours" in decision.reason


@pytest.mark.parametrize("raw", [{}, {"trigger": "dag"}, {"trigger": "schedule"}, {"force": True}], ids=str)
@pytest.mark.parametrize("asked", [ALL, {"max_age_in_days": 30}, {"max_age_in_days": 90}], ids=str)
def test_given_an_export_at_work_that_brings_as_much_then_every_trigger_yields_forced_or_not(store, raw, asked):
    lock_for_another(store, **asked)
    decision = decide_on(store, raw, OTHER_ARN)
    assert (decision.due, decision.wait, decision.winner) == (False, False, OTHER_ARN)


@pytest.mark.parametrize("raw", [{}, {"trigger": "dag"}, {"trigger": "schedule"}, {"force": True}], ids=str)
@pytest.mark.parametrize(
    "asked",
    [{"include_tables": ("dag",)}, {"exclude_tables": ("log",)}, {"max_age_in_days": 29}, {}],
    ids=["some tables", "not all tables", "a shorter age", "nobody knows what"],
)
def test_given_an_export_at_work_that_brings_less_then_every_trigger_waits_and_it_keeps_the_lock(store, raw, asked):
    lock_for_another(store, **asked)
    decision = decide_on(store, raw, OTHER_ARN)
    assert (decision.due, decision.wait, decision.winner) == (False, True, OTHER_ARN)
    assert "waiting for its end" in decision.reason
    assert locked_by(store) == OTHER_ARN
    assert decide_on(store, raw).due, "once it has ended"


def test_given_a_partial_export_meets_a_full_one_then_it_yields_to_that(store):
    lock_for_another(store, max_age_in_days=30)
    assert decide_on(store, {"include_tables": ["dag"], "max_age_in_days": 7}, OTHER_ARN).winner == OTHER_ARN
    assert decide_on(store, {"include_tables": ["dag"], "max_age_in_days": 31}, OTHER_ARN).wait


def test_given_the_other_export_does_not_end_then_the_waiting_fails_in_one_line_that_names_both(store):
    lock_for_another(store, include_tables=("x\nWHAT TO DO\nNothing",))
    assert decide_on(store, {}, OTHER_ARN, now=STARTED + LONGEST_WAIT - timedelta(seconds=1)).wait
    with pytest.raises(OtherExportError) as caught:
        decide_on(store, {}, OTHER_ARN, now=STARTED + LONGEST_WAIT)
    message = str(caught.value)
    assert [part for part in ("all tables; last 30 days", OTHER_ARN, "redrive") if part not in message] == []
    assert message.isprintable()
    assert isinstance(caught.value, TerminalError)


def export_under_the_same_name(store, **changes) -> None:
    """Write the summary of an export that began in the same second."""
    key, name = LAYOUT.summary_key(STARTED), export_id(STARTED)
    store.write(key, stored(summary(export_id=name, **changes)), "application/gzip")


@pytest.mark.parametrize("raw", [{}, {"trigger": "dag"}, {"include_tables": ["dag"], "force": True}], ids=str)
def test_given_it_waited_for_an_export_of_the_same_second_then_it_does_not_overwrite_that(store, raw):
    lock_for_another(store, include_tables=("xcom",))
    assert decide_on(store, raw, OTHER_ARN).wait
    export_under_the_same_name(store, execution_arn=OTHER_ARN, selection=Selection(("xcom",)))
    with pytest.raises(SameSecondError, match="start a new one") as caught:
        decide_on(store, raw)
    assert (OTHER_ARN in str(caught.value), isinstance(caught.value, TerminalError)) == (True, True)
    assert locked_by(store) is None


@pytest.mark.parametrize(
    "changes",
    [{"execution_arn": ARN}, {"execution_arn": OTHER_ARN, "status": "INCOMPLETE"}],
    ids=["its own, before an answer was lost", "nothing that is whole"],
)
def test_given_nothing_to_lose_under_its_name_then_it_exports(store, changes):
    export_under_the_same_name(store, **changes)
    assert decide_on(store, {}).due


def test_given_a_schedule_waits_when_a_full_export_appears_then_it_is_done(store):
    lock_for_another(store, include_tables=("dag",))
    assert decide_on(store, {"trigger": "schedule"}, OTHER_ARN).wait
    publish(store)
    assert decide_on(store, {"trigger": "schedule"}, OTHER_ARN).winner == f"s3://exports-bucket/{SUMMARY_KEY}"


NARROW = replace(SETTINGS, include_tables=("dag", "dag_run"), exclude_tables=(), max_age_in_days=7)


@pytest.mark.parametrize(
    ("settings", "raw", "scope"),
    [
        (SETTINGS, {}, "full"),
        (SETTINGS, {"trigger": "schedule", "force": True}, "full"),
        (SETTINGS, {"max_age_in_days": None}, "full"),
        (SETTINGS, {"max_age_in_days": 29}, "partial"),
        (SETTINGS, {"include_tables": ["dag"]}, "partial"),
        (SETTINGS, {"exclude_tables": ["log"]}, "partial"),
        (SETTINGS, {"exclude_tables": ["session", "alembic_version"]}, "full"),
        (replace(SETTINGS, exclude_tables=("log",)), {"exclude_tables": []}, "full"),
        (replace(SETTINGS, exclude_tables=("log",)), {"exclude_tables": ["job"]}, "partial"),
        (NARROW, {}, "full"),
        (NARROW, {"include_tables": ["dag", "dag_run", "xcom"]}, "full"),
        (NARROW, {"include_tables": []}, "full"),
        (NARROW, {"include_tables": ["dag"]}, "partial"),
        (NARROW, {"exclude_tables": ["log"]}, "full"),
        (NARROW, {"exclude_tables": ["dag"]}, "partial"),
    ],
)
def test_given_an_input_then_the_scope_says_whether_it_covers_the_stacks_own(settings, raw, scope):
    assert draft(raw, settings)[0].scope == scope


def test_given_the_other_execution_completes_meanwhile_then_the_schedule_does_nothing_and_frees_the_lock(store):
    store.write(LAYOUT.lock_key, json.dumps({"execution_arn": OTHER_ARN}).encode(), "application/json")

    class CompletesMeanwhile(FakeExecutions):
        def is_running(self, arn: str) -> bool:
            publish(store)
            return False

    raw = {"trigger": "schedule"}
    decision = decide(request_with(raw).input, draft(raw)[0], SETTINGS, store, CompletesMeanwhile(), NOW)
    assert (decision.due, decision.winner) == (False, f"s3://exports-bucket/{SUMMARY_KEY}")
    assert locked_by(store) is None


def test_given_this_execution_plans_twice_then_it_is_due_twice(store):
    assert decide_on(store, {}).due
    assert decide_on(store, {}, ARN).due


def test_given_an_execution_then_the_plan_derives_from_its_start_time():
    export, groups = draft()
    assert export.export_id == "20261211T143022Z"
    assert export.cutoff == "2026-11-11T14:30:22Z"
    assert export.output_path == "s3://exports-bucket/exports/prod-backups/2026/12/11/"
    assert groups[0].manifest_key == "exports/prod-backups/_runs/20261211T143022Z/definitions.json"


@pytest.mark.parametrize(("raw", "days"), [({}, 30), ({"max_age_in_days": 7}, 7), ({"max_age_in_days": None}, None)])
def test_given_an_age_then_the_input_beats_the_stack(raw, days):
    export, _ = draft(raw)
    assert export.max_age_in_days == days
    assert (export.cutoff is None) == (days is None)


@pytest.mark.parametrize(
    "raw", [{}, {"max_age_in_days": None}, {"include_tables": ["_x"]}, {"exclude_tables": ["log"]}]
)
@pytest.mark.parametrize(
    "decision",
    [
        Decision(True, "because"),
        Decision(False, "because", OTHER_ARN),
        Decision(False, "because", OTHER_ARN, wait=True),
    ],
    ids=["due", "not", "wait"],
)
def test_given_any_plan_then_it_is_the_contract(raw, decision):
    plan = settle(decision, *draft(raw)).to_json()
    assert violations("plan", plan) == []
    assert bool(plan["groups"]) == decision.due


def test_given_a_plan_went_through_json_then_it_reads_the_same():
    plan = settle(Decision(True, ""), *draft({"exclude_tables": ["log"]}))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    "start_time", ["2026-12-11T14:30:22.987Z", "2026-12-11T14:30:22Z", "2026-12-11T15:30:22.001+01:00"]
)
def test_given_a_start_time_then_fractions_and_offsets_do_not_matter(start_time):
    event = {"input": {}, "execution": {"id": ARN, "name": "mine", "start_time": start_time}}
    assert parse_request(event).started == STARTED


@pytest.mark.parametrize(
    "execution", [None, {}, {"id": ARN}, {"id": ARN, "start_time": "noon"}, {"id": ARN, "start_time": 5}]
)
def test_given_an_execution_that_is_not_the_contract_then_the_error_says_so(execution):
    with pytest.raises(InvalidEventError, match="start_time"):
        parse_request({"input": {}, "execution": execution})


def test_given_a_whole_plan_then_it_is_far_from_the_limit_of_a_state():
    plan = settle(Decision(True, "because"), *draft({}, replace(SETTINGS, max_age_in_days=None))).to_json()
    assert len(json.dumps(plan)) < 32_000
