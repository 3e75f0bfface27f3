"""What the template promises: encryption, retention, dead letters, least privilege, and the names of the contracts."""

import json
import re

import pytest
from export_runtime.console import console

from export_cli.aws import Aws
from tests.contract_examples import base, examples

from .definitions import (
    ROOT,
    as_list,
    flow_arguments,
    identity_statements,
    job_defaults,
    resources,
    state_machine,
    template,
)

FUNCTIONS = resources("AWS::Serverless::Function")
LOG_GROUPS = resources("AWS::Logs::LogGroup")
TAG = "mwaa-environment"
RULES = resources("AWS::Events::Rule")
JOBS = resources("AWS::Glue::Job")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_has_a_log_group_and_a_role_of_its_own(function):
    assert function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in LOG_GROUPS
    roles = [other["Properties"]["Role"] for other in FUNCTIONS.values()]
    assert roles.count(function["Properties"]["Role"]) == 1


def test_the_command_waits_as_long_as_the_function_that_it_invokes_may_take():
    waits = Aws(None, "eu-central-1").client("lambda").meta.config.read_timeout
    assert waits > FUNCTIONS["PublishAssetsFunction"]["Properties"]["Timeout"]


@pytest.mark.parametrize("group", LOG_GROUPS.values(), ids=LOG_GROUPS)
def test_every_log_group_forgets(group):
    assert group["Properties"]["RetentionInDays"] > 0


@pytest.mark.parametrize("name", ["ExportBucket", "ExportKey", "FernetKeySecret", "FernetKmsKey"])
def test_what_holds_exports_or_reads_them_survives_the_stack(name):
    resource = template()["Resources"][name]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_bucket_is_encrypted_private_and_versioned():
    [bucket] = resources("AWS::S3::Bucket").values()
    [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_answers_over_tls_only():
    [policy] = resources("AWS::S3::BucketPolicy").values()
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
    ],
)
def test_secret_and_topic_use_the_stacks_key(kind, key):
    of_its_own = {"FernetKeySecret"}  # whoever reads exports uses the stack's key
    for name in resources(kind).keys() - of_its_own:
        assert resources(kind)[name]["Properties"][key] == {
            "Fn::If": ["CreatesKey", {"Fn::GetAtt": ["ExportKey", "Arn"]}, {"Ref": "ExistingKeyArn"}]
        }


def test_schedule_and_rule_keep_what_they_cannot_deliver():
    schedules = resources("AWS::Scheduler::Schedule").values()
    rules = resources("AWS::Events::Rule").values()
    targets = [schedule["Properties"]["Target"] for schedule in schedules]
    targets += [each for rule in rules for each in rule["Properties"]["Targets"]]

    assert [target["DeadLetterConfig"] for target in targets] == [
        {"Arn": {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}}
    ] * 5


def test_the_queue_is_encrypted_with_a_key_that_eventbridge_can_use():
    """A key of ours would need a statement for EventBridge without conditions; a lost dead letter tells nobody."""
    [queue] = resources("AWS::SQS::Queue").values()

    assert queue["Properties"]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_a_rule_invokes_keeps_what_it_cannot_handle(rule):
    [target] = rule["Properties"]["Targets"]
    name = target["Arn"]["Fn::GetAtt"][0]
    invoked = FUNCTIONS[name]["Properties"]["EventInvokeConfig"]

    assert invoked["MaximumRetryAttempts"] == 2
    assert invoked["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]},
    }
    assert identity_statements()["ReportFailureRole-KeepUndelivered"]["Resource"] == {
        "Fn::GetAtt": ["UndeliveredQueue", "Arn"]
    }


