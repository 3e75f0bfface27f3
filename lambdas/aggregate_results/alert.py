"""What people are told, written for somebody who reads it in a mail at night."""

from collections.abc import Iterable

from export_contracts.coverage import coverage_of
from export_contracts.findings import FailedGroup
from export_contracts.manifest import PER_GROUP
from export_contracts.summary import FULL, Summary
from export_runtime.console import execution_url
from export_runtime.notice import notice, two_ways
from export_runtime.text import one_line

_NAMES_SHOWN = 12
_FALLS_SHOWN = 40


def write_alert(summary: Summary, summary_uri: str, is_retry: bool) -> dict[str, str]:
    """Return subject and message for a summary.

    Args:
        summary: as ``build_summary`` returns it. Text in it that others wrote stays within its line.
        summary_uri: where the summary is.
        is_retry: whether the failed groups have been tried a second time. An INCOMPLETE retry fails the execution, and
            people are told of that instead.
    """
    if summary.complete:
        return _complete(summary, summary_uri, is_retry)
    return _incomplete(summary, summary_uri)


def _complete(summary: Summary, summary_uri: str, is_retry: bool) -> dict[str, str]:
    verdict = "has recovered: COMPLETE after a retry" if is_retry else "is COMPLETE"
    fallen = summary.row_falls
    but = f", but {_tables(len(fallen))} lost many rows since the previous one" if fallen else ""
    lines = [
        f"The {_kind(summary)} of MWAA environment {summary.environment} {verdict}{but}.",
        *_scope(summary),
        "",
        *_row_falls(summary),
        *_warnings(summary),
        "WHAT TO DO",
        *(_check_the_database() if fallen else ["Nothing."]),
        "",
        *_facts(summary, summary_uri),
    ]
    about = f"{'recovered' if is_retry else 'complete'}{' (partial export)' if _is_partial(summary) else ''}"
    return notice(f"MWAA export {summary.environment} {about}{': rows fell' if fallen else ''}", lines)


def _incomplete(summary: Summary, summary_uri: str) -> dict[str, str]:
    failed = summary.failed_groups
    names = ", ".join(group.group for group in failed)
    lines = [
        f"The {_kind(summary)} of MWAA environment {summary.environment} is INCOMPLETE: {_count(failed)} ({names}).",
        *_scope(summary),
        "",
        "WHAT FAILED, AND WHY",
        *(line for group in failed for line in _failed_group(group, summary.exported_of(group.group))),
        "",
        *_warnings(summary),
        *_what_now(any(group.failed_tables for group in failed)),
        "",
        *_facts(summary, summary_uri),
    ]
    return notice(f"MWAA export {summary.environment} INCOMPLETE: {names} failed", lines)


def _is_partial(summary: Summary) -> bool:
    return summary.scope != FULL


def _kind(summary: Summary) -> str:
    return "PARTIAL metadata export" if _is_partial(summary) else "metadata export"


def _scope(summary: Summary) -> list[str]:
    if not _is_partial(summary):
        return []
    return [
        f"It was asked for less than the stack's own parameters ask for: {coverage_of(summary)}.",
        "So it is no backup of the environment, and neither latest.json nor alarm and schedule count it.",
    ]


def _failed_group(group: FailedGroup, delivered: int) -> list[str]:
    log = f"  Log: {group.log_url}" if group.log_url else "  Log: none, its Glue run did not start or is not known"
    missing = f": missing {_tables(len(group.tables))} ({_names(group.tables)})" if group.tables else ""
    failed = list(group.failed_tables.items())
    return [
        f"- {group.group}{missing}",
        f"  Error: {one_line(group.error, 2000)}",
        *(f"  {one_line(name, 80)}: {one_line(error, 500)}" for name, error in failed[:_NAMES_SHOWN]),
        *([f"  and {len(failed) - _NAMES_SHOWN} more: see the summary"] if len(failed) > _NAMES_SHOWN else []),
        *([f"  Exported and verified all the same: {_tables(delivered)} of this group"] if delivered else []),
        log,
    ]


def _count(failed: tuple[FailedGroup, ...]) -> str:
    return "1 table group failed" if len(failed) == 1 else f"{len(failed)} table groups failed"


def _what_now(has_bad_tables: bool) -> list[str]:
    return [
        "WHAT HAPPENS NEXT",
        "The failed groups run once more, now, for what is missing. When they succeed you get a recovery notice.",
        "When they do not, the execution fails and you get another alert.",
        "",
        "WHAT TO DO",
        "Nothing until then. If the execution fails: read the log, correct the cause, open the execution and choose",
        "Redrive. It exports exactly what is missing (up to 14 days later).",
        *(["", *two_ways()] if has_bad_tables else []),
    ]


def _row_falls(summary: Summary) -> list[str]:
    fallen = summary.row_falls
    if not fallen:
        return []
    return [
        "WHAT FELL",
        *(
            f"- {one_line(fall.table, 80)}: {fall.previous_rows} -> {fall.rows} rows (-{fall.percent} %)"
            for fall in fallen[:_FALLS_SHOWN]
        ),
        *(
            [f"- and {len(fallen) - _FALLS_SHOWN} more: see row_falls in the summary"]
            if len(fallen) > _FALLS_SHOWN
            else []
        ),
        f"Previous summary: {summary.compared_with}",
        "",
    ]


def _check_the_database() -> list[str]:
    return [
        "Check whether somebody meant it: `airflow db clean`, a DAG deleted or paused, another Airflow version.",
        "If nobody did, the database has lost data: keep the previous export (copy it away before it expires), and",
        "compare the two. If such falls are usual here, deploy the stack with a higher RowFallPercent.",
    ]


def _tables(number: int) -> str:
    return "1 table" if number == 1 else f"{number} tables"


def _warnings(summary: Summary) -> list[str]:
    warnings = []
    if summary.uncatalogued_tables:
        names = _names(summary.uncatalogued_tables)
        warnings.append(f"- Tables that this version does not know were exported too: {names}")
    if summary.orphans:
        warnings.append(
            f"- Rows of {_names(summary.orphans)} refer to rows that do not exist (see orphans in the summary), so "
            "they do not load into a database with Airflow's constraints"
        )
    if summary.unread_evidence:
        warnings.append(
            f"- {_names(summary.unread_evidence)} could not be read: an older run that only these tell of is missing"
        )
    if summary.consistency == PER_GROUP and summary.details:
        warnings.append("- Not all tables show the same snapshot: rows of one may refer to rows that another lacks")
    return ["WORTH KNOWING", *warnings, ""] if warnings else []


def _facts(summary: Summary, summary_uri: str) -> list[str]:
    return [
        f"Delivered: {len(summary.details)} tables, {summary.total_rows} rows",
        f"Export: {summary.export_id} (trigger {summary.trigger})",
        f"Summary: {summary_uri}",
        f"Report: mwaa-metadata-export show {summary.export_id} -e {summary.environment} --open",
        f"Execution: {execution_url(summary.execution_arn)}",
    ]


def _names(names: Iterable[str]) -> str:
    listed = [one_line(name, 80) for name in names]
    rest = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + rest
