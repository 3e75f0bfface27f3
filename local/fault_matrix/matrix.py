"""The fault matrix: a pytest plugin that collects a row from every scenario, prints them, and writes them down."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local.console import Progress
from local.fault_matrix.outcome import Outcome

PROPERTY = "scenario"
WIDTH = 200
GOOD, BAD, KNOWN = "good", "BAD", "known defect"
COLUMNS = ("where", "fault", "what happened", "alert", "state of S3", "verdict")


@dataclass(frozen=True)
class Row:
    """One scenario, in the words of the matrix."""

    where: str
    fault: str
    happened: str
    alert: str
    s3: str
    messages: Sequence[str]
    """of the alerts"""


def row(where: str, fault: str, seen: Outcome | None) -> dict[str, Any]:
    """Return a scenario's row as plain values, which travel from one pytest process to another.

    Args:
        seen: None when the scenario ended before it could be judged.
    """
    if seen is None:
        return asdict(Row(where, fault, "did not come to its end", "", "", ()))
    messages = [alert["message"] for alert in seen.alerts]
    return asdict(Row(where, fault, _happened(seen), _alert(seen), _s3(seen), messages))


def _happened(seen: Outcome) -> str:
    groups: dict[str, list[str]] = {}
    for run in seen.glue_runs:
        groups.setdefault(str(run["group"]), []).append(str(run["state"]))
    runs = "; ".join(f"{group} {' then '.join(states)}" for group, states in groups.items()) or "no Glue run"
    return f"{seen.status} ({seen.execution.get('error') or seen.summary_status}); {runs}"


def _alert(seen: Outcome) -> str:
    return " | ".join(alert["subject"] or alert["message"].splitlines()[0][:100] for alert in seen.alerts) or "none"


def _s3(seen: Outcome) -> str:
    files = f"summary {seen.summary_status}"
    if seen.summary:
        files += f" with {seen.summary['total_tables']} tables, {len(seen.differences) or 'none'} differing"
    moved = "names this export" if seen.latest != seen.latest_before else "unchanged"
    return f"{files}; latest.json {moved}; {'; '.join(seen.leftovers.all) or 'nothing left over'}"


class Matrix:
    """Collects the rows of a session. A session without a row fails."""

    def __init__(self, result: Path) -> None:
        self._result = result
        self._verdicts: dict[str, tuple[str, str]] = {}
        self._seconds: dict[str, float] = {}
        self._scenarios: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the verdict of each phase, and the row that comes with the last one."""
        if report.when == "call" or report.failed:
            self._verdicts.setdefault(report.nodeid, _verdict(report))
            self._seconds.setdefault(report.nodeid, round(report.duration, 1))
        found = dict(report.user_properties).get(PROPERTY)
        if report.when == "teardown" and isinstance(found, dict):
            verdict, reason = self._verdicts[report.nodeid]
            judged = {"verdict": verdict, "reason": reason, "seconds": self._seconds[report.nodeid]}
            self._scenarios.append({**found, **judged, "test": report.nodeid})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail when there is nothing to show, and write down what there is."""
        if not self._scenarios and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        verdicts = [each["verdict"] for each in self._scenarios]
        counts = {verdict: verdicts.count(verdict) for verdict in (GOOD, BAD, KNOWN)}
        document = {"finished_at": datetime.now(UTC).isoformat(timespec="seconds"), "verdicts": counts}
        self._result.parent.mkdir(parents=True, exist_ok=True)
        self._result.write_text(json.dumps({**document, "scenarios": self._scenarios}, indent=2) + "\n")

    def pytest_terminal_summary(self) -> None:
        """Print the matrix."""
        rows = [
            (each["where"], each["fault"], each["happened"], each["alert"], each["s3"], _shown(each))
            for each in self._scenarios
        ]
        progress = Progress(Console(highlight=False, width=max(WIDTH, Console().width)))
        progress.table("Fault matrix", COLUMNS, rows)
        good = sum(each["verdict"] == GOOD for each in self._scenarios)
        progress.say(f"[bold]{good} of {len(rows)} scenarios ended as they must.[/] {self._result}")


def _verdict(report: pytest.TestReport) -> tuple[str, str]:
    if hasattr(report, "wasxfail"):
        return KNOWN, report.wasxfail
    if report.passed:
        return GOOD, ""
    lines = str(report.longrepr).splitlines()
    raised = [line[1:].strip() for line in lines if line.startswith("E ")]
    return BAD, " ".join(raised[:3]) or "see the report above"


def _shown(scenario: dict[str, Any]) -> str:
    return scenario["verdict"] + (f": {scenario['reason'][:300]}" if scenario["reason"] else "")
