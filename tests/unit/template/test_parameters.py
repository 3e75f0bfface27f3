"""Parameters: what they accept, what belongs together, and that all of it is documented."""

import re
from itertools import chain

import pytest
from plan_export.settings import read_coverage

from local.rehearsal.changes import CHANGES, COMPANIONS
from local.rehearsal.steps import REFUSED

from .definitions import ROOT, template

PARAMETERS = template()["Parameters"]
INTERFACE = template()["Metadata"]["AWS::CloudFormation::Interface"]
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", (ROOT / "docs" / "configure.md").read_text(), re.MULTILINE))
# A good value of each pattern, and one that must be refused.
PATTERNS = {
    "AlertEmail": ("team@example.com", "team"),
    "BasePrefix": ("airflow/exports", "/exports/"),
    "CatalogDatabase": ("orders_metadata", "Orders-metadata"),
    "DagBucketName": ("orders-mwaa", "Orders_MWAA"),
    "DagPrefix": ("dags", "dags/"),
    "DrillSchedule": ("none", "weekly"),
    "EndpointClientSecurityGroupId": ("sg-0123456789abcdef0", "sg-012"),
    "EndpointRouteTableIds": ("rtb-01234567,rtb-0123456789abcdef0", "rtb-01234567, rtb-01234567"),
    "EndpointSubnetIds": ("subnet-01234567,subnet-0123456789abcdef0", "subnet-01234567,"),
    "EndpointVpcId": ("vpc-01234567", "vpc"),
    "ExcludeTables": ("other-team,Other Team,2024_audit", "log, job"),
    "ExistingBucketName": ("company.exports", "s3://company-exports"),
    "ExistingKeyArn": (
        "arn:aws:kms:eu-west-1:123456789012:key/0a-1b",
        "arn:aws:kms:eu-west-1:123456789012:alias/exports",
    ),
    "IncludeTables": ("log", 'log,"job"'),
    "MaskColumns": ("trigger.kwargs,log.extra", "trigger"),
    "MaxAgeInDays": ("null", "3651"),
    "MwaaEnvironmentName": ("Orders_1-a", "1orders"),
    "PermissionsBoundaryArn": ("arn:aws-cn:iam::123456789012:policy/team/Boundary", "arn:aws:iam::123456789012:role/x"),
    "ReplicaBucketArn": ("arn:aws:s3:::copies.of-exports", "copies-of-exports"),
    "ReplicaKeyArn": ("arn:aws:kms:eu-west-1:123456789012:key/0a-1b", "arn:aws:kms:eu-west-1:123456789012:alias/x"),
    "RestoreExportArns": (
        "arn:aws:s3:::their.exports/exports/orders-backups/*,arn:aws-cn:s3:::b0b/x/*",
        "arn:aws:s3:::their-exports",
    ),
    "RestoreFernetKeyArns": (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:old-metadata-export/fernet-key-AbCdEf",
        "old-metadata-export/fernet-key",
    ),
    "RestoreKeyArns": (
        "arn:aws:kms:eu-west-1:123456789012:key/0a-1b,arn:aws:kms:eu-west-1:123456789012:key/2c",
        "arn:aws:kms:eu-west-1:123456789012:key/0a-1b, arn:aws:kms:eu-west-1:123456789012:key/2c",
    ),
    "ScheduleExpression": ("cron(0 6 * * ? *)", "0 6 * * *"),
    "ScheduleTimezone": ("America/Argentina/Buenos_Aires", "Europe Berlin"),
}


def test_the_words_that_the_rehearsal_looks_for_are_those_of_the_template():
    said = [body["ConstraintDescription"] for body in PARAMETERS.values() if "ConstraintDescription" in body]
    said += [each["AssertDescription"] for rule in template()["Rules"].values() for each in rule["Assertions"]]
    assert [words for _, words in REFUSED if not any(words in each for each in said)] == []


def test_every_pattern_has_an_example():
    assert set(PATTERNS) == {name for name, body in PARAMETERS.items() if "AllowedPattern" in body}


@pytest.mark.parametrize(("name", "good", "bad"), [(name, *values) for name, values in PATTERNS.items()], ids=PATTERNS)
def test_a_pattern_accepts_what_is_right_and_refuses_what_is_not(name, good, bad):
    pattern = re.compile(PARAMETERS[name]["AllowedPattern"])

    assert pattern.search(good)
    assert not pattern.search(bad)


@pytest.mark.parametrize("parameter", ["IncludeTables", "ExcludeTables"])
@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("log,job,_xcom_archive", True),
        ("celery.celery_taskmeta", True),
        ("a" * 127, True),
        ("a" * 128, False),
        (r'["a,b", "say \"hi\"", "\u00fcn\u00ef"]', True),
        ('["x"]', True),
        ("ünï", False),
        ('["ünï"]', False),
        ("[log]", False),
        ('["log"', False),
        ('["log",]', False),
        (r'["\u12"]', False),
        ("log,,job", False),
        ("log,", False),
        (" log", False),
        ("log\njob", False),
    ],
)
def test_table_names_are_a_list_of_commas_or_of_json_in_ascii(parameter, value, accepted):
    assert bool(re.search(PARAMETERS[parameter]["AllowedPattern"], value)) is accepted
    if accepted:
        field = {"IncludeTables": "include_tables", "ExcludeTables": "exclude_tables"}[parameter]
        texts = {"include_tables": "", "exclude_tables": "", field: value}
        names = getattr(read_coverage("30", **texts), field) if len(value) < 127 else (value,)
        assert names


@pytest.mark.parametrize("name", [name for name, body in PARAMETERS.items() if "Default" in body])
def test_a_default_is_accepted_by_its_own_constraints(name):
    body = PARAMETERS[name]
    default = str(body["Default"])

    assert re.search(body.get("AllowedPattern", ""), default)
    assert default in body.get("AllowedValues", [default])
    if body["Type"] == "Number":
        assert body["MinValue"] <= int(default) <= body.get("MaxValue", int(default))


def test_every_parameter_has_a_label():
    assert set(INTERFACE["ParameterLabels"]) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_documented_with_its_default(name):
    default = PARAMETERS[name].get("Default")
    shown = "-" if default is None else "empty" if default == "" else f"`{default}`"

    assert ROWS.get(name) == shown


def test_every_parameter_is_changed_in_the_rehearsal():
    assert {change.parameter for change in CHANGES} | COMPANIONS == set(PARAMETERS)


def test_a_rule_says_in_a_sentence_what_is_wrong():
    assertions = list(chain.from_iterable(rule["Assertions"] for rule in template()["Rules"].values()))

    assert len(assertions) > 4
    assert [each["AssertDescription"] for each in assertions if not each["AssertDescription"].endswith(".")] == []


@pytest.mark.parametrize("prefix", ["assets", "assets/x", "kept", "kept/x", "..", "a/../b", "./a", "a/."])
def test_the_base_prefix_is_apart_from_the_assets_and_holds_no_dots_alone(prefix):
    """The bucket's rules archive and delete what is below it, also the Glue job's script if that were there."""
    assert not re.search(PARAMETERS["BasePrefix"]["AllowedPattern"], prefix)


@pytest.mark.parametrize("prefix", ["assets2", "kept2", "my/assets", "a.b", "..a", "exports"])
def test_the_base_prefix_may_be_anything_else(prefix):
    assert re.search(PARAMETERS["BasePrefix"]["AllowedPattern"], prefix)
