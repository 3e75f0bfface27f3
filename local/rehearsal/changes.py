"""Every parameter, another value for it, and what must have changed in the account when it was deployed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.rehearsal import probes
from local.rehearsal.stack import RehearsedStack

BUCKET, KEY_ALIAS, BOUNDARY = "exports-of-the-company", "alias/of-the-company", "boundary-of-the-company"
REPLICA = "copies-of-the-company"
OTHER_DAGS = "another-mwaa-bucket"
PLAN = "PlanExportFunction"
THEIRS = "arn:aws:s3:::their-exports/exports/orders-backups/*"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-metadata-export/fernet-key-AbCdEf"
ODD_NAMES = r'["a, b", "\u00fcn\u00ef"]'


@dataclass(frozen=True)
class Change:
    """One parameter changed.

    Args:
        parameter: its name.
        value: another value; a function where it is known only in the account.
        look: what it is about.
        expected: what is found then; a function as above.
        also: what must be given beside it.
    """

    parameter: str
    value: str | Callable[[RehearsedStack], str]
    probe: probes.Probe
    expected: Any
    also: Callable[[RehearsedStack], Mapping[str, str]] = field(default=lambda _: {})

    def parameters(self, stack: RehearsedStack) -> dict[str, str]:
        """Return what is deployed."""
        value = self.value if isinstance(self.value, str) else self.value(stack)
        return {**self.also(stack), self.parameter: value}

    def wanted(self, stack: RehearsedStack) -> Any:
        """Return what must be found."""
        return self.expected(stack) if callable(self.expected) else self.expected


def make_belongings(stack: RehearsedStack) -> None:
    """Make what a company has already: a bucket, a key, a permissions boundary, another DAG bucket."""
    for bucket in (BUCKET, OTHER_DAGS):
        stack.client("s3").create_bucket(Bucket=bucket)
    stack.client("s3").create_bucket(Bucket=REPLICA)
    stack.client("s3").put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Enabled"})
    kms = stack.client("kms")
    kms.create_alias(AliasName=KEY_ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    stack.client("iam").create_policy(PolicyName=BOUNDARY, PolicyDocument=document)


def company_key(stack: RehearsedStack) -> str:
    """ARN of the company's key."""
    return str(stack.client("kms").describe_key(KeyId=KEY_ALIAS)["KeyMetadata"]["Arn"])


def company_boundary(stack: RehearsedStack) -> str:
    """ARN of the company's permissions boundary."""
    return f"arn:aws:iam::{stack.client('sts').get_caller_identity()['Account']}:policy/{BOUNDARY}"


def replica_key(stack: RehearsedStack) -> dict[str, str]:
    """Parameter of the key of the second copy."""
    return {"ReplicaKeyArn": company_key(stack)}


def replicated(stack: RehearsedStack) -> tuple[str, str]:
    """What `probes.replica` finds when an object was copied."""
    return "COMPLETED", company_key(stack)


def restores(_: RehearsedStack) -> dict[str, str]:
    """Parameter without which nothing can be restored."""
    return {"AllowRestore": "true"}


def gateway(stack: RehearsedStack) -> dict[str, str]:
    """Parameters of the endpoint to S3."""
    return {"EndpointVpcId": stack.mwaa.vpc, "EndpointRouteTableIds": stack.mwaa.route_table}


def interfaces(stack: RehearsedStack) -> dict[str, str]:
    """Parameters of the interface endpoints."""
    return {
        "EndpointVpcId": stack.mwaa.vpc,
        "EndpointSubnetIds": ",".join(stack.mwaa.subnets),
        "EndpointClientSecurityGroupId": stack.mwaa.security_group,
    }


def everywhere(bucket: str) -> dict[str, Any]:
    """What `probes.locations` finds when all parts agree."""
    return {"output": bucket, "plan": bucket, "script": bucket, "script is there": True}


def named(environment: str) -> dict[str, str]:
    """What `probes.names` finds for an environment."""
    name = f"{environment}-metadata-export"
    return {"machine": name, "job": name, "secret": f"{name}/database"}


def every_key(stack: RehearsedStack) -> dict[str, str]:
    """What `probes.keys` finds when all parts have the company's key."""
    return dict.fromkeys(("secret", "topic", "bucket", "schedule", "output"), company_key(stack))


