"""Policies with one statement, or one action of a statement, less; and which recorded request would notice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.aws.authorization.request import Decision, Request, decide, statements
from tests.iam.policies import INLINE, MANAGED, Document, Place, Policies, of_resource, of_role

Evaluation = tuple[Request, Decision]


@dataclass(frozen=True)
class Mutation:
    """A policy that lacks something.

    Args:
        name: `<logical id>/<Sid>` or `<logical id>/<Sid>/<action>`.
        place: where the policy is.
        document: what is left of it.
    """

    name: str
    place: Place
    document: Document


def all_of(policies: Policies) -> Iterator[Mutation]:
    """Every mutation of every policy of the stack."""
    for place, document in policies.items():
        if place.label:
            yield from _of_document(place, document)


def find(policies: Policies, name: str) -> Mutation:
    """The mutation with a name; a KeyError says that the stack has no such statement or action."""
    return {mutation.name: mutation for mutation in all_of(policies)}[name]


def evaluate(request: Request, policies: Policies) -> Decision:
    """Evaluate a recorded request anew."""
    identity = of_role(policies, request.role) if request.role else []
    return decide(request, identity, of_resource(policies, request.policy_of) if request.policy_of else None)


def noticed_by(mutation: Mutation, policies: Policies, evaluations: Sequence[Evaluation]) -> list[Request]:
    """The requests that are decided otherwise with a mutation: an Allow is missing, or a Deny."""
    mutated = {**policies, mutation.place: mutation.document}
    return [
        request
        for request, decision in evaluations
        if _is_about(request, mutation.place) and evaluate(request, mutated).allowed != decision.allowed
    ]


def _is_about(request: Request, place: Place) -> bool:
    return place.owner == (request.role if place.kind in (INLINE, MANAGED) else request.policy_of)


def _of_document(place: Place, document: Document) -> Iterator[Mutation]:
    found = statements(document)
    for number, statement in enumerate(found):
        name = f"{place.label}/{place.kind if place.kind == 'trust' else statement.get('Sid', number)}"
        others = [*found[:number], *found[number + 1 :]]
        yield Mutation(name, place, {**document, "Statement": others})
        actions = statement["Action"]
        for action in actions if isinstance(actions, list) and len(actions) > 1 else ():
            less = {**statement, "Action": [other for other in actions if other != action]}
            yield Mutation(f"{name}/{action}", place, {**document, "Statement": [*others, less]})
