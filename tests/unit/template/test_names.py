"""Several environments in one account: every physical name holds the environment's name, or CloudFormation makes it."""

import pytest

from .definitions import resources, template

# What can be named, by which property, and how long the name may be. Without the property CloudFormation generates one,
# from the stack's name and within the service's limit.
NAMES = {
    "AWS::Athena::WorkGroup": ("Name", 128),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::EC2::SecurityGroup": ("GroupName", 255),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::Glue::Job": ("Name", 255),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Logs::QueryDefinition": ("Name", 255),
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::SNS::Topic": ("TopicName", 256),
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::Scheduler::Schedule": ("Name", 64),
    "AWS::SecretsManager::Secret": ("Name", 512),
    "AWS::Serverless::Function": ("FunctionName", 64),
    "AWS::Serverless::LayerVersion": ("LayerName", 140),
    "AWS::Serverless::StateMachine": ("Name", 80),
    "Custom::CreatedConnection": ("ConnectionName", 255),
}
# Known by an id, or only inside another resource that is in the table.
NAMELESS = {
    "AWS::Athena::NamedQuery",  # in a workgroup, whose name is given
    "AWS::EC2::VPCEndpoint",
    "AWS::Glue::Database",  # named by a parameter
    "AWS::IAM::RolePolicy",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "Custom::PublishedAssets",
    "Custom::PublishedDag",
}
LONGEST = "e" * 64
GIVEN = {
    f"{logical_id}.{name}": (resource["Properties"][name], limit)
    for kind, (name, limit) in NAMES.items()
    for logical_id, resource in resources(kind).items()
    if name in resource["Properties"]
}


def test_every_type_of_the_template_is_looked_at():
    assert {resource["Type"] for resource in template()["Resources"].values()} <= set(NAMES) | NAMELESS


def test_names_are_found_at_all():
    assert len(GIVEN) > 12


@pytest.mark.parametrize(("name", "limit"), GIVEN.values(), ids=GIVEN)
class TestEveryGivenName:
    def test_holds_the_environments_name(self, name, limit):
        assert "${MwaaEnvironmentName}" in name["Fn::Sub"]

    def test_fits_for_the_longest_environment(self, name, limit):
        assert len(name["Fn::Sub"].replace("${MwaaEnvironmentName}", LONGEST)) <= limit


def test_no_longer_environment_is_accepted():
    assert template()["Parameters"]["MwaaEnvironmentName"]["AllowedPattern"].endswith("{0,63}$")


OF_A_PLACE = {
    name: policy
    for name, policy in resources("AWS::IAM::RolePolicy").items()
    if policy["Properties"]["RoleName"] == {"Ref": "PublishAssetsRole"}
}


@pytest.mark.parametrize("policy", OF_A_PLACE.values(), ids=OF_A_PLACE)
def test_a_policy_of_a_place_is_named_after_it_and_fits(policy):
    name = policy["Properties"]["PolicyName"]["Fn::Sub"]
    text = name if isinstance(name, str) else name[0]

    assert text.count("${") == 1
    assert len(text.split("${")[0]) + 64 <= 128
