"""What the state machine passes (docs/contracts/README.md, "State machine to Lambda")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.fields import DocumentError, Fields, list_of, one_of, or_null, text, truth
from export_contracts.plan import Export, TableGroup
from export_runtime.errors import InvalidEventError

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
    fernet_key_version: str | None
    is_retry: bool
    is_redriven: bool
    results: Mapping[str, GroupResult]


def parse_event(event: Mapping[str, Any]) -> Event:
    """Return what the state machine passed.

    Raises:
        InvalidEventError: it is not the contract.
    """
    try:
        fields = Fields(event)
        connection = fields.required("connection", Fields)
        results = fields.required("results", list_of(_result))
        return Event(
            export=fields.required("export", Export.from_json),
            groups=fields.required("groups", list_of(TableGroup.from_json)),
            database_name=connection.required("database_name", text),
            airflow_version=connection.optional("airflow_version", or_null(text), None),
            fernet_key_version=connection.optional("fernet_key_version", or_null(text), None),
            is_retry=fields.required("attempt", one_of(FIRST, RETRY)) == RETRY,
            is_redriven=fields.optional("redriven", truth, False),
            results={result.group: result for result in results},
        )
    except DocumentError as error:
        raise InvalidEventError(f"Aggregate Results got something other than its contract: {error}.") from error


def _result(content: object, where: str) -> GroupResult:
    fields = Fields(content, where)
    return GroupResult(
        group=fields.required("group", text),
        succeeded=fields.required("status", one_of("SUCCEEDED", "FAILED")) == "SUCCEEDED",
        job_run_id=fields.optional("job_run_id", or_null(text), None),
        error=fields.optional("error", _foreign, ""),
        cause=fields.optional("cause", _foreign, ""),
    )


def _foreign(value: object, where: str) -> str:
    """Take whatever it is: people must hear of a failure, in whatever form it was reported."""
    return str(value or "")
