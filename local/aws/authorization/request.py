"""One request to the emulated account, and its evaluation by ministack's evaluator."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext

ROLE_TRUST = "sts:AssumeRole"
DECIDED_BY_RESOURCE = ("kms",)  # a key's policy must allow, whatever a role's policies say


@dataclass(frozen=True)
class Request:
    """A request as it is evaluated.

    Args:
        context: principal, action, resource and condition keys.
        role: name of the role that acts, or None.
        service: the service that acts by itself, such as `events.amazonaws.com`, or None.
        policy_of: ARN of the resource whose own policy is evaluated as well, or None.
    """

    context: EvalContext
    role: str | None = None
    service: str | None = None
    policy_of: str | None = None

    def to_json(self) -> dict[str, Any]:
        """This request as JSON."""
        about = {"role": self.role, "service": self.service, "policy_of": self.policy_of}
        return {**about, "context": asdict(self.context)}


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and the Sid of each statement that decided: the role's, the resource's."""

    allowed: bool
    statements: Sequence[str] = ()


def from_json(document: dict[str, Any]) -> Request:
    """The request that `to_json` wrote."""
    about = {name: document[name] for name in ("role", "service", "policy_of")}
    return Request(context=EvalContext(**document["context"]), **about)


def decide(
    request: Request, identity: Sequence[str | dict[str, Any]], resource: str | dict[str, Any] | None
) -> Decision:
    """Evaluate a request.

    Args:
        request: what is asked.
        identity: policy documents of the role that acts; none for a service that acts by itself.
        resource: the resource's own policy document (a key's, a role's trust policy), or None.
    """
    context = request.context
    if request.service:
        found = iam_evaluator.evaluate_resource_policy(resource, context, service=request.service)
        return Decision(found.decision == "Allow", _sids(found))
    own = iam_evaluator.evaluate(context, [iam_evaluator.parse_policy_document(document) for document in identity])
    if request.policy_of is None:
        return Decision(own.decision == "Allow", _sids(own))
    required = context.action.partition(":")[0] in DECIDED_BY_RESOURCE
    combined = iam_evaluator.combine_resource_policy(
        own, context, resource, context.principal_account, required=required
    )
    return Decision(combined.decision == "Allow", _sids(own, iam_evaluator.evaluate_resource_policy(resource, context)))


def _sids(*results: Any) -> tuple[str, ...]:
    return tuple(result.matched_sid for result in results if result.matched_sid)


def statements(document: str | dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    parsed = json.loads(document) if isinstance(document, str) else document
    found = parsed.get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)
