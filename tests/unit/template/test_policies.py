"""Who may do what: least privilege, nothing public, TLS only, nothing unencrypted, no deputy confused, nothing lost."""

import tomllib
from pathlib import Path

import pytest

from .definitions import as_list, identity_statements, resource_statements, resources, template

# By action, the condition keys that it knows.
WITHOUT_RESOURCE = tomllib.loads((Path(__file__).parent / "actions_without_resource.toml").read_text())
# AWS documented: Step Functions and Scheduler say for whom they assume a role, Lambda does not; of Glue and of S3, when
# it replicates, it is not said.
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
NAMES_ITS_ACCOUNT = {
    "states.amazonaws.com": "StringEquals",
    "scheduler.amazonaws.com": "StringEquals",
    "glue.amazonaws.com": "StringEqualsIfExists",
    "lambda.amazonaws.com": None,
    "s3.amazonaws.com": None,
}
SECRET = "AWS::SecretsManager::Secret"
OWN_ACCOUNT = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
QUEUE = {"Arn": {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}}
# Every type of the template: a new one must be asked whether it delivers without anybody waiting for it.
ASYNCHRONOUS = {"AWS::Events::Rule", "AWS::Scheduler::Schedule"}
TO_THE_TOPIC = {"AWS::CloudWatch::Alarm"}  # CloudWatch has no dead letters; it alarms again when the state changes
NOT_ASYNCHRONOUS = {
    "AWS::Athena::NamedQuery",
    "AWS::Athena::WorkGroup",
    "AWS::Glue::Database",
    *(f"AWS::IAM::{name}" for name in ("ManagedPolicy", "Role", "RolePolicy")),
    *(f"AWS::Serverless::{name}" for name in ("Function", "LayerVersion", "StateMachine")),
    *(f"AWS::EC2::{name}" for name in ("SecurityGroup", "VPCEndpoint")),
    *(f"AWS::Logs::{name}" for name in ("LogGroup", "QueryDefinition")),
    *("AWS::CloudWatch::Dashboard", "AWS::Glue::Job", "AWS::KMS::Key", "AWS::Lambda::Permission"),
    *("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::SecretsManager::Secret"),
    *("Custom::CreatedConnection", "Custom::PublishedAssets", "Custom::PublishedDag"),
}
KEY = {"Fn::If": ["CreatesKey", {"Fn::GetAtt": ["ExportKey", "Arn"]}, {"Ref": "ExistingKeyArn"}]}

IDENTITY, RESOURCE = identity_statements(), resource_statements()
ROLES = resources("AWS::IAM::Role")
RULES = resources("AWS::Events::Rule")


@pytest.mark.parametrize("statement", IDENTITY.values(), ids=IDENTITY)
class TestEveryStatementOfARole:
    def test_allows_named_actions_only(self, statement):
        assert statement["Effect"] == "Allow"
        assert [action for action in as_list(statement["Action"]) if "*" in action] == []
        assert "NotAction" not in statement
        assert "NotResource" not in statement

    def test_names_its_resources_unless_its_actions_know_none(self, statement):
        if "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= WITHOUT_RESOURCE.keys()

    def test_has_the_conditions_that_exist_when_it_names_no_resource(self, statement):
        if "*" in as_list(statement["Resource"]):
            known = set.intersection(*(set(WITHOUT_RESOURCE[action]) for action in as_list(statement["Action"])))
            used = {key for keys in statement.get("Condition", {}).values() for key in keys}
            assert used == known

    def test_mixes_no_actions_with_and_without_conditions(self, statement):
        if "*" in as_list(statement["Resource"]):
            assert len({bool(WITHOUT_RESOURCE[action]) for action in as_list(statement["Action"])}) == 1


def test_a_key_that_no_parameter_names_is_used_through_s3_for_the_dag_alone():
    [statement] = [statement for statement in IDENTITY.values() if "key/*" in str(statement["Resource"])]
    bucket = "arn:${AWS::Partition}:s3:::${DagBucketName}"

    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}},
        "StringLike": {
            "kms:EncryptionContext:aws:s3:arn": [
                {"Fn::Sub": bucket},
                {"Fn::Sub": f"{bucket}/*/mwaa_metadata_export.py"},
            ]
        },
    }


def test_the_statements_of_all_roles_and_resources_are_looked_at():
    assert len(ROLES) == 15
    assert len(IDENTITY) > 45
    assert len(RESOURCE) >= 7