def test_only_the_rules_may_invoke_a_function_from_outside():
    permissions = [permission["Properties"] for permission in resources("AWS::Lambda::Permission").values()]

    assert {each["Principal"] for each in permissions} == {"events.amazonaws.com"}
    assert [each["SourceArn"] for each in permissions] == [{"Fn::GetAtt": [name, "Arn"]} for name in RULES]
    assert all(each["SourceAccount"] == {"Ref": "AWS::AccountId"} for each in permissions)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_unsuccessful_end_of_an_execution_is_alerted(rule):
    assert rule["Properties"]["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_glue_job_pins_what_aws_would_choose_and_never_retries_itself(job):
    assert {"GlueVersion", "Timeout", "WorkerType"} <= set(job["Properties"])
    assert job["Properties"]["MaxRetries"] == 0


def test_names_are_those_of_the_contracts():
    names = {
        kind: [resource["Properties"]["Name"]["Fn::Sub"] for resource in resources(kind).values()]
        for kind in ("AWS::Serverless::StateMachine", "AWS::Glue::Job", "AWS::SecretsManager::Secret")
    }

    assert names == {
        "AWS::Serverless::StateMachine": [
            "${MwaaEnvironmentName}-metadata-export",
            "${MwaaEnvironmentName}-db-restore",
            "${MwaaEnvironmentName}-db-drill",
        ],
        "AWS::Glue::Job": [
            "${MwaaEnvironmentName}-metadata-export",
            "${MwaaEnvironmentName}-metadata-restore",
            "${MwaaEnvironmentName}-metadata-drill",
        ],
        "AWS::SecretsManager::Secret": [
            "${MwaaEnvironmentName}-metadata-export/database",
            "${MwaaEnvironmentName}-metadata-export/fernet-key",
            "${MwaaEnvironmentName}-metadata-export/restore",
        ],
    }


SINCE_0_1_0 = {"--INCLUDE_TABLES", "--WINDOWS", "--MASK_COLUMNS", "--FORMATS"}
"""what the flow of 0.1.0 does not give: a redrive keeps the flow that its execution began with"""


def test_the_job_gets_exactly_the_arguments_of_the_contracts():
    text = (ROOT / "docs/contracts/README.md").read_text().partition("## Glue job arguments of a restore")[0]
    documented = set(re.findall(r"^\| `(--[A-Z_0-9]+)`", text, re.MULTILINE))
    given = {name for name in {*job_defaults(), *flow_arguments()} if name.isupper()}

    assert given == documented == set(base("job_arguments"))
    assert flow_arguments() & job_defaults().keys() == SINCE_0_1_0


def test_the_schedule_starts_an_execution_as_the_contract_has_it():
    schedule = resources("AWS::Scheduler::Schedule")["FallbackSchedule"]
    documents = [example.document for example in examples("execution_input", "valid")]

    assert json.loads(schedule["Properties"]["Target"]["Input"]) == {"trigger": "schedule"}
    assert {"trigger": "schedule"} in documents


DRILL = {name for name, body in template()["Resources"].items() if "Drill" in name or name in ("UnprovenAlarm",)}


def test_without_drills_nothing_of_them_exists():
    assert template()["Conditions"]["Drills"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DrillSchedule"}, "none"]}]}
    assert len(DRILL) == 15
    assert {template()["Resources"][name].get("Condition") for name in DRILL} == {"Drills"}
    conditional = {name for name, body in template()["Resources"].items() if body.get("Condition") == "Drills"}
    assert conditional == DRILL


def test_the_drill_knows_no_database_but_its_own():
    job = JOBS["DrillJob"]["Properties"]
    statements = [body for name, body in identity_statements().items() if name.startswith("DrillJobRole-")]
    allowed = {action for body in statements for action in as_list(body["Action"])}

    assert "Connections" not in job
    assert not [action for action in allowed if action.startswith(("secretsmanager:", "glue:", "ec2:"))]
    assert {each for each in allowed if each.startswith("s3:")} == {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}


def test_the_job_of_the_drill_gets_exactly_the_arguments_of_the_contracts():
    text = (ROOT / "docs/contracts/README.md").read_text()
    section = text.partition("## Glue job arguments of a drill")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(--[A-Z_0-9]+)`", section, re.MULTILINE))
    by_flow = state_machine("drill")["States"]["Try Export"]["Arguments"]["Arguments"]
    by_template = JOBS["DrillJob"]["Properties"]["DefaultArguments"]

    assert documented == {name for name in {*by_flow, *by_template} if name.isupper()}
    assert len(documented) == 4


def test_a_run_writes_into_the_stack_s_log_groups_and_alerts_lead_to_what_it_printed():
    # AWS documented: what a Glue script prints is in <prefix>/output. https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
    prefixes = [job["Properties"]["DefaultArguments"]["--custom-logGroup-prefix"]["Fn::Sub"] for job in JOBS.values()]
    groups = {name: group["Properties"]["LogGroupName"] for name, group in resources("AWS::Logs::LogGroup").items()}
    of_glue = {name: group["Fn::Sub"] for name, group in groups.items() if "/aws-glue/" in str(group)}
    assert list(of_glue.values()) == [f"{prefix}/{kind}" for prefix in prefixes for kind in ("output", "error")]

    functions = resources("AWS::Serverless::Function").values()
    variables = [function["Properties"]["Environment"]["Variables"] for function in functions]
    linked = [each["GLUE_LOG_GROUP"] for each in variables if "GLUE_LOG_GROUP" in each]
    assert linked == [{"Ref": "ExportJobOutput"}] * 2


def test_whatever_can_have_a_tag_says_for_which_environment_it_is():
    """By CloudFormation's own schemas. Functions have theirs from Globals."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as SCHEMAS  # five seconds, see test_state_machine

    of_service = {"AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine"}
    kinds = {name: of_service.get(body["Type"], body["Type"]) for name, body in template()["Resources"].items()}
    kinds = {name: kind for name, kind in kinds.items() if kind.startswith("AWS::") and "Serverless" not in kind}
    schemas = {kind: SCHEMAS.get_resource_schema("us-east-1", kind).schema for kind in kinds.values()}
    taggable = {name for name, kind in kinds.items() if schemas[kind].get("tagging", {}).get("taggable")}
    tagged = {name for name in kinds if TAG in str(template()["Resources"][name]["Properties"].get("Tags"))}

    assert len(taggable) > 25
    assert tagged == taggable
    assert TAG in template()["Globals"]["Function"]["Tags"]


@pytest.mark.parametrize("name", template()["Parameters"])
def test_every_parameter_says_what_it_is(name):
    parameter = template()["Parameters"][name]

    assert parameter["Description"].endswith(".")
    if "AllowedValues" not in parameter:  # those CloudFormation lists
        assert parameter["ConstraintDescription"].startswith("must be ")


def test_every_parameter_is_in_a_group_of_the_console():
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(p for group in groups for p in group["Parameters"]) == sorted(template()["Parameters"])


def test_only_name_and_address_have_no_default():
    assert {n for n, p in template()["Parameters"].items() if "Default" not in p} == {
        "MwaaEnvironmentName",
        "AlertEmail",
    }


@pytest.mark.parametrize(
    ("partition", "condition"), [("aws-cn", "InChina"), ("aws-us-gov", "InGovCloud"), ("aws", None)]
)
def test_given_a_partition_then_people_are_led_to_the_console_that_it_has(partition, condition):
    text = (ROOT / "template.yaml").read_text()
    lines = [line for line in text.splitlines() if "console.aws.amazon.com" in line]
    address = console(f"arn:{partition}:states:here:123456789012:x").removeprefix("https://here.")
    assert len(lines) == 4
    assert [line for line in lines if f"{condition}, {address}" not in line and f" {address}]" not in line] == []
    if condition:
        assert template()["Conditions"][condition] == {"Fn::Equals": [{"Ref": "AWS::Partition"}, partition]}


def test_given_china_then_the_endpoint_of_step_functions_has_the_name_that_it_has_there():
    prefix = {"Fn::If": ["InChina", "cn.com.amazonaws", "com.amazonaws"]}
    service = template()["Resources"]["StatesInterface"]["Properties"]["ServiceName"]
    assert service == {"Fn::Sub": ["${Prefix}.${AWS::Region}.states", {"Prefix": prefix}]}
