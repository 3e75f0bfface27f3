"""Logs, traces and metrics, the same in all functions.

Service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE, which the template sets.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from export_runtime.errors import ExportError

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]
ExportIdOf = Callable[[dict[str, Any]], str]
"""finds the export id in an event, and may raise what it likes when there is none"""

# AWS documented: a metric's time is at most two weeks ago. No alarm of the stack looks back for more than one.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#about_timestamp
OLDEST = timedelta(days=13)
UNITS = {
    "Rows": MetricUnit.Count,
    "Bytes": MetricUnit.Bytes,
    "Seconds": MetricUnit.Seconds,
    "GroupSeconds": MetricUnit.Seconds,
    "BilledSeconds": MetricUnit.Seconds,
    "LargestRowFallPercent": MetricUnit.Percent,
}


def observed(logger: Logger, tracer: Tracer, export_id_of: ExportIdOf | None = None) -> Callable[[Handler], Handler]:
    """Return a decorator for a handler: request id in the logs, one trace, and a log line for every failure.

    Args:
        logger: of the function.
        tracer: of the function.
        export_id_of: puts the export id into every line from the first one on, also when the event is refused.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def logged(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            if export_id_of is not None:
                # What is wrong with the event is for the handler to say.
                with suppress(Exception):
                    identify(logger, tracer, export_id_of(event))
            try:
                return handler(event, context)
            except ExportError as error:
                # Its message says it all; the trace of an expected error would only hide it.
                logger.error("failed", error=type(error).__name__, detail=str(error))  # noqa: TRY400
                raise
            except Exception:
                logger.exception("failed unexpectedly")
                raise

        traced = tracer.capture_lambda_handler(logged, capture_response=False)
        decorated: Handler = logger.inject_lambda_context(traced, clear_state=True)
        return decorated

    return decorate


def identify(logger: Logger, tracer: Tracer, export_id: str) -> None:
    """Put the export id into every further log line and into the trace."""
    logger.append_keys(export_id=export_id)
    tracer.put_annotation("export_id", export_id)


def publish(
    metrics: Metrics,
    environment: str,
    values: Mapping[str, float],
    *,
    group: str | None = None,
    moment: datetime | None = None,
) -> None:
    """Write metrics of an MWAA environment to the log in CloudWatch's embedded format.

    Args:
        metrics: of this function.
        environment: MWAA environment name; with the service the only dimension, unless there is a group.
        values: metric name -> value; names without an entry in ``UNITS`` are counts.
        group: table group that the values are of.
        moment: when they were so, UTC; None: now. One before ``OLDEST`` or in the future is moved to that end.
    """
    now = datetime.now(UTC)
    # Every time: Powertools keeps a timestamp that was set for all that follows in a process.
    metrics.set_timestamp(min(now, max(moment or now, now - OLDEST)))
    metrics.add_dimension("environment", environment)
    if group is not None:
        metrics.add_dimension("group", group)
    for name, value in values.items():
        metrics.add_metric(name=name, unit=UNITS.get(name, MetricUnit.Count), value=value)
    metrics.flush_metrics()
