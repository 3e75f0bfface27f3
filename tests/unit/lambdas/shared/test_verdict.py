"""The event that tells of a verdict keeps its contract, whatever it tells of; a bus that fails is no failure."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aggregate_results import handler as aggregate_results
from aggregate_results.errors import ExportIncompleteError, TableNotInDatabaseError
from botocore.exceptions import ClientError
from export_contracts.verdict import DETAIL_TYPE, SOURCE
from export_runtime import clients
from report_failure import handler as report_failure

from tests.contracts import violations
from tests.unit.lambdas.aggregate_results.exports import (
    EXPORT,
    GROUPS,
    deliver,
    deliver_all,
    failed,
    group_of,
    raw_event,
    succeeded,
)
from tests.unit.lambdas.report_failure.cases import event
from tests.unit.lambdas.report_failure.test_handler import inbox  # noqa: F401
from tests.unit.template.definitions import identity_statements

HOSTILE = "x\n<!channel>\u202e\x00password=CANARY " + "y" * 300_000


class Bus:
    """The default event bus: what was put, or what it answers instead."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.answer: Callable[[], dict[str, Any]] = lambda: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Take events."""
        answer = self.answer()
        self.entries += Entries
        return answer

    def only(self) -> dict[str, Any]:
        """The detail of the only event, which keeps its contract."""
        [entry] = self.entries
        assert (entry["Source"], entry["DetailType"]) == (SOURCE, DETAIL_TYPE)
        assert len(json.dumps(entry).encode()) < 256 * 1024
        detail: dict[str, Any] = json.loads(entry["Detail"])
        assert violations("verdict_event", detail) == []
        return detail


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """Give the bus of the account."""
    made = Bus()
    monkeypatch.setattr(clients, "event_bus", lambda: made)
    return made


def test_given_a_complete_export_then_its_verdict_is_told(store, context, bus):
    deliver_all(store)
    aggregate_results.handler(raw_event(), context)
    told = bus.only()
    assert (told["verdict"], told["is_final"], told["recovered"], told["scope"]) == ("COMPLETE", True, False, "full")
    assert told["last_complete_export_id"] == EXPORT.export_id


def test_given_a_recovery_then_that_is_told(store, context, bus):
    deliver_all(store)
    aggregate_results.handler(raw_event(succeeded([group_of("tasks")]), "retry"), context)
    assert bus.only()["recovered"] is True


def test_given_an_incomplete_export_then_it_is_told_and_is_not_final(store, context, bus):
    deliver_all(store, without="tasks")
    results = [*succeeded(GROUPS[:2]), failed("tasks", cause=HOSTILE), *succeeded(GROUPS[3:])]
    aggregate_results.handler(raw_event(results), context)
    told = bus.only()
    assert (told["verdict"], told["is_final"], told["missing_tables"]) == ("INCOMPLETE", False, ["xcom"])
    chat = json.dumps(told["chat_notification"])
    assert [text for text in ("CANARY", "<", "\\u202e") if text in chat] == []


@pytest.mark.parametrize("include", [(), ("xcom",)], ids=["still incomplete", "a table that does not exist"])
def test_given_an_execution_that_fails_then_report_failure_tells_and_nobody_else(store, context, bus, include):
    deliver_all(store)
    tables = {"skipped_tables": {"xcom": "it does not exist"}} if include else {}
    deliver(store, group_of("tasks"), tables={}, **tables)
    results = succeeded() if include else succeeded([group_of("tasks")])
    changed = raw_event(results, "first" if include else "retry")
    changed["export"]["include_tables"] = list(include)
    with pytest.raises(TableNotInDatabaseError if include else ExportIncompleteError):
        aggregate_results.handler(changed, context)
    assert bus.entries == []


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_given_a_failed_execution_then_its_verdict_is_told(inbox, context, bus, status):  # noqa: F811
    report_failure.handler(event(status=status, error=HOSTILE, cause=HOSTILE), context)
    told = bus.only()
    assert (told["verdict"], told["is_final"], told["tables"]) == (status, True, 0)
    assert told["subject"] == inbox()[0]["Subject"]


def refuse() -> dict[str, Any]:
    """Answer as EventBridge does to somebody who may not."""
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutEvents")


@pytest.mark.parametrize(
    "answer",
    [refuse, lambda: {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": HOSTILE}]}],
    ids=["refused", "not taken"],
)
def test_given_a_bus_that_fails_then_the_export_stands_and_the_log_says_so(store, context, bus, log_lines, answer):
    lines = log_lines(aggregate_results.logger)
    bus.answer = answer
    deliver_all(store)
    assert aggregate_results.handler(raw_event(), context)["status"] == "COMPLETE"
    [line] = [line for line in lines() if line["message"] == "verdict not announced"]
    assert "CANARY" not in line["detail"]


def test_the_roles_may_put_these_events_and_no_others():
    for role in ("AggregateResultsRole", "ReportFailureRole"):
        statement = identity_statements()[f"{role}-TellTheVerdict"]
        assert statement["Condition"] == {"StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPE}}
