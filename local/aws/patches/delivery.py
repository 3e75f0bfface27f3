"""EventBridge and Scheduler reach a target only if policies allow it; what is not delivered is a dead letter.

AWS documented: EventBridge acts on a topic, queue or function by the resource's policy, and puts what it cannot deliver
into the target's dead-letter queue. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

AWS documented: a function that has failed for good sends its event to the failure destination in its own role.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html

AWS documented: Scheduler acts in the schedule's role, also on its dead-letter queue.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, lambda_svc, scheduler, sns, sqs
from ministack.services.cloudformation import provisioners

from local.aws.authorization import documented
from local.aws.authorization.services import fulfils, service_may
from local.aws.credentials import RoleError, role_client
from local.aws.injection import rules
from local.aws.patches.replace import attribute, replace, wrap, wrap_entry
from local.aws.settings import Settings

SCHEDULER = "scheduler.amazonaws.com"
EVENTS = "events.amazonaws.com"
LAMBDA = "lambda.amazonaws.com"
PUBLISH, SEND = "sns:Publish", "sqs:SendMessage"

logger = logging.getLogger("delivery")
_current: ContextVar[tuple[dict[str, Any], dict[str, Any]]] = ContextVar("target_and_rule")


def apply(settings: Settings) -> None:
    """Patch the delivery of events."""
    for module, name in (
        (sns, "topic_policy_allows"),
        (sns, "publish_internal"),
        (sqs, "_queue_by_arn"),
        (sqs, "_act_send_message"),
        (lambda_svc, "_get_func_record_for_ref"),
        (lambda_svc, "invoke_async_with_retry"),
    ):
        attribute(module, name)
    if settings.auth:
        replace(sns, "topic_policy_allows", lambda arn, service, source, _: service_may(service, PUBLISH, arn, source))
        replace(sqs, "queue_policy_allows", lambda arn, service, source, _: service_may(service, SEND, arn, source))
    wrap_entry(provisioners, "_RESOURCE_HANDLERS", "AWS::Scheduler::Schedule", _keep_key)
    wrap(eventbridge, "_invoke_target", lambda original: _invoke_target(original, settings))
    replace(eventbridge, "_dispatch_to_sns", _to_topic)
    replace(eventbridge, "_dispatch_to_lambda", lambda arn, payload: _to_function(settings, arn, payload))
    replace(lambda_svc, "_route_async_failure", lambda *failure: _to_failure_destination(settings, *failure))


def _invoke_target(original: Callable[..., None], settings: Settings) -> Callable[..., None]:
    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        if event.get("Source") == "aws.scheduler" and ":states:" in target["Arn"]:
            _start_execution(settings, target, rule.get("KmsKeyArn"))
            return
        token = _current.set((target, rule))
        try:
            original(target, event, rule, view)
        finally:
            _current.reset(token)

    return invoke


def _keep_key(handlers: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Stock ministack drops the key of a template's schedule."""

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = handlers["create"](logical_id, properties, stack)
        key = f"{properties.get('GroupName', 'default')}/{name}"
        scheduler._schedules[key]["KmsKeyArn"] = properties.get("KmsKeyArn")
        return name, attributes

    return {**handlers, "create": create}


def _start_execution(settings: Settings, target: dict[str, Any], key: str | None) -> None:
    text = target.get("Input") or "{}"
    if key and settings.auth and fulfils(target["RoleArn"], documented.SCHEDULE_PAYLOAD, key):
        _schedule_dead_letter(settings, target, text, f"Role {target['RoleArn']} may not decrypt the payload by {key}")
        return
    try:
        client = role_client(settings, "stepfunctions", target["RoleArn"], SCHEDULER, "scheduler")
        client.start_execution(stateMachineArn=target["Arn"], input=text)
    except (ClientError, BotoCoreError, RoleError) as error:
        logger.warning("Schedule: %s not started: %s", target["Arn"], error)
        _schedule_dead_letter(settings, target, text, str(error))


