"""What people are told of a restore that ended without success."""

from export_contracts.layout import Layout
from export_runtime.cause import read_cause
from export_runtime.notice import notice, place, subject
from export_runtime.text import one_line

from report_failure.event import ABORTED, TIMED_OUT, FailedExecution

_CAUSE_LIMIT = 6000
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}


def write_restore_alert(execution: FailedExecution, layout: Layout) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        layout: of the environment that was to be overwritten.
    """
    environment, report = layout.environment, layout.restore_key(execution.export_id, "report")
    cause = read_cause("", execution.cause, _CAUSE_LIMIT)
    error = one_line(execution.error, 200)
    lines = [
        f"The restore into MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}.",
        place(execution.arn),
        "",
        "WHAT THE DATABASE IS NOW",
        "A restore is one transaction, and nothing is committed that was not read back and compared. So the database",
        "is as it was, unless the reason below says otherwise; Airflow went on meanwhile. One that had been committed",
        f"before this happened has left its report: s3://{layout.bucket}/{report}",
        "",
        "WHY",
        f"{error}: {cause.text}" if error else cause.text or "Nothing was said.",
        "",
        "WHAT TO DO",
        "Correct the cause and redrive the execution in the Step Functions console: it goes on with the state that",
        "failed. Whether it succeeded in the end another mail says.",
    ]
    return notice(subject(environment, "restore FAILED", error), lines)
