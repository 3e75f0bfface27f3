"""What AWS's documentation demands of a role, where nothing outside AWS shows when, or whether, it is used.

AWS assumed: of what is documented for a role all is needed, at the moment that is named here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """Actions that a service needs of a role, all on `*` unless the caller names a resource."""

    actions: tuple[str, ...]


# When a function with active tracing has run.
# AWS documented: what a function's role needs to trace. https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
FUNCTION_TRACES = Demand(("xray:PutTraceSegments", "xray:PutTelemetryRecords"))
# When an execution of a machine with tracing has ended.
# AWS documented: what a machine's role needs to trace. https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
MACHINE_TRACES = Demand(
    ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets")
)
# When a machine with logging is made or changed.
# AWS documented: what a machine's role needs to deliver logs. https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
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
    )
)
# When `.sync` starts a run; which of GetJobRun and GetJobRuns it then polls is not said.
# AWS documented: glue:startJobRun.sync needs both. https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html#glue-iam
SYNC_JOB_RUNS = Demand(("glue:GetJobRuns",))
# When `.sync:2` starts an execution: by a rule of EventBridge Step Functions hears that it has ended.
# AWS documented: what a machine's role needs for it. https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html#sync-async-iam-policies
SYNC_EXECUTIONS = Demand(("events:PutTargets", "events:PutRule", "events:DescribeRule"))
# When a schedule whose payload is encrypted with a key of one's own fires.
# AWS documented: a schedule's role decrypts the payload. https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
SCHEDULE_PAYLOAD = Demand(("kms:Decrypt",))
