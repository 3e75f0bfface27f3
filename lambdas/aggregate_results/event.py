"""What the state machine passes (docs/contracts/README.md, "State machine to Lambda")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.plan import Export, TableGroup
from export_runtime.errors import InvalidEventError
from export_runtime.text import shown

FIRST = "first"
RETRY = "retry"


@dataclass(frozen=True)
class GroupResult:
    """How the Glue run of a group ended. ``error`` and ``cause`` are foreign text."""

    group: str
    succeeded: bool
    job_run_id: str | None
    error: str
    cause: str


@dataclass(frozen=True)
class Event:
    """An attempt to export, ended. ``is_redriven``: a redrive repeats the aggregation alone, no group has run since."""

    export: Export
    groups: tuple[TableGroup, ...]
    database_name: str
    airflow_version: str | None
    is_retry: bool
    is_redriven: bool
    results: Mapping[str, GroupResult]


def parse_event(event: Mapping[str, Any]) -> Event:
    """Return what the state machine passed.

    Raises:
        InvalidEventError: it is not the contract.
    """
    try:
        results = [_result(result) for result in event["results"]]
        if event["attempt"] not in (FIRST, RETRY):
            raise InvalidEventError(f"attempt is {shown(event['attempt'])}; allowed are {FIRST} and {RETRY}.")
        return Event(
            export=Export.from_json(event["export"]),
            groups=tuple(TableGroup.from_json(group) for group in event["groups"]),
            database_name=event["connection"]["database_name"],
            airflow_version=event["connection"].get("airflow_version"),
            is_retry=event["attempt"] == RETRY,
            is_redriven=event.get("redriven", False) is True,
            results={result.group: result for result in results},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidEventError(f"Aggregate Results got something else than its contract ({error!r}).") from error


def _result(data: Mapping[str, Any]) -> GroupResult:
    return GroupResult(
        group=data["group"],
        succeeded=data["status"] == "SUCCEEDED",
        job_run_id=data.get("job_run_id"),
        error=str(data.get("error") or ""),
        cause=str(data.get("cause") or ""),
    )
