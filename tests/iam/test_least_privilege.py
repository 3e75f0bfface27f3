"""Nothing in the policies of the stack is superfluous: without each statement and each action, a path fails.

The paths are gone once. What they ask for is recorded, and evaluated again, by the same evaluator, without each.
"""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.iam.conftest import Rehearsal
from tests.iam.mutations import all_of, evaluate, noticed_by
from tests.iam.paths import ALMIGHTY
from tests.iam.real import PATHS

pytestmark = pytest.mark.timeout(1800)  # the rehearsal, on a busy machine
LISTED = tomllib.loads((Path(__file__).parent / "superfluous.toml").read_text())
SERVICES = {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
TRUSTED = {f"{name}.amazonaws.com" for name in ("lambda", "states", "glue", "scheduler", "s3")}


def _survivors(rehearsal: Rehearsal) -> set[str]:
    return {
        mutation.name
        for mutation in all_of(rehearsal.policies)
        if not noticed_by(mutation, rehearsal.policies, rehearsal.evaluations)
    }


def test_given_each_statement_and_action_removed_then_a_path_fails_or_a_reason_is_listed(rehearsal: Rehearsal) -> None:
    survivors = _survivors(rehearsal)

    assert sorted(survivors - LISTED.keys()) == []
    assert sorted(LISTED.keys() - survivors) == [], "listed, but a path fails without it"


def test_given_recorded_requests_when_evaluated_anew_then_they_are_decided_as_they_were(rehearsal: Rehearsal) -> None:
    otherwise = [
        request.to_json()
        for request, decision in rehearsal.evaluations
        if evaluate(request, rehearsal.policies).allowed != decision.allowed
    ]

    assert otherwise == []


def test_given_the_paths_then_only_what_a_path_is_about_was_refused(rehearsal: Rehearsal) -> None:
    refused = {
        (request.role or request.service, request.context.action)
        for request, decision in rehearsal.evaluations
        if not decision.allowed
    }

    assert refused == {(ALMIGHTY, action) for action in ("s3:ListBucket", "sns:Publish", "sqs:SendMessage")}


def test_given_the_paths_then_every_role_and_service_was_seen_at_work(rehearsal: Rehearsal) -> None:
    asked = Counter(request.role for request, _ in rehearsal.evaluations if request.role)
    roles = {place.owner for place in rehearsal.policies if place.label and place.kind in ("inline", "managed")}
    assert len(roles) == 16  # the fifteen of the stack, and the environment's
    assert roles <= asked.keys()
    assert min(asked[role] for role in roles) >= 3

    assert {request.service for request, _ in rehearsal.evaluations if request.service} >= SERVICES | TRUSTED


def test_the_test_has_something_to_look_at(rehearsal: Rehearsal) -> None:
    mutations = list(all_of(rehearsal.policies))
    statements = [mutation for mutation in mutations if mutation.name.count("/") == 1]

    assert len({mutation.name for mutation in mutations}) == len(mutations)
    assert len(statements) > 60
    assert len(mutations) - len(statements) > 80
    assert len(rehearsal.evaluations) > 300
    assert len({request.context.action for request, _ in rehearsal.evaluations}) > 40


@pytest.mark.parametrize("name", PATHS)
def test_given_a_policy_really_changed_then_its_path_fails_as_predicted(rehearsal: Rehearsal, name: str) -> None:
    [mutation] = [mutation for mutation in all_of(rehearsal.policies) if mutation.name == name]

    assert noticed_by(mutation, rehearsal.policies, rehearsal.evaluations) != []
    assert rehearsal.real[name].failed, rehearsal.real[name].seen


def test_every_listed_entry_has_a_reason() -> None:
    assert [name for name, reason in LISTED.items() if len(reason) < 40] == []