def _schedule_dead_letter(settings: Settings, target: dict[str, Any], text: str, reason: str) -> None:
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    queue = sqs._queue_by_arn(arn) if arn else None
    if queue is None:
        logger.error("Schedule: no dead-letter queue for %s: %s", target["Arn"], reason)
        return
    try:
        client = role_client(settings, "sqs", target["RoleArn"], SCHEDULER, "scheduler")
        attributes = {"ERROR_MESSAGE": {"DataType": "String", "StringValue": reason[:1000]}}
        client.send_message(QueueUrl=queue["url"], MessageBody=text, MessageAttributes=attributes)
    except (ClientError, BotoCoreError, RoleError):
        logger.exception("Schedule: dead letter of %s lost", target["Arn"])


def _to_topic(arn: str, payload: str) -> None:
    """Publish as events.amazonaws.com; stock ministack asks no policy and invents a subject.

    AWS assumed: EventBridge publishes without a subject.
    """
    target, rule = _current.get()
    problem = _publish(arn, payload, rule.get("Arn", ""))
    if problem:
        logger.warning("Event not delivered: %s", problem)
        _event_dead_letter(target, rule, payload, problem)


def _publish(arn: str, payload: str, rule_arn: str) -> str | None:
    """Publish, or say why not."""
    if rules.current.take("sns", "Publish", arn):
        return f"Topic {arn} refuses what is published: a fault that a test has set"
    if not sns.topic_policy_allows(arn, EVENTS, rule_arn, get_account_id()):
        return f"The policy of topic {arn} does not let {EVENTS} publish for rule {rule_arn}"
    try:
        return None if sns.publish_internal(arn, payload, "") else f"Topic {arn} does not exist"
    except sns.SnsPublishError as error:
        return str(error)


def _to_function(settings: Settings, arn: str, payload: str) -> None:
    """Invoke as events.amazonaws.com does: asynchronously, with Lambda's own retries and failure destination."""
    target, rule = _current.get()
    function, _, _ = lambda_svc._get_func_record_for_ref(arn)
    if not function:
        problem = f"Function {arn} does not exist"
    elif settings.auth and not service_may(EVENTS, "lambda:InvokeFunction", arn, rule.get("Arn", "")):
        problem = f"The policy of function {arn} does not let {EVENTS} invoke it for rule {rule.get('Arn')}"
    elif _is_throttled(arn, target):
        problem = f"Function {arn} is throttled: a fault that a test has set"
    else:
        lambda_svc.invoke_async_with_retry(function, json.loads(payload))
        return
    logger.warning("Event not delivered: %s", problem)
    _event_dead_letter(target, rule, payload, problem)


def _is_throttled(arn: str, target: dict[str, Any]) -> bool:
    """Whether every try fails, here without waiting between.

    AWS documented: EventBridge tries as often as the target says, 185 times unless it does.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """
    retries = (target.get("RetryPolicy") or {}).get("MaximumRetryAttempts", 185)
    return all(rules.current.take("lambda", "Invoke", arn) for _ in range(1 + int(retries)))


def _to_failure_destination(
    settings: Settings, arn: str, name: str, event: dict[str, Any], result: dict[str, Any]
) -> None:
    """Keep what a function failed to handle, in the function's role; stock ministack asks no role."""
    role = lambda_svc._functions[name]["config"]["Role"]
    about = {"condition": "RetriesExhausted", "functionArn": lambda_svc._functions[name]["config"]["FunctionArn"]}
    record = {"requestContext": about, "requestPayload": event, "responsePayload": result.get("body")}
    queue = sqs._queue_by_arn(arn)
    try:
        client = role_client(settings, "sqs", role, LAMBDA, "lambda")
        client.send_message(QueueUrl=queue["url"] if queue else arn, MessageBody=json.dumps(record))
    except (ClientError, BotoCoreError, RoleError):
        logger.exception("Asynchronous invocation of %s lost", name)


def _event_dead_letter(target: dict[str, Any], rule: dict[str, Any], payload: str, reason: str) -> None:
    arn = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    queue = sqs._queue_by_arn(arn)
    if queue is None or not sqs.queue_policy_allows(arn, EVENTS, rule.get("Arn", ""), get_account_id()):
        logger.error("Event for %s lost: %s", target["Arn"], reason)
        return
    about = {"RULE_ARN": rule.get("Arn", ""), "TARGET_ARN": target["Arn"], "ERROR_MESSAGE": reason[:1000]}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in about.items()}
    sqs._act_send_message({"MessageBody": payload, "MessageAttributes": attributes}, queue["url"])