def test_no_action_is_listed_that_no_statement_needs():
    starred = {a for s in IDENTITY.values() if "*" in as_list(s["Resource"]) for a in as_list(s["Action"])}

    assert starred == WITHOUT_RESOURCE.keys()


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_role_is_assumed_by_one_service_for_this_account_where_the_service_says_for_whom(role):
    [statement] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    operator = NAMES_ITS_ACCOUNT[statement["Principal"]["Service"]]

    assert statement["Action"] == "sts:AssumeRole"
    assert statement.get("Condition") == ({operator: OWN_ACCOUNT} if operator else None)


@pytest.mark.parametrize("statement", RESOURCE.values(), ids=RESOURCE)
def test_a_resource_lets_in_nobody_but_the_account_and_named_services_on_behalf_of_it(statement):
    if statement["Effect"] == "Deny":
        return
    principal = statement["Principal"]
    if "Service" in principal:
        keys = {key for keys in statement["Condition"].values() for key in keys}
        assert "aws:SourceArn" in keys
    else:
        assert principal == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}


@pytest.mark.parametrize(
    ("kind", "actions"),
    [("AWS::S3::BucketPolicy", "s3:*"), ("AWS::SNS::TopicPolicy", "sns:Publish"), ("AWS::SQS::QueuePolicy", "sqs:*")],
)
def test_bucket_topic_and_queue_answer_over_tls_only(kind, actions):
    [policy] = resources(kind).values()
    [denial] = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]

    assert denial["Principal"] == "*"
    assert denial["Action"] == actions
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nothing_can_be_called_from_the_internet():
    assert not resources("AWS::Lambda::Url")
    for function in resources("AWS::Serverless::Function").values():
        assert "FunctionUrlConfig" not in function["Properties"]
        assert "Events" not in function["Properties"]
    for group in resources("AWS::EC2::SecurityGroup").values():
        for rule in group["Properties"]["SecurityGroupIngress"]:
            assert "SourceSecurityGroupId" in rule
            assert not {"CidrIp", "CidrIpv6"} & rule.keys()
    [bucket] = resources("AWS::S3::Bucket").values()
    assert list(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == [True] * 4


def test_everything_that_is_kept_is_encrypted_with_the_key_and_the_key_rotates():
    def only(kind):
        [resource] = resources(kind).values()
        return resource["Properties"]

    [rule] = only("AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert only("AWS::SNS::Topic")["KmsMasterKeyId"] == KEY
    schedules = resources("AWS::Scheduler::Schedule").values()
    assert [schedule["Properties"]["KmsKeyArn"] for schedule in schedules] == [KEY] * 2
    assert only("AWS::SQS::Queue")["SqsManagedSseEnabled"] is True
    assert [key["Properties"]["EnableKeyRotation"] for key in resources("AWS::KMS::Key").values()] == [True, True]
    secrets = {name: secret["Properties"]["KmsKeyId"] for name, secret in resources(SECRET).items()}
    own = {"FernetKeySecret": {"Fn::GetAtt": ["FernetKmsKey", "Arn"]}}
    assert secrets == {"DatabaseSecret": KEY, "RestoreSecret": KEY} | own


def test_every_type_of_resource_is_known_to_deliver_asynchronously_or_not():
    types = {resource["Type"] for resource in template()["Resources"].values()}

    assert types - ASYNCHRONOUS - TO_THE_TOPIC == NOT_ASYNCHRONOUS


def test_every_asynchronous_path_keeps_what_it_cannot_deliver():
    targets = [target for rule in resources("AWS::Events::Rule").values() for target in rule["Properties"]["Targets"]]
    targets += [schedule["Properties"]["Target"] for schedule in resources("AWS::Scheduler::Schedule").values()]
    invoked = [target["Arn"]["Fn::GetAtt"][0] for target in targets if "Fn::GetAtt" in target["Arn"]]

    assert [target["DeadLetterConfig"] for target in targets] == [QUEUE] * 5
    for name in invoked:
        config = resources("AWS::Serverless::Function")[name]["Properties"]["EventInvokeConfig"]
        assert config["DestinationConfig"]["OnFailure"]["Destination"] == QUEUE["Arn"]
    assert invoked == ["ReportFailureFunction"] * 3


def test_the_queue_takes_what_any_rule_cannot_deliver():
    """EventBridge sends it in the rule's name; what the queue refuses is lost, and nobody is told."""
    allowed = RESOURCE["UndeliveredQueuePolicy-UndeliveredAlerts"]["Condition"]["ArnEquals"]["aws:SourceArn"]

    assert {name for each in as_list(allowed) for name in RULES if f"'{name}', 'Arn'" in str(each)} == set(RULES)
