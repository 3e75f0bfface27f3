"""Which environment is meant: by name, by stack, by bucket, or because there is only one."""

import pytest

from tests.unit.cli.conftest import STACK_PARAMETERS


@pytest.fixture
def two(made, fakes):
    """Give a second environment, whose stack has a name of its own."""
    fakes["cloudformation"].add(
        "team-b", STACK_PARAMETERS | {"MwaaEnvironmentName": "test"}, {**made.outputs(), "ExportBucketName": "other"}
    )
    fakes["cloudformation"].add("unrelated", {"Name": "x"}, {"ExportLocation": "s3://x"})


def test_given_one_stack_then_no_name_is_needed(made, run):
    made.export()
    assert run("list").code == 0


def test_given_two_stacks_and_no_name_then_both_are_named(two, run):
    result = run("list")
    assert (result.code, result.out) == (2, "")
    assert "Say --environment. Stacks there are for: prod, test." in result.err


def test_given_a_name_then_its_stack_is_found(two, made, run):
    made.export()
    assert run("list", "-e", "prod", "--json").json[0]["status"] == "COMPLETE"


def test_given_the_name_in_the_variable_then_it_counts(two, made, run, monkeypatch):
    made.export()
    monkeypatch.setenv("MWAA_EXPORT_ENVIRONMENT", "prod")
    assert run("list").code == 0


def test_given_a_stack_of_another_name_then_its_parameter_tells(two, run, made):
    made.s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    result = run("list", "-e", "test")
    assert "No export yet below s3://other/exports/test-backups/" in result.out


def test_given_a_wrong_environment_then_the_right_ones_are_named(made, run):
    result = run("list", "-e", "prood")
    assert result.code == 4
    assert "exports the environment prood. Stacks there are for: prod." in result.err


def test_given_no_stack_at_all_then_it_says_so(made, fakes, run):
    fakes["cloudformation"].stacks.clear()
    result = run("list")
    assert result.code == 4
    assert "There is no stack of this project. Check --region" in result.err


def test_given_a_stack_that_does_not_exist_then_it_says_so(made, run):
    assert run("list", "--stack", "nope").code == 4


def test_given_stack_and_environment_that_differ_then_neither_is_believed(two, run):
    result = run("list", "--stack", "team-b", "-e", "prod")
    assert result.code == 2
    assert "Stack team-b exports the environment test, not prod" in result.err


def test_given_a_bucket_then_no_stack_is_needed(made, fakes, run):
    made.export()
    fakes["cloudformation"].stacks.clear()
    assert run("verify", "-e", "prod", "--bucket", "prod-exports", "--base-prefix", "exports/").code == 0


@pytest.mark.parametrize(
    "command", [["list"], ["show"], ["verify"], ["diff"], ["cost"], ["export"], ["doctor"]], ids=str
)
def test_given_no_credentials_then_every_command_says_so(command, run, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run(*command)
    assert (result.code, result.out) == (3, "")
    assert "You are not logged in to AWS. Log in" in result.err


def test_given_no_region_then_it_says_so(run, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = run("list")
    assert result.code == 3
    assert "Say it with --region, or set AWS_REGION" in result.err


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_given_the_region_in_a_variable_then_it_counts(made, run, monkeypatch, variable):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv(variable, "eu-central-1")
    assert run("list").code == 0


def test_given_an_unknown_profile_then_it_says_so(run):
    result = run("list", "--profile", "nobody")
    assert result.code == 3
    assert "nobody" in result.err


def test_given_a_stack_without_a_parameter_then_nothing_is_assumed(made, fakes, run):
    made.export()
    stack = fakes["cloudformation"].stacks["prod-metadata-export"]
    stack["Parameters"] = [each for each in stack["Parameters"] if each["ParameterKey"] != "MaxAgeInDays"]
    result = run("list")
    assert result.code == 4
    assert "The stack of prod has no parameter MaxAgeInDays: deploy it again." in result.err
