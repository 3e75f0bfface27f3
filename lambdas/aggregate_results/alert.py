"""What people are told, written for somebody who reads it in a mail at night."""

from collections.abc import Sequence
from datetime import datetime

from export_contracts.coverage import coverage_of
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.layout import report_key
from export_contracts.manifest import PER_GROUP
from export_contracts.summary import FULL, Summary
from export_contracts.wording import LastComplete, named, what_is_missing
from export_runtime.console import execution_url, object_url
from export_runtime.figures import count, counted
from export_runtime.notice import command, notice, place, subject, two_ways
from export_runtime.text import one_line

_KEY_NOT_KEPT = (
    "WHAT IT LACKS",
    "The stack's parameter KeepFernetKey is true, and the key of this export's connections and variables is not kept:",
    "when the environment is gone, so are they.",
    "",
)
_ERRORS_SHOWN = 12
_FALLS_SHOWN = 40


def write_alert(
    summary: Summary,
    summary_uri: str,
    is_retry: bool,
    last: LastComplete,
    now: datetime,
    catalog_problems: Sequence[str] = (),
    lacks_fernet_key: bool = False,
) -> dict[str, str]:
    """Return subject and message for a summary.

    Args:
        summary: as ``build_summary`` returns it. Text in it that others wrote stays within its line.
        summary_uri: where the summary is.
        is_retry: whether the failed groups have been tried a second time. An INCOMPLETE retry fails the execution, and
            people are told of that instead.
        last: the newest complete export before this one.
        now: UTC.
        catalog_problems: what the Glue Data Catalog lacks of a COMPLETE export.
        lacks_fernet_key: whether the key of what a COMPLETE export holds encrypted is not kept, though it shall be.
    """
    if summary.complete:
        return _complete(summary, summary_uri, is_retry, catalog_problems, lacks_fernet_key)
    return _incomplete(summary, summary_uri, last, now)


def _complete(
    summary: Summary, summary_uri: str, is_retry: bool, catalog_problems: Sequence[str], lacks_fernet_key: bool
) -> dict[str, str]:
    verdict = "has recovered: COMPLETE after a retry" if is_retry else "is COMPLETE"
    fallen = summary.row_falls
    but = f", but {counted(len(fallen), 'table')} lost many rows since the previous one" if fallen else ""
    lines = [
        f"The {_kind(summary)} of MWAA environment {summary.environment} {verdict}{but}.",
        place(summary.execution_arn),
        *_scope(summary),
        "",
        *_row_falls(summary),
        *_not_in_athena(summary, catalog_problems),
        *(_KEY_NOT_KEPT if lacks_fernet_key else ()),
        *_warnings(summary),
        *_what_to_do(summary, catalog_problems, lacks_fernet_key),
        "",
        *_facts(summary, summary_uri),
    ]
    about = f"{'recovered' if is_retry else 'complete'}{' (partial export)' if _is_partial(summary) else ''}"
    return notice(subject(summary.environment, about, _figures(summary, catalog_problems, lacks_fernet_key)), lines)