CHANGES = (
    Change("MaxAgeInDays", "7", probes.variable(PLAN, "MAX_AGE_IN_DAYS"), "7"),
    Change("IncludeTables", "dag_run,Other Team", probes.variable(PLAN, "INCLUDE_TABLES"), "dag_run,Other Team"),
    Change("ExcludeTables", ODD_NAMES, probes.variable(PLAN, "EXCLUDE_TABLES"), ODD_NAMES),
    Change("MaskColumns", "trigger.kwargs", probes.variable(PLAN, "MASK_COLUMNS"), "trigger.kwargs"),
    Change("Formats", "csv,parquet", probes.variable(PLAN, "FORMATS"), "csv,parquet"),
    Change(
        "CatalogDatabase",
        "orders_metadata",
        probes.variable("AggregateResultsFunction", "CATALOG_DATABASE"),
        "orders_metadata",
        lambda _: {"Formats": "csv,parquet"},
    ),
    Change("AlertEmail", "night-shift@example.com", probes.subscribers, ["night-shift@example.com"]),
    Change("AlarmAfterHours", "48", probes.alarm("EvaluationPeriods"), 48),
    Change("RowFallPercent", "20", probes.variable("AggregateResultsFunction", "ROW_FALL_PERCENT"), "20"),
    Change("ScheduleExpression", "rate(12 hours)", probes.schedule("ScheduleExpression"), "rate(12 hours)"),
    Change("ScheduleTimezone", "Europe/Berlin", probes.schedule("ScheduleExpressionTimezone"), "Europe/Berlin"),
    Change("ScheduleState", "DISABLED", probes.schedule("State"), "DISABLED"),
    Change("FreshHours", "6", probes.variable(PLAN, "FRESH_HOURS"), "6"),
    Change("AlarmAfterDaysUnproven", "20", probes.alarm("Threshold", "UnprovenAlarm"), 20),
    Change("DrillSchedule", "none", probes.drill, None),  # and the alarm goes with it
    Change(
        "GlueVersion",
        "6.0",
        lambda stack: (
            probes.job("GlueVersion")(stack),
            probes.job("DefaultArguments", "--additional-python-modules")(stack).rsplit("/", 1)[1],
        ),
        ("6.0", "python3.13.gluewheels.zip"),
    ),
    Change("GlueWorkerType", "G.2X", probes.job("WorkerType"), "G.2X"),
    Change("GlueNumberOfWorkers", "4", probes.job("NumberOfWorkers"), 4),
    Change("GlueTimeoutMinutes", "30", probes.job("Timeout"), 30),
    Change("MaxDatabaseConnections", "8", probes.job("DefaultArguments", "--MAX_CONNECTIONS"), "8"),
    Change("BasePrefix", "airflow/meta", probes.lifecycle, ("airflow/meta/", 30, 90, 365)),
    Change("StandardIaAfterDays", "45", probes.lifecycle, ("exports/", 45, 90, 365)),
    Change("GlacierAfterDays", "120", probes.lifecycle, ("exports/", 30, 120, 365)),
    Change("ExpireAfterDays", "400", probes.lifecycle, ("exports/", 30, 90, 400)),
    Change("ExistingKeyArn", company_key, probes.keys, every_key),
    Change("ReplicaBucketArn", f"arn:aws:s3:::{REPLICA}", probes.replica, replicated, replica_key),
    Change("DagBucketName", OTHER_DAGS, probes.dags, [f"{OTHER_DAGS}/dags/mwaa_metadata_export.py"]),
    Change("DagPrefix", "code", probes.dags, lambda stack: [f"{stack.mwaa.bucket}/code/mwaa_metadata_export.py"]),
    Change("AllowRestore", "true", probes.restore, "orders-db-restore"),
    Change("KeepFernetKey", "true", probes.fernet_keys, "orders-metadata-export/fernet-key"),
    Change("RestoreExportArns", THEIRS, probes.allowed("ReadOtherExports"), [THEIRS], restores),
    Change("RestoreKeyArns", company_key, probes.allowed("UseOtherKeys"), lambda stack: [company_key(stack)], restores),
    Change("RestoreFernetKeyArns", SECRET, probes.allowed("ReadOtherFernetKeys"), [SECRET], restores),
    Change("PermissionsBoundaryArn", company_boundary, probes.boundaries, lambda stack: {company_boundary(stack)}),
    Change("EndpointRouteTableIds", lambda stack: stack.mwaa.route_table, probes.endpoints, {"s3"}, gateway),
    Change(
        "EndpointSubnetIds",
        lambda stack: stack.mwaa.subnets[0],
        probes.endpoints,
        {"secretsmanager", "glue", "states"},
        interfaces,
    ),
    Change("SecretsManagerEndpoint", "false", probes.endpoints, {"glue", "states"}, interfaces),
    Change("GlueEndpoint", "false", probes.endpoints, {"secretsmanager", "states"}, interfaces),
    Change("StatesEndpoint", "false", probes.endpoints, {"secretsmanager", "glue"}, interfaces),
    Change("ExistingBucketName", BUCKET, probes.locations, everywhere(BUCKET)),
    Change("MwaaEnvironmentName", "renamed", probes.names, named("renamed")),
)
# Given only beside others, and looked at with them.
COMPANIONS = {"ReplicaKeyArn", "EndpointVpcId", "EndpointClientSecurityGroupId"}
