"""CloudFormation: resources get all that the template says; a service's refusal fails them; conditions are changes.

AWS documented: S3 demands Standard-IA for 30 days at least before Glacier, both before the expiry.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html

AWS seen: rules that have nothing but prefixes must not overlap where they do the same.
https://github.com/noobaa/noobaa-core/issues/8426

AWS documented: the forms of a schedule's expression. https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html

AWS documented: a resource whose condition is false is not made.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html

AWS assumed: a schedule with an expression or time zone that does not exist is a ValidationException.
"""

import json
import re
import zoneinfo
from collections.abc import Callable
from itertools import permutations
from typing import Any

from ministack.services import iam, s3, scheduler, sns
from ministack.services.cloudformation import changesets, engine, provisioners

from local.aws.patches.replace import attribute, wrap, wrap_entry
from local.aws.settings import Settings

CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
IA_TO_GLACIER_DAYS = 30
SIZE = "ObjectSizeGreaterThan"
ACTIONS = {"Transitions", "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}

Answer = tuple[int, dict[str, str], bytes]


class RefusedError(ValueError):
    """A service refused what a resource asks for."""


def apply(_: Settings) -> None:
    """Let CloudFormation hand these resources to their services whole."""
    for owner, name in ((s3, "_bucket_lifecycle"), (sns, "_topics"), (scheduler, "_schedule_arn"), (iam, "_roles")):
        attribute(owner, name)
    attribute(engine, "_evaluate_conditions")
    wrap(changesets, "_resolve_props_for_diff", _without_absent)
    for name in ("_create_schedule", "_update_schedule"):
        wrap(scheduler, name, _checked)
    wrap(s3, "_lifecycle_rules_error", _in_order)
    wrap(provisioners, "_s3_apply_configurations", _with_lifecycle)
    wrap_entry(provisioners, "_RESOURCE_HANDLERS", "AWS::Scheduler::Schedule", _whole_schedule)
    wrap_entry(provisioners, "_RESOURCE_HANDLERS", "AWS::SNS::Topic", lambda made: _finished(made, _with_key))
    wrap_entry(provisioners, "_RESOURCE_HANDLERS", "AWS::IAM::Role", lambda made: _finished(made, _with_boundary))


def _with_lifecycle(original: Callable[..., None]) -> Callable[..., None]:
    def configure(bucket: str, properties: dict[str, Any], *old: Any) -> None:
        original(bucket, properties, *old)
        rules = [_rule(rule) for rule in properties.get("LifecycleConfiguration", {}).get("Rules", [])]
        _accepted(s3._lifecycle_rules_error(rules) or _apart(rules), "AWS::S3::Bucket LifecycleConfiguration")
        if rules:
            s3._bucket_lifecycle[bucket] = rules
        else:
            s3._bucket_lifecycle.pop(bucket, None)

    return configure


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """A rule of a template as S3's API has it; a parameter reaches it as text."""
    rule = {"ID": given["Id"], "Status": given["Status"], "Filter": {"Prefix": given.get("Prefix", "")}}
    if SIZE in given:
        rule["Filter"] = {"And": {**rule["Filter"], SIZE: int(given[SIZE])}}
    transitions = [
        {"Days": int(each["TransitionInDays"]), "StorageClass": each["StorageClass"]}
        for each in given.get("Transitions", [])
    ]
    if transitions:
        rule["Transitions"] = transitions
    if "ExpirationInDays" in given:
        rule["Expiration"] = {"Days": int(given["ExpirationInDays"])}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in given:
            rule[name] = {key: int(value) for key, value in given[name].items()}
    return rule


def _apart(rules: list[dict[str, Any]]) -> Any:
    """Where all rules have a prefix and no other condition, none may do to a part what another does to the whole."""
    if any("And" in rule["Filter"] for rule in rules):
        return None
    for one, other in permutations(rules, 2):
        part, whole = one["Filter"]["Prefix"], other["Filter"]["Prefix"]
        for action in ACTIONS & set(one) & set(other) if part.startswith(whole) else ():
            message = f"Found overlapping prefixes '{part}' and '{whole}' for same action type '{action}'"
            return s3._error("InvalidRequest", message, 400)
    return None


def _in_order(original: Callable[..., Any]) -> Callable[..., Any]:
    """Standard-IA for 30 days at least before Glacier, both before the expiry."""

    def error(rules: list[dict[str, Any]]) -> Any:
        for rule in rules:
            days = {each["StorageClass"]: each["Days"] for each in rule.get("Transitions", []) if "Days" in each}
            least = days.get("STANDARD_IA", -IA_TO_GLACIER_DAYS) + IA_TO_GLACIER_DAYS
            if days.get("GLACIER", least) < least:
                message = f"'Days' in the 'Transition' action for StorageClass 'GLACIER' must be {IA_TO_GLACIER_DAYS}"
                return s3._error("InvalidArgument", f"{message} days greater than for StorageClass 'STANDARD_IA'", 400)
            if days and rule.get("Expiration", {}).get("Days", max(days.values()) + 1) <= max(days.values()):
                message = "'Days' in the Expiration action must be greater than 'Days' in the Transition action"
                return s3._error("InvalidArgument", message, 400)
        return original(rules)

    return error


def _whole_schedule(handlers: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name = properties.get("Name") or provisioners._physical_name(stack, logical_id, max_len=64)
        _accepted(scheduler._create_schedule(name, properties), "AWS::Scheduler::Schedule")
        return name, _attributes(name, properties)

    def update(name: str, old: dict[str, Any], new: dict[str, Any], *_: Any) -> Any:
        _accepted(scheduler._update_schedule(name, new), "AWS::Scheduler::Schedule")
        return name, _attributes(name, new)

    return {"create": create, "update": update, "delete": handlers["delete"]}


def _attributes(name: str, properties: dict[str, Any]) -> dict[str, str]:
    return {"Arn": scheduler._schedule_arn(properties.get("GroupName", "default"), name)}


def _checked(original: Callable[..., Answer]) -> Callable[..., Answer]:
    def schedule(name: str, body: dict[str, Any]) -> Answer:
        expression, zone = body.get("ScheduleExpression", ""), body.get("ScheduleExpressionTimezone", "UTC")
        if zone not in zoneinfo.available_timezones():
            return scheduler._error(400, "ValidationException", f"Invalid ScheduleExpressionTimezone {zone}.")
        if expression and not _is_schedule(expression):
            return scheduler._error(400, "ValidationException", f"Invalid ScheduleExpression {expression}.")
        return original(name, body)

    return schedule


def _is_schedule(expression: str) -> bool:
    if re.fullmatch(r"rate\([1-9][0-9]* (minutes?|hours?|days?)\)|at\(.+\)", expression):
        return True
    fields = re.fullmatch(r"cron\((.+)\)", expression)
    values = fields[1].split() if fields else []
    # Names of months and days, wildcards and steps are left alone; a number must be one that the field has.
    return len(values) == len(CRON_RANGES) and all(
        low <= int(number) <= high
        for value, (low, high) in zip(values, CRON_RANGES, strict=True)
        for number in re.findall(r"(?<![/\w#])\d+", value)
    )


def _finished(handlers: dict[str, Any], finish: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    """Handlers that give a resource, by its physical id, what ministack's leave out."""

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        made = handlers["create"](logical_id, properties, stack)
        finish(made[0], properties)
        return made

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *more: Any) -> Any:
        made = handlers["update"](physical_id, old, new, *more)
        finish(made[0], new)
        return made

    return {**handlers, "create": create, "update": update}


def _with_key(topic: str, properties: dict[str, Any]) -> None:
    sns._topics[topic]["attributes"]["KmsMasterKeyId"] = properties.get("KmsMasterKeyId", "")


def _with_boundary(role: str, properties: dict[str, Any]) -> None:
    iam._roles[role]["PermissionsBoundary"] = properties.get("PermissionsBoundary")


def _without_absent(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A resource whose condition is false is not there; so a change of a condition alone adds or removes it."""

    def resolved(template: dict[str, Any], parameters: dict[str, Any], *stack: str) -> dict[str, Any]:
        found = original(template, parameters, *stack)
        conditions = engine._evaluate_conditions(template, parameters) if template else {}
        there = {
            name: body
            for name, body in found.get("Resources", {}).items()
            if conditions.get(body.get("Condition"), True)
        }
        return {**found, "Resources": there}

    return resolved


def _accepted(answer: Any, what: str) -> None:
    """Fail the resource with the service's own words."""
    if answer and answer[0] >= 400:
        body = answer[2].decode() if isinstance(answer[2], bytes) else str(answer[2])
        words = json.loads(body).get("message", body) if body.startswith("{") else re.sub(r"<[^>]+>", " ", body)
        raise RefusedError(f"{what}: {' '.join(words.split())}")
