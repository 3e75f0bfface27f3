"""Did an execution end as it must? Every function returns what is wrong, in words; nothing is good news."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from export_contracts.summary import COMPLETE

from local.fault_matrix.faulted_stack import OWN_TABLES
from local.fault_matrix.outcome import Outcome
from local.pipeline import ENVIRONMENT

NEXT_ACTION = "what to do"
YIELDED = ("Plan Export", "Is Export Due?", "Already Exported")
Alerts = Sequence[Mapping[str, str]]


def of_complete(outcome: Outcome, tables: Sequence[str]) -> list[str]:
    """Judge an export that nobody had to hear of.

    Args:
        tables: what was asked for.
    """
    problems = [f"alert though all is well: {alert['subject']}" for alert in outcome.alerts]
    return [*_is_complete(outcome, tables), *problems, *_always(outcome)]


def of_recovered(outcome: Outcome, tables: Sequence[str], naming: Sequence[str]) -> list[str]:
    """Judge an export that failed, was reported, tried again, and is complete.

    Args:
        tables: what was asked for.
        naming: what the alert must say.
    """
    notices = [alert for alert in outcome.alerts if "recovered" in alert["subject"]]
    failures = [alert for alert in outcome.alerts if alert not in notices]
    problems = [] if len(notices) == 1 else [f"{len(notices)} notices of recovery instead of one"]
    problems += _alert_problems(failures, naming)
    return [*_is_complete(outcome, tables), *problems, *_always(outcome)]


def of_noticed(outcome: Outcome, tables: Sequence[str], notices: int) -> list[str]:
    """Judge an export that is complete after a redrive, or whose failure alert was refused: only good news is told.

    Args:
        tables: what was asked for.
        notices: how many notices of recovery there must be.
    """
    subjects = [alert["subject"] for alert in outcome.alerts]
    good = [subject for subject in subjects if "recovered" in subject]
    problems = [] if len(good) == notices else [f"{len(good)} notices of recovery instead of {notices}"]
    problems += [f"alert though all is well: {subject}" for subject in subjects if subject not in good]
    return [*_is_complete(outcome, tables), *problems, *_always(outcome)]


def of_yielded(outcome: Outcome, winner: str) -> list[str]:
    """Judge an execution that had nothing to do.

    Args:
        winner: the execution or the summary that made it superfluous.
    """
    output = json.loads(outcome.execution.get("output") or "{}")
    said = (outcome.status, output.get("status"), output.get("winner"))
    word = "BUSY" if winner.startswith("arn:") else "ALREADY_EXPORTED"
    problems = [] if said == ("SUCCEEDED", word, winner) else [f"it says {said}, not who won: {winner}"]
    problems += [] if tuple(outcome.states) == YIELDED else [f"it went through {', '.join(outcome.states)}"]
    problems += ["it wrote a summary"] if outcome.summary else []
    return [*problems, *(f"alert though all is well: {alert['subject']}" for alert in outcome.alerts)]


def of_unheard(outcome: Outcome, kept: Sequence[str]) -> list[str]:
    """Judge an execution that failed and whose alert nobody could be sent.

    Args:
        kept: bodies of the messages in the dead-letter queue.
    """
    arn = outcome.execution["executionArn"]
    problems = [] if outcome.status == "FAILED" else [f"the execution is {outcome.status}, not FAILED"]
    problems += [] if any(arn in body for body in kept) else ["its event is not in the dead-letter queue"]
    problems += [f"an alert came through: {alert['subject']}" for alert in outcome.alerts]
    moved = outcome.latest != outcome.latest_before
    problems += ["latest.json names an export without a COMPLETE summary"] * (
        moved and outcome.summary_status != COMPLETE
    )
    return [*problems, *_always(outcome)]


def of_failed(outcome: Outcome, naming: Sequence[str], status: str = "FAILED") -> list[str]:
    """Judge an execution that could not export.

    Args:
        naming: what an alert must say: what failed, and why.
        status: of the execution.
    """
    problems = [] if outcome.status == status else [f"the execution is {outcome.status}, not {status}"]
    if outcome.summary_status == COMPLETE:
        problems.append("there is a COMPLETE summary")
    if outcome.latest != outcome.latest_before:
        problems.append(f"latest.json has moved to {outcome.latest}")
    problems += _alert_problems(outcome.alerts, naming)
    problems += [] if is_end_told(outcome.alerts, status) else [f"no alert says that the execution is {status}"]
    return [*problems, *_always(outcome)]


def of_failed_after_export(outcome: Outcome, tables: Sequence[str], naming: Sequence[str]) -> list[str]:
    """Judge an execution that failed when its export was there and verified: the alert says both.

    Args:
        tables: what was asked for.
        naming: what the alert must say besides.
    """
    problems = [] if outcome.status == "FAILED" else [f"the execution is {outcome.status}, not FAILED"]
    if outcome.summary is None or outcome.summary_status != COMPLETE:
        return [*problems, f"the summary is {outcome.summary_status}, not COMPLETE", *_always(outcome)]
    problems += _missing(outcome.summary, tables)
    problems += _alert_problems(outcome.alerts, (*naming, "The export itself is COMPLETE"))
    return [*problems, *_always(outcome)]


def is_end_told(alerts: Alerts, status: str) -> bool:
    """Say whether an alert tells of the execution's end, and what to do."""
    end = re.compile(rf"\b{ENVIRONMENT} (ended as |was )?{status}\b")
    return any(end.search(alert["message"]) and not _unsaid(alert, ()) for alert in alerts)


def is_said(alerts: Alerts, naming: Sequence[str]) -> bool:
    """Say whether one alert says everything, and what to do."""
    return any(not _unsaid(alert, naming) for alert in alerts)


def _is_complete(outcome: Outcome, tables: Sequence[str]) -> list[str]:
    if outcome.summary is None or (outcome.status, outcome.summary_status) != ("SUCCEEDED", COMPLETE):
        cause = outcome.execution.get("cause", "")
        return [f"the execution is {outcome.status}, its summary {outcome.summary_status}: {cause}"]
    summary, problems = outcome.summary, _missing(outcome.summary, tables)
    scope = "full" if not tables or set(OWN_TABLES) <= set(tables) else "partial"
    if summary["scope"] != scope:
        problems.append(f"its scope is {summary['scope']}, not {scope}")
    latest = max(outcome.summary_key, outcome.latest_before or "") if scope == "full" else outcome.latest_before
    if outcome.latest != latest:
        problems.append(f"latest.json names {outcome.latest}")
    return problems


def _missing(summary: Mapping[str, Any], tables: Sequence[str]) -> list[str]:
    missing = sorted(set(tables) - summary["tables"].keys() - summary["skipped_tables"].keys())
    problems = [f"silently missing: {', '.join(missing)}"] if missing else []
    return problems if summary["total_rows"] else [*problems, "no row was exported, so nothing was proven"]


def _alert_problems(alerts: Alerts, naming: Sequence[str]) -> list[str]:
    if not alerts:
        return ["no alert was delivered"]
    if is_said(alerts, naming):
        return []
    unsaid = min((_unsaid(alert, naming) for alert in alerts), key=len)
    return [f"no alert says {' and '.join(map(repr, unsaid))}"]


def _unsaid(alert: Mapping[str, str], naming: Sequence[str]) -> list[str]:
    text = f"{alert['subject']}\n{alert['message']}".lower()
    return [words for words in (*naming, NEXT_ACTION) if words.lower() not in text]


def _always(outcome: Outcome) -> list[str]:
    return [*(f"not what the database holds: {each}" for each in outcome.differences), *outcome.leftovers.all]
