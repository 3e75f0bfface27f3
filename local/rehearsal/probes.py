"""What a step looks at in the account: one short question to a service each."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local.rehearsal.stack import RehearsedStack

Probe = Callable[[RehearsedStack], Any]


def variable(function: str, name: str) -> Probe:
    """An environment variable of a function."""

    def probe(stack: RehearsedStack) -> Any:
        found = stack.client("lambda").get_function_configuration(FunctionName=stack.resource(function))
        return found["Environment"]["Variables"].get(name)

    return probe


def job(*path: str) -> Probe:
    """A property of the Glue job."""

    def probe(stack: RehearsedStack) -> Any:
        found = stack.client("glue").get_job(JobName=stack.resource("ExportJob"))["Job"]
        for name in path:
            found = found[name]
        return found

    return probe


def schedule(name: str) -> Probe:
    """A property of the fallback schedule."""
    return lambda stack: stack.client("scheduler").get_schedule(Name=stack.resource("FallbackSchedule"))[name]


def alarm(name: str, of: str = "NoCompleteExportAlarm") -> Probe:
    """A property of an alarm."""

    def probe(stack: RehearsedStack) -> Any:
        names = [stack.resource(of)]
        return stack.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"][0][name]

    return probe


def subscribers(stack: RehearsedStack) -> list[str]:
    """The addresses that get the alerts."""
    topic = stack.resource("AlertTopic")
    found = stack.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return [subscription["Endpoint"] for subscription in found]


def lifecycle(stack: RehearsedStack) -> Any:
    """Prefix, days to Standard-IA, Glacier and expiry of the export bucket's rule."""
    rules = stack.client("s3").get_bucket_lifecycle_configuration(Bucket=stack.resource("ExportBucket"))["Rules"]
    [rule] = [rule for rule in rules if rule["ID"] == "Exports"]
    days = {transition["StorageClass"]: transition["Days"] for transition in rule["Transitions"]}
    return rule["Filter"]["Prefix"], days["STANDARD_IA"], days["GLACIER"], rule["Expiration"]["Days"]


def locations(stack: RehearsedStack) -> dict[str, Any]:
    """The bucket of each part that writes or reads exports, and of the job's script."""
    script = job("Command", "ScriptLocation")(stack)
    return {
        "output": stack.outputs()["ExportBucketName"],
        "plan": variable("PlanExportFunction", "EXPORT_BUCKET")(stack),
        "script": script.split("/")[2],
        "script is there": exists(stack, *script.removeprefix("s3://").split("/", 1)),
    }


def keys(stack: RehearsedStack) -> dict[str, str]:
    """The KMS key of each part that has one of ours."""
    secret = stack.client("secretsmanager").describe_secret(SecretId=stack.resource("DatabaseSecret"))
    topic = stack.client("sns").get_topic_attributes(TopicArn=stack.resource("AlertTopic"))["Attributes"]
    [rule] = stack.client("s3").get_bucket_encryption(Bucket=stack.resource("ExportBucket"))[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    return {
        "secret": secret["KmsKeyId"],
        "topic": topic["KmsMasterKeyId"],
        "bucket": rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"],
        "schedule": schedule("KmsKeyArn")(stack),
        "output": stack.outputs()["KeyArn"],
    }


def replica(stack: RehearsedStack) -> tuple[str | None, str | None]:
    """What S3 did with an object that was just written, and the key of its rule for copies."""
    s3, bucket = stack.client("s3"), stack.resource("ExportBucket")
    place = {"Bucket": bucket, "Key": f"exports/{stack.mwaa.environment}-backups/_probe"}
    s3.put_object(**place, Body=b"x")
    status = s3.head_object(**place).get("ReplicationStatus")
    _erase(s3, bucket, place["Key"])
    try:
        [rule] = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    except ClientError:
        return status, None
    _erase(s3, rule["Destination"]["Bucket"].rpartition(":")[2], place["Key"])
    return status, rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]


def _erase(s3: Any, bucket: str, key: str) -> None:
    """Delete an object with all its versions."""
    found = s3.list_object_versions(Bucket=bucket, Prefix=key)
    for version in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


