"""What AWS's documentation demands of a role, where nothing outside AWS shows when, or whether, it is used.

The emulator demands the whole of it at the moment that is named here. Whether AWS would fail there is not known.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """Actions that a service needs of a role, all on `*` unless the caller names a resource."""

    actions: tuple[str, ...]
    source: str


# When a function with active tracing has run.
FUNCTION_TRACES = Demand(
    ("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html",
)
# When an execution of a machine with tracing has ended.
MACHINE_TRACES = Demand(
    ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    "https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html",
)
# When a machine with logging is made or changed.
MACHINE_LOGS = Demand(
    (
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ),
    "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
)
# When `.sync` starts a run; which of GetJobRun and GetJobRuns it then polls is not said.
SYNC_JOB_RUNS = Demand(
    ("glue:GetJobRuns",), "https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html#glue-iam"
)
# When a schedule whose payload is encrypted with a key of one's own fires.
SCHEDULE_PAYLOAD = Demand(
    ("kms:Decrypt",), "https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html"
)
