"""Is everything there that the stack makes, and can people be told?"""

from mwaa_metadata_export.aws import call
from mwaa_metadata_export.checks.finding import Finding, Patient, failed, passed, read_or_none, unknown

_DEPLOY = "sam build && sam deploy"


def deployed(patient: Patient) -> Finding:
    """Is the stack deployed, and its last change successful?"""
    found = patient.target.stack
    if found is None:
        environment = patient.target.environment
        return failed(
            f"no stack exports the environment {environment} in region {patient.aws.region}",
            f"Check --region, name it with --stack, or deploy it: {_DEPLOY} --guided",
        )
    if found.status.endswith("_IN_PROGRESS"):
        return unknown(f"{found.name} is {found.status}", "Wait until its change has ended.")
    if found.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        return passed(f"{found.name} is {found.status}")
    return failed(f"{found.name} is {found.status}", f"Read its events in the CloudFormation console, then {_DEPLOY}.")


def state_machine(patient: Patient) -> Finding:
    """Is the state machine there?"""
    arn = patient.target.output("StateMachineArn")
    with call(f"look at state machine {arn}", "Allow states:DescribeStateMachine on it."):
        found = read_or_none(lambda: patient.aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn))
    if found is None:
        return failed(f"{arn} does not exist", f"Somebody deleted it. Delete the stack's leftovers and {_DEPLOY}.")
    if found.get("status", "ACTIVE") != "ACTIVE":
        return failed(f"{arn} is {found['status']}", f"It is being deleted: {_DEPLOY}.")
    return passed(f"{patient.target.name} is ACTIVE")


def job(patient: Patient) -> Finding:
    """Is the Glue job there, the script that it runs, and the packages that it installs?"""
    name = patient.target.name
    with call(f"look at Glue job {name}", "Allow glue:GetJob on it."):
        found = read_or_none(lambda: patient.aws.client("glue").get_job(JobName=name)["Job"])
    if found is None:
        return failed(f"there is no Glue job {name}", f"{_DEPLOY}.")
    wheels = found.get("DefaultArguments", {}).get("--additional-python-modules", "")
    assets = {"script": str(found["Command"]["ScriptLocation"]), "packages": wheels}
    for what, uri in assets.items():
        if not (uri.startswith("s3://") and _is_there(patient, uri)):
            return failed(
                f"its {what} {uri or '(it names none)'} does not exist",
                f"{_DEPLOY}: it puts the {what} in place again.",
            )
    version = found.get("GlueVersion", "unknown")
    return passed(f"{name} on Glue {version}, script and packages in place")


def _is_there(patient: Patient, uri: str) -> bool:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with call(f"look at {uri}", "Allow s3:GetObject and s3:ListBucket on the export bucket."):
        return read_or_none(lambda: patient.aws.client("s3").head_object(Bucket=bucket, Key=key)) is not None


def schedule(patient: Patient) -> Finding:
    """Is the fallback schedule there, and on unless the stack says otherwise?"""
    known = patient.target.stack
    name = (known.outputs.get("ScheduleName") if known else None) or patient.target.name
    with call(f"look at schedule {name}", "Allow scheduler:GetSchedule on it."):
        found = read_or_none(lambda: patient.aws.client("scheduler").get_schedule(Name=name))
    if found is None:
        return failed(f"there is no schedule {name}", f"{_DEPLOY}.")
    state, wanted = found["State"], patient.target.parameters.get("ScheduleState", "ENABLED")
    if state != wanted:
        return failed(
            f"it is {state}, the stack's parameter ScheduleState says {wanted}", f"{_DEPLOY}, or set it by hand."
        )
    when = f"{found.get('ScheduleExpression', '')} {found.get('ScheduleExpressionTimezone', '')}".strip()
    return passed(
        f"{state}: {when}" if state == "ENABLED" else f"{state}, as the stack's parameter says: only the DAG exports"
    )


def subscription(patient: Patient) -> Finding:
    """Has somebody confirmed that he gets the alerts?"""
    topic = patient.target.output("AlertTopicArn")
    with call(f"look at the subscriptions of {topic}", "Allow sns:ListSubscriptionsByTopic on it."):
        pages = patient.aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        found = read_or_none(lambda: [each for page in pages for each in page["Subscriptions"]])
    if not found:
        return failed("nobody is subscribed to the alerts", f"{_DEPLOY} with AlertEmail; it subscribes that address.")
    waiting = [each["Endpoint"] for each in found if each["SubscriptionArn"] == "PendingConfirmation"]
    confirmed = [each["Endpoint"] for each in found if each["SubscriptionArn"].startswith("arn:")]
    if waiting:
        return failed(
            f"{', '.join(waiting)} has not confirmed the subscription: no alert arrives there",
            "Follow the link in the mail 'AWS Notification - Subscription Confirmation' (it is valid for 3 days; "
            "after that subscribe the address again).",
        )
    if not confirmed:
        return failed("every subscription was deleted", f"{_DEPLOY} with AlertEmail; it subscribes that address.")
    return passed(f"confirmed by {', '.join(confirmed)}")