def _not_in_athena(summary: Summary, problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    more = len(problems) - _ERRORS_SHOWN
    return [
        "WHAT ATHENA DOES NOT SHOW OF IT",
        *(f"- {one_line(problem, 500)}" for problem in problems[:_ERRORS_SHOWN]),
        *([f"and {more} more: see the log of Aggregate Results"] if more > 0 else []),
        "",
    ]


def _what_to_do(summary: Summary, catalog_problems: Sequence[str], lacks_fernet_key: bool) -> list[str]:
    if summary.row_falls:
        return _check_the_database()
    if lacks_fernet_key:
        return [
            "WHAT TO DO",
            "The backup itself is whole; only what is encrypted in it needs the key. The log of the DAG's task",
            "publish_credentials says why it keeps none: correct that, then trigger the DAG. To have it looked at:",
            command("doctor", summary.environment, summary.execution_arn),
        ]
    if catalog_problems:
        return [
            "WHAT TO DO",
            "The backup itself is whole. Correct what is said above; the next export tries again.",
            "To see this one too, run in Athena for each of these tables:",
            f"ALTER TABLE <name> ADD PARTITION (export_id = '{summary.export_id}')",
        ]
    return ["WHAT TO DO", "Nothing."]


def _figures(summary: Summary, catalog_problems: Sequence[str], lacks_fernet_key: bool) -> str:
    if lacks_fernet_key and not summary.row_falls:
        return "but the Fernet key of its passwords is not kept"
    if catalog_problems and not summary.row_falls:
        return "not all of it can be queried in Athena"
    fallen = summary.row_falls
    if not fallen:
        return f"{counted(len(summary.details), 'table')}, {counted(summary.total_rows, 'row')}"
    worst = f"{one_line(fallen[0].table, 40)} lost {fallen[0].percent:g} % of its rows"
    return f"{worst}, {counted(len(fallen) - 1, 'more table')} fell" if len(fallen) > 1 else worst


def _incomplete(summary: Summary, summary_uri: str, last: LastComplete, now: datetime) -> dict[str, str]:
    failed = summary.failed_groups
    names = named(group.group for group in failed)
    what = "1 table group failed" if len(failed) == 1 else f"{len(failed)} table groups failed"
    lines = [
        f"The {_kind(summary)} of MWAA environment {summary.environment} is INCOMPLETE: {what} ({names}).",
        place(summary.execution_arn),
        *_scope(summary),
        "",
        "CAN IT WAIT",
        "Yes. What failed is being tried once more, now. When that has ended you get a second message: that the export",
        "has recovered, or that it failed and what to do.",
        "",
        "WHAT FAILED, AND WHY",
        *(line for group in failed for line in _failed_group(group, summary.exported_of(group.group))),
        "",
        *_warnings(summary),
        "WHAT TO DO",
        "Nothing until that second message.",
        *(["", *two_ways()] if any(group.failed_tables for group in failed) else []),
        "",
        *_facts(summary, summary_uri),
    ]
    verdict = f"INCOMPLETE{' (partial)' if _is_partial(summary) else ''}, retrying"
    return notice(subject(summary.environment, verdict, what_is_missing(summary), last.words(now)), lines)


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
    missing = f": missing {counted(len(group.tables), 'table')} ({named(group.tables)})" if group.tables else ""
    failed = list(group.failed_tables.items())
    more = len(failed) - _ERRORS_SHOWN
    return [
        f"- {group.group}{missing}",
        f"  Error: {one_line(group.error, 2000)}",
        *(f"  {one_line(name, 80)}: {one_line(error, 500)}" for name, error in failed[:_ERRORS_SHOWN]),
        *([f"  and {more} more: see the summary"] if more > 0 else []),
        *([f"  Exported and verified all the same: {counted(delivered, 'table')} of this group"] if delivered else []),
        log,
    ]


def _row_falls(summary: Summary) -> list[str]:
    fallen = summary.row_falls
    if not fallen:
        return []
    more = len(fallen) - _FALLS_SHOWN
    return [
        "WHAT FELL",
        *map(_fall, fallen[:_FALLS_SHOWN]),
        *([f"- and {more} more: see row_falls in the summary"] if more > 0 else []),
        f"Previous summary: {summary.compared_with}",
        "",
    ]


def _fall(fall: RowFall) -> str:
    rows = f"{count(fall.previous_rows)} -> {count(fall.rows)} rows"
    return f"- {one_line(fall.table, 80)}: {rows} (-{fall.percent:g} %)"


def _check_the_database() -> list[str]:
    return [
        "CAN IT WAIT",
        "Yes, until the previous export expires (ExpireAfterDays, a year unless you changed it). It has the rows.",
        "",
        "WHAT TO DO",
        "Find out whether somebody meant it: `airflow db clean`, a DAG that was deleted or paused. If nobody did, the",
        "database has lost data: keep the previous export (mwaa-metadata-export keep) and compare the two",
        "(mwaa-metadata-export diff). If such falls are usual here, deploy the stack with a higher RowFallPercent.",
    ]


def _warnings(summary: Summary) -> list[str]:
    warnings = []
    if summary.uncatalogued_tables:
        names = named(summary.uncatalogued_tables)
        warnings.append(f"- Tables that this version does not know were exported too: {names}")
    if summary.orphans:
        warnings.append(
            f"- Rows of {named(summary.orphans)} refer to rows that do not exist (see orphans in the summary), so "
            "they do not load into a database with Airflow's constraints"
        )
    if summary.unread_evidence:
        warnings.append(
            f"- {named(summary.unread_evidence)} could not be read: an older run that only these tell of is missing"
        )
    if summary.consistency == PER_GROUP and summary.details:
        warnings.append("- Not all tables show the same snapshot: rows of one may refer to rows that another lacks")
    return ["WORTH KNOWING", *warnings, ""] if warnings else []


def _facts(summary: Summary, summary_uri: str) -> list[str]:
    arn = summary.execution_arn
    bucket, _, key = summary_uri.removeprefix("s3://").partition("/")
    return [
        f"Delivered: {counted(len(summary.details), 'table')}, {counted(summary.total_rows, 'row')}",
        f"Export: {summary.export_id} (trigger {summary.trigger})",
        f"Summary: {summary_uri}",
        f"Report: {object_url(arn, bucket, report_key(key))}",
        f"On your terminal: {command(f'show {summary.export_id}', summary.environment, arn)}",
        f"Execution: {execution_url(arn)}",
    ]
