"""`make deploy-local` in its short form: deployed, updated, a failed update, deleted - all by the SAM CLI."""

from collections.abc import Iterator

import pytest

from local.console import Progress
from local.rehearsal import changes, steps
from local.rehearsal.__main__ import account
from local.rehearsal.stack import RehearsedStack

# One of each kind: settings, another bucket for the DAG, resources that a condition adds.
CHANGED = (
    "FreshHours",
    "GlueVersion",
    "DagPrefix",
    "PermissionsBoundaryArn",
    "EndpointRouteTableIds",
    "ReplicaBucketArn",
)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsedStack]:
    """An account with a built template; the tests go from the first deployment to the deletion, in this order."""
    with account(tmp_path_factory.mktemp("rehearsal"), Progress()) as stack:
        changes.make_belongings(stack)
        yield stack


@pytest.fixture(scope="module")
def before(rehearsed: RehearsedStack) -> set[str]:
    """What the account held before the first deployment."""
    return rehearsed.everything()


def test_given_the_defaults_when_deployed_then_it_works_and_its_policy_can_be_attached(
    rehearsed: RehearsedStack, before: set[str]
) -> None:
    assert "Plan Export plans 5 groups" in steps.deploy(rehearsed)


def test_given_another_setting_of_each_kind_when_deployed_then_each_has_changed(rehearsed: RehearsedStack) -> None:
    changed = [change for change in changes.CHANGES if change.parameter in CHANGED]
    seen = [change.probe(rehearsed) for change in changed]
    given = {name: value for change in changed for name, value in change.parameters(rehearsed).items()}

    rehearsed.deploy(given)

    wanted = [change.wanted(rehearsed) for change in changed]
    assert [change.probe(rehearsed) for change in changed] == wanted
    assert [old for old, new in zip(seen, wanted, strict=True) if old == new] == []


def test_given_an_update_that_a_service_refuses_then_everything_is_as_before_and_works(
    rehearsed: RehearsedStack,
) -> None:
    said = steps.roll_back(rehearsed, steps.ROLLED_BACK[:1])

    assert "every setting as before" in said


def test_given_the_stack_when_deleted_then_bucket_and_key_stay_and_nothing_else(
    rehearsed: RehearsedStack, before: set[str]
) -> None:
    said = steps.delete(rehearsed, before, by_sam=False)

    assert "nothing is left" in said