def tags(stack: RehearsedStack) -> dict[str, dict[str, str]]:
    """The tags of one resource of each service that tells of them, but for CloudFormation's own and SAM's."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.resource("PlanExportFunction"))
    topic, machine, queue = (stack.resource(name) for name in ("AlertTopic", "ExportStateMachine", "UndeliveredQueue"))
    found: dict[str, Any] = {
        "lambda": stack.client("lambda").list_tags(Resource=function["FunctionArn"])["Tags"],
        "iam": stack.client("iam").list_role_tags(RoleName=stack.resource("PlanExportRole"))["Tags"],
        "sns": stack.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"],
        "sqs": stack.client("sqs").list_queue_tags(QueueUrl=queue)["Tags"],
        "states": stack.client("stepfunctions").list_tags_for_resource(resourceArn=machine)["tags"],
        "secret": stack.client("secretsmanager").describe_secret(SecretId=stack.resource("DatabaseSecret"))["Tags"],
    }
    return {name: _own_tags(given) for name, given in found.items()}


def _own_tags(given: Any) -> dict[str, str]:
    pairs = given if isinstance(given, dict) else {next(iter(t.values())): list(t.values())[1] for t in given}
    return {key: value for key, value in pairs.items() if ":" not in key}


def boundaries(stack: RehearsedStack) -> set[str | None]:
    """The permissions boundaries of the stack's roles."""
    iam = stack.client("iam")
    found = [iam.get_role(RoleName=role)["Role"] for role in stack.resources("AWS::IAM::Role").values()]
    return {role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for role in found}


def endpoints(stack: RehearsedStack) -> set[str]:
    """The services to which the stack made endpoints."""
    ids = list(stack.resources("AWS::EC2::VPCEndpoint").values())
    if not ids:
        return set()
    found = stack.client("ec2").describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]
    return {endpoint["ServiceName"].rsplit(".", 1)[1] for endpoint in found}


def dags(stack: RehearsedStack) -> list[str]:
    """Where the DAG lies, in all buckets of the account."""
    s3 = stack.client("s3")
    found = []
    for bucket in s3.list_buckets()["Buckets"]:
        listed = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        found += [f"{bucket['Name']}/{each['Key']}" for each in listed if each["Key"].endswith("metadata_export.py")]
    # Not the copy that the release brings, which a person may take.
    return sorted(place for place in found if "/assets/" not in place and "/mwaa-metadata-export-" not in place)


def restore(stack: RehearsedStack) -> str | None:
    """The name of the state machine that restores, if there is one."""
    try:
        return stack.resource("RestoreStateMachine").rsplit(":", 1)[1]
    except LookupError:
        return None


def allowed(sid: str) -> Probe:
    """What a statement of the role of the job that restores names; nothing where there is no such statement."""

    def probe(stack: RehearsedStack) -> list[str]:
        try:
            role = stack.resource("RestoreJobRole")
        except LookupError:
            return []
        found = stack.client("iam").get_role_policy(RoleName=role, PolicyName="Job")["PolicyDocument"]["Statement"]
        named = next((each["Resource"] for each in found if each["Sid"] == sid), [])
        return named if isinstance(named, list) else [named]

    return probe


def fernet_keys(stack: RehearsedStack) -> str | None:
    """The name of the stack's secret with the Fernet keys, if there is one."""
    try:
        secret = stack.resource("FernetKeySecret")
    except LookupError:
        return None
    return str(stack.client("secretsmanager").describe_secret(SecretId=secret)["Name"])


def drill(stack: RehearsedStack) -> str | None:
    """The name of the state machine that tries exports, if there is one."""
    try:
        return stack.resource("DrillStateMachine").rsplit(":", 1)[1]
    except LookupError:
        return None


def names(stack: RehearsedStack) -> dict[str, str]:
    """The names that Airflow finds."""
    secret = stack.client("secretsmanager").describe_secret(SecretId=stack.resource("DatabaseSecret"))["Name"]
    machine = stack.resource("ExportStateMachine").rsplit(":", 1)[1]
    return {"machine": machine, "job": stack.resource("ExportJob"), "secret": secret}


def exists(stack: RehearsedStack, bucket: str, key: str) -> bool:
    """Say whether an object is there."""
    try:
        stack.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return True
