"""Failed executions as EventBridge tells of them."""

from datetime import UTC, datetime, timedelta

from export_contracts.layout import Layout
from report_failure.event import FailedExecution, parse_event
from report_failure.settings import Settings

from tests.unit.lambdas.conftest import BUCKET

ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-metadata-export:mine"
STARTED = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
EXPORT_ID = "20261211T143022Z"
LAYOUT = Layout(BUCKET, "exports", "prod")
SETTINGS = Settings(
    LAYOUT,
    "prod-metadata-export",
    "arn:aws:sns:eu-central-1:123456789012:alerts",
    "/aws-glue/jobs/prod-metadata-export/output",
    36,
)
NOW = STARTED + timedelta(minutes=20)
RUN_ID = "jr_" + "a1" * 32


def event(**changes: object) -> dict:
    """Return the event of a failed execution, with changes in its detail."""
    detail = {
        "executionArn": ARN,
        "stateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:prod-metadata-export",
        "name": "mine",
        "status": "FAILED",
        "startDate": int(STARTED.timestamp()) * 1000 + 987,
        "stopDate": int(STARTED.timestamp()) * 1000 + 99_000,
        "redriveCount": 0,
        "error": "ExportIncompleteError",
        "cause": '{"errorMessage": "group runs has no manifest", "errorType": "ExportIncompleteError"}',
        **changes,
    }
    return {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}


def execution(**changes: object) -> FailedExecution:
    """Return a failed execution."""
    return parse_event(event(**changes))
