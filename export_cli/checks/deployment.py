"""Is everything there that the stack makes, and can people be told?

A deployment recreates nothing: CloudFormation compares the template with the last one, not with what is there. So the
fixes are `repair`, which makes it look, and `publish`, for the objects of a custom resource.
"""

from typing import Any

from export_cli.aws import call, read_or_none
from export_cli.checks.archive import is_archived
from export_cli.checks.finding import Finding, Patient, failed, passed
from export_cli.publication import job_assets
from export_cli.target import ASSETS_PREFIX


def _gone(patient: Patient, detail: str) -> Finding:
    return failed(detail, f"Have it made again: {patient.ours('repair --yes')}")


def state_machine(patient: Patient) -> Finding:
    """Is the state machine there?"""
    arn = patient.target.output("StateMachineArn")
    with call(f"look at state machine {arn}", "Allow states:DescribeStateMachine on it."):
        found = read_or_none(lambda: patient.aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn))
    if found is None:
        return _gone(patient, f"{arn} does not exist")
    if found.get("status", "ACTIVE") != "ACTIVE":
        again = patient.ours("repair --yes")
        return failed(f"{arn} is {found['status']}", f"When it is gone, have it made again: {again}")
    return passed(f"{patient.target.name} is ACTIVE")


def job(patient: Patient) -> Finding:
    """Is the Glue job there, the script that it runs, and the packages that it installs?"""
    name = patient.target.name
    named = job_assets(patient.aws, name)
    if named is None:
        return _gone(patient, f"there is no Glue job {name}")
    for what, uri in {"script": named.script, "packages": named.packages}.items():
        if not uri.startswith(f"s3://{patient.target.where().bucket}/{ASSETS_PREFIX}"):
            detail = f"its {what} {uri or '(it names none)'} is not what the stack gave it"
            return failed(detail, f"Have the job changed back: {patient.ours('repair --yes')}")
        found = _head(patient, uri)
        if found is None:
            return failed(f"its {what} {uri} does not exist", f"Put it in place again: {patient.ours('publish')}")
        if is_archived(found):
            detail = f"its {what} {uri} is archived: no run can read it"
            return failed(
                detail, f"Put it in place again (see also the check of the bucket): {patient.ours('publish')}"
            )
    return passed(f"{name}, script and packages in place")


def _head(patient: Patient, uri: str) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with call(f"look at {uri}", "Allow s3:GetObject and s3:ListBucket on the export bucket."):
        return read_or_none(lambda: patient.aws.client("s3").head_object(Bucket=bucket, Key=key))


def schedule(patient: Patient) -> Finding:
    """Is the fallback schedule there, and on unless the stack says otherwise?"""
    known = patient.target.stack
    name = (known.outputs.get("ScheduleName") if known else None) or patient.target.name
    with call(f"look at schedule {name}", "Allow scheduler:GetSchedule on it."):
        found = read_or_none(lambda: patient.aws.client("scheduler").get_schedule(Name=name))
    if found is None:
        return _gone(patient, f"there is no schedule {name}")
    state, wanted = found["State"], patient.target.parameters.get("ScheduleState", "ENABLED")
    if state != wanted:
        return failed(
            f"it is {state}, the stack's parameter ScheduleState says {wanted}",
            f"Change the parameter if it is meant to be, or have it changed back: {patient.ours('repair --yes')}",
        )
    when = f"{found.get('ScheduleExpression', '')} {found.get('ScheduleExpressionTimezone', '')}".strip()
    return passed(
        f"{state}: {when}" if state == "ENABLED" else f"{state}, as the stack's parameter says: only the DAG exports"
    )


def subscription(patient: Patient) -> Finding:
    """Has somebody confirmed a subscription to the alerts?"""
    topic = patient.target.output("AlertTopicArn")
    with call(f"look at the subscriptions of {topic}", "Allow sns:ListSubscriptionsByTopic on it."):
        pages = patient.aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        found = read_or_none(lambda: [each for page in pages for each in page["Subscriptions"]])
    if found is None:
        return _gone(patient, f"the topic {topic} does not exist")
    waiting = [each["Endpoint"] for each in found if each["SubscriptionArn"] == "PendingConfirmation"]
    confirmed = [each["Endpoint"] for each in found if each["SubscriptionArn"].startswith("arn:")]
    mail = "the mail 'AWS Notification - Subscription Confirmation'"
    if waiting:
        # AWS documented: a subscription that nobody confirms is deleted after 48 hours.
        # https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/
        return failed(
            f"{', '.join(waiting)} has not confirmed the subscription: no alert arrives there",
            f"Follow the link in {mail}; SNS deletes the subscription 48 hours after it was made. To get another mail: "
            f"{_subscribe(patient, topic, waiting[0])}",
        )
    if not confirmed:
        address = patient.target.parameters.get("AlertEmail") or "<address>"
        return failed(
            "nobody is subscribed to the alerts (a subscription that is not confirmed is deleted after 48 hours)",
            f"Subscribe, then follow the link in {mail}: {_subscribe(patient, topic, address)}",
        )
    return passed(f"confirmed by {', '.join(confirmed)}")


def _subscribe(patient: Patient, topic: str, address: str) -> str:
    return patient.aws_cli(f"sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {address}")
