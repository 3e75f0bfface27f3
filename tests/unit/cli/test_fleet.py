"""`list --all`, `doctor --all`, `cost --all`: a line for each environment, the worst first, and an exit code."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.cli.conftest import STACK_PARAMETERS
from tests.unit.cli.environment import refusal
from tests.unit.cli.made import BUCKET, Made


@pytest.fixture
def fleet(made: Made, fakes: dict[str, Any]) -> Made:
    """Give three environments: prod with a fresh export, test without any, gone without a bucket."""
    made.export()
    for name, bucket in (("test", BUCKET), ("gone", "no-such-bucket")):
        outputs = made.outputs() | {"ExportBucketName": bucket}
        fakes["cloudformation"].add(name, STACK_PARAMETERS | {"MwaaEnvironmentName": name}, outputs)
    return made


def test_given_environments_then_list_says_of_each_whether_it_has_a_fresh_export_the_worst_first(fleet, run):
    result = run("list", "--all")
    lines = [line.split()[:2] for line in result.out.splitlines()[1:-1] if not line.startswith(" ")]
    assert result.out.splitlines()[-1] == "All about one of them: mwaa-metadata-export doctor -e <environment>"
    assert (result.code, lines) == (1, [["fail", "test"], ["unknown", "gone"], ["pass", "prod"]])
    assert [each["environment"] for each in run("list", "--all", "--json").json] == ["test", "gone", "prod"]


@pytest.mark.parametrize(
    ("removed", "code"), [({"test"}, 3), ({"test", "gone"}, 0)], ids=["one is unknown", "all is well"]
)
def test_given_less_that_is_bad_then_the_exit_code_says_so(fleet, fakes, run, removed, code):
    for name in removed:
        del fakes["cloudformation"].stacks[name]
    assert run("list", "--all").code == code


def test_given_environments_then_doctor_says_in_a_line_which_checks_fail(sound, fakes, run):
    fakes["cloudformation"].add("test", STACK_PARAMETERS | {"MwaaEnvironmentName": "test"}, sound.outputs())
    result = run("doctor", "--all", "--json")
    bad, good = result.json
    assert (result.code, bad["environment"], bad["verdict"], good["verdict"]) == (1, "test", "fail", "pass")
    assert "fail: " in bad["detail"]
    assert bad["fix"] == "mwaa-metadata-export doctor -e test"


def test_given_environments_then_cost_has_the_dearest_first_and_a_total(fleet, fakes, run):
    result = run("cost", "--all")
    assert result.code == 3
    assert [line.split()[0] for line in result.out.splitlines()] == [
        "environment",
        "prod",
        "total",
        "unknown",
        "unknown",
    ]
    document = run("cost", "--all", "--json").json
    assert ([each["environment"] for each in document["environments"]], set(document["unknown"])) == (
        ["prod"],
        {"test", "gone"},
    )


@pytest.mark.parametrize("option", ["-e", "--stack", "--bucket"])
def test_given_one_environment_too_then_it_is_refused(fleet, run, option):
    result = run("list", "--all", option, "prod")
    assert (result.code, result.out) == (2, "")
    assert "exclude each other" in result.err


def test_given_all_then_expiring_is_not_ignored(fleet, run):
    result = run("list", "--all", "--expiring")
    assert (result.code, result.out) == (2, "")
    assert "--all and --expiring exclude each other" in result.err


def test_given_the_variable_for_one_environment_then_all_means_all(fleet, run, monkeypatch):
    monkeypatch.setenv("MWAA_EXPORT_ENVIRONMENT", "prod")
    assert len(run("list", "--all", "--json").json) == 3


def test_given_no_stack_then_it_says_so(fleet, fakes, run):
    fakes["cloudformation"].stacks.clear()
    result = run("list", "--all")
    assert (result.code, "There is no stack of this project in region" in result.err) == (4, True)


def test_given_an_expired_login_then_that_is_said_and_not_an_unknown_for_each(fleet, fakes, run):
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            raise refusal("ExpiredToken")

    fakes["s3"] = Refusing()
    result = run("list", "--all")
    assert (result.code, result.out) == (3, "")
    assert "Your AWS login has expired" in result.err


def test_given_an_old_export_then_the_hours_of_its_own_stack_count(fleet, fakes, run):
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"].append(
        {"ParameterKey": "AlarmAfterHours", "ParameterValue": "2"}
    )
    fleet.export(timedelta(hours=5))
    found = {each["environment"]: each["verdict"] for each in run("list", "--all", "--json").json}
    assert found["prod"] == "fail"
