"""Everything that is wrong, in one message; otherwise the target of the connection."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from export_runtime.errors import TerminalError
from prepare_connection.errors import ConnectionImpossibleError
from prepare_connection.preparation import Findings, find_target, read_settings

from tests.unit.lambdas.prepare_connection.networks import ENVIRONMENT, group, network, subnet
from tests.unit.lambdas.prepare_connection.test_database_secret import NOW, SECRET
from tests.unit.template.definitions import variables

VARIABLES = variables("PrepareConnectionFunction")
SETTINGS = read_settings(VARIABLES)


def findings(**changes) -> Findings:
    """Return findings with which the export works, with changes."""
    parts = {"secret": json.dumps(SECRET), "environment": ENVIRONMENT, "network": network()}
    return Findings(**{**parts, **changes})


def test_given_everything_works_then_the_target_follows_from_it():
    target = find_target(SETTINGS, findings(), NOW, None)
    assert (target.name, target.subnet.id, target.security_group_ids) == ("prod-metadata-export", "subnet-a", ("sg-1",))
    assert target.database.name == "AirflowMetadata"


@pytest.mark.parametrize(
    ("in_use", "chosen"),
    [("subnet-a", "subnet-a"), ("subnet-b", "subnet-b"), ("subnet-gone", "subnet-b"), (None, "subnet-b")],
)
def test_given_a_subnet_in_use_then_it_is_kept_while_it_works(in_use, chosen):
    two = network(subnets=(subnet("subnet-a", free=50), subnet("subnet-b", free=60)))
    assert find_target(SETTINGS, findings(network=two), NOW, in_use).subnet.id == chosen


def test_given_the_subnet_in_use_works_no_more_then_another_is_taken():
    two = network(subnets=(subnet("subnet-a", free=1), subnet("subnet-b", free=60)))
    target = find_target(SETTINGS, findings(network=two), NOW, "subnet-a")
    assert target.subnet.id == "subnet-b"
    assert target.unusable_subnets.keys() == {"subnet-a"}


def test_given_everything_is_wrong_then_one_error_lists_it_all():
    wrong = findings(
        secret="{}",
        environment=replace(ENVIRONMENT, status="UPDATING"),
        network=network(security_groups=(group("sg-1", inbound=()),)),
    )
    with pytest.raises(ConnectionImpossibleError) as caught:
        find_target(SETTINGS, wrong, NOW, None)
    message = str(caught.value)
    assert [part for part in ("(1) the secret lacks", "(2) MWAA", "(3) no security group") if part not in message] == []
    assert isinstance(caught.value, TerminalError)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"secret": None}, "trigger the DAG mwaa_metadata_export", id="no secret"),
        pytest.param({"environment": None, "network": None}, "no MWAA environment prod", id="no environment"),
        pytest.param({"network": None}, "names no subnet or no security group", id="no network"),
    ],
)
def test_given_something_is_missing_then_that_is_the_error(changes, said):
    with pytest.raises(ConnectionImpossibleError, match=said):
        find_target(SETTINGS, findings(**changes), NOW, None)


def test_given_a_value_beyond_glues_limits_then_that_is_the_error():
    with pytest.raises(ConnectionImpossibleError, match="1024 characters"):
        find_target(SETTINGS, findings(secret=json.dumps({**SECRET, "dbname": "d" * 2000})), NOW, None)


def test_given_a_time_zone_then_expiry_is_compared_in_utc():
    expired = json.dumps({**SECRET, "expires_at": "2026-12-11T15:00:00+01:00"})
    with pytest.raises(ConnectionImpossibleError, match="expired at"):
        find_target(SETTINGS, findings(secret=expired), datetime(2026, 12, 11, 14, 30, tzinfo=UTC), None)
