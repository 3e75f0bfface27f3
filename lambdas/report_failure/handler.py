"""Entry point of the function Report Failure."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_contracts.verdict import Verdict, announce
from export_runtime import clients
from export_runtime.aws import aws_call
from export_runtime.executions import Executions
from export_runtime.observability import observed, publish
from export_runtime.store import ObjectStore

from report_failure.alert import write_alert
from report_failure.drill_alert import write_drill_alert
from report_failure.event import FailedExecution, parse_event
from report_failure.glue_runs import GlueRuns
from report_failure.objects import ExportObjects
from report_failure.report import Report, tidy_up
from report_failure.restore_alert import how_far, write_restore_alert
from report_failure.settings import Settings, read_settings

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics()


@observed(logger, tracer, lambda event: parse_event(event).export_id)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tidy up after a failed execution and publish one alert; invoked by EventBridge, asynchronously.

    Raises:
        AwsCallError, AwsUnavailableError: the alert could not be published; Lambda tries again, then keeps the event.
        InvalidEventError, ConfigurationError: likewise.
    """
    execution = parse_event(event)
    settings = read_settings(os.environ)
    if execution.is_restore or execution.is_drill:  # Step Functions stops its Glue run, and what it did ends with that
        alert = _alert_of_restore(execution, settings)
        _publish(settings, alert)
        return {"subject": alert["subject"]}
    runs = GlueRuns(clients.glue(), settings.glue_job)
    objects = ExportObjects(clients.s3(), settings.layout)
    report = tidy_up(execution, Executions(clients.step_functions()), runs, objects)
    for each in report.problems:
        logger.error("not tidied up", detail=each)
    alert = write_alert(execution, report, settings, datetime.now(UTC))
    _publish(settings, alert)
    problem = announce(clients.event_bus(), _verdict(execution, report, settings, alert))
    if problem:
        logger.error("verdict not announced", detail=problem)
    logger.info("alerted", subject=alert["subject"], runs_stopped=len(report.runs.stopped), uploads=report.uploads)
    publish(metrics, settings.layout.environment, {"ExecutionsFailed": 1})
    return {"subject": alert["subject"]}


def _alert_of_restore(execution: FailedExecution, settings: Settings) -> dict[str, str]:
    layout, store = settings.layout, ObjectStore(clients.s3(), settings.layout.bucket)
    if execution.is_drill:
        return write_drill_alert(execution, layout, store)
    return write_restore_alert(execution, layout, how_far(execution, layout, store))


def _publish(settings: Settings, alert: dict[str, str]) -> None:
    with aws_call(
        f"publish the alert to {settings.topic_arn}", "Check topic policy, key policy and the function's role."
    ):
        clients.sns().publish(TopicArn=settings.topic_arn, Subject=alert["subject"], Message=alert["message"])


def _verdict(execution: FailedExecution, report: Report, settings: Settings, alert: dict[str, str]) -> Verdict:
    remains = report.remains
    summary = remains.summary if remains else None
    return Verdict(
        environment=settings.layout.environment,
        export_id=execution.export_id,
        execution_arn=execution.arn,
        verdict=execution.status,
        is_final=not report.is_redriven,
        recovered=False,
        error=execution.error,
        summary=summary,
        summary_uri=remains.summary_uri if remains and summary else None,
        last_complete=remains.latest_export_id if remains else None,
        alert=alert,
    )
