"""What a service does by itself: in a role that it was given, or where a resource's own policy lets it."""

from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext
from ministack.core.responses import get_account_id, get_region

from local.aws.authorization import record
from local.aws.authorization.documented import Demand
from local.aws.authorization.request import ROLE_TRUST, Request, decide

# AWS assumed: Lambda and Glue do not name the account that they assume a role for.
# AWS documented: Step Functions and Scheduler do, and name the resource.
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
NAMES_ITS_ACCOUNT = ("states.amazonaws.com", "scheduler.amazonaws.com")


def role_may(role_arn: str, action: str, resource: str = "*", context: Mapping[str, Any] | None = None) -> bool:
    """Whether a service that acts in a role may do something; recorded.

    Args:
        role_arn: ARN of the role.
        action: such as `logs:PutLogEvents`.
        resource: ARN.
        context: condition keys in lower case.
    """
    name, account = role_arn.rsplit("/", 1)[-1], get_account_id()
    asked = EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=dict(context or {}),
    )
    found = policy_of(resource)
    request = Request(asked, role=name, policy_of=found[0] if found else None)
    decision = decide(request, role_policies(name), found[1] if found else None)
    record.current.add(request, decision)
    return decision.allowed


def fulfils(role_arn: str, demand: Demand, resource: str = "*") -> list[str]:
    """The actions of a demand that a role may not do; all are asked for, and recorded."""
    return [action for action in demand.actions if not role_may(role_arn, action, resource)]


def service_may(service: str, action: str, resource: str, source_arn: str) -> bool:
    """Whether a resource's own policy lets a service act on it, on behalf of another resource; recorded."""
    found = policy_of(resource)
    account = {"aws:sourceaccount": get_account_id(), "aws:sourceowner": get_account_id()}
    return _service_may(service, action, resource, found, {**account, "aws:sourcearn": source_arn})


def trusts(role_arn: str, trust_policy: str, service: str) -> bool:
    """Whether a role's trust policy lets a service assume the role; recorded."""
    named = service in NAMES_ITS_ACCOUNT
    context = {"aws:sourceaccount": get_account_id()} if named else {}
    return _service_may(service, ROLE_TRUST, role_arn, (role_arn, trust_policy), context)


def _service_may(
    service: str, action: str, resource: str, policy: tuple[str, Any] | None, context: dict[str, Any]
) -> bool:
    # The caller is the service itself: what a policy grants to the account or its roles does not concern it.
    asked = EvalContext(
        principal_arn="service",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=context,
    )
    request = Request(asked, service=service, policy_of=policy[0] if policy else None)
    decision = decide(request, (), policy[1] if policy else None)
    record.current.add(request, decision)
    return decision.allowed


def policy_of(resource: str) -> tuple[str, Any] | None:
    """ARN and document of the policy that a resource has of its own: an object has its bucket's."""
    service = resource.split(":")[2] if resource.startswith("arn:") else ""
    found = iam_evaluator._resource_policy(service, resource)
    if found is None:
        return None
    return (resource.partition("/")[0] if service == "s3" else resource), found[0]


def role_policies(name: str) -> list[Any]:
    """The policy documents of a role, inline and attached."""
    from ministack.services import iam

    role = iam._roles.get(name) or {}
    attached = [
        iam_evaluator._resolve_managed_policy_document(arn, get_account_id())
        for arn in role.get("AttachedPolicies", [])
    ]
    return [*(role.get("InlinePolicies") or {}).values(), *(document for document in attached if document)]
