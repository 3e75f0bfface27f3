"""What the services around the export document that they refuse: Secrets Manager, EC2, MWAA, Step Functions.

AWS documented: the errors of GetSecretValue. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

AWS documented: the errors of EC2. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html

AWS documented: the errors of GetEnvironment. https://docs.aws.amazon.com/mwaa/latest/API/API_GetEnvironment.html
"""

import pytest

from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT

ALWAYS = None
SMALL = ["variable"]
LONGER_THAN_THE_SDK = 4
KMS_DENIED = "Access to KMS is not allowed"
CALLS = {
    "the secret": ("secretsmanager", "GetSecretValue", "ThrottlingException", 400, "read secret"),
    "the environment": ("airflow", "GetEnvironment", "ThrottlingException", 429, f"MWAA environment {ENVIRONMENT}"),
    "the subnets": ("ec2", "DescribeSubnets", "RequestLimitExceeded", 503, "subnet"),
    "the connection": ("glue", "GetConnection", "ThrottlingException", 400, "read Glue connection"),
}


@pytest.mark.parametrize("what", CALLS)
def test_throttled_for_a_while(scenario: Scenario, what: str) -> None:
    """What Prepare Connection reads is throttled for longer than the SDK tries."""
    service, operation, code, status, _ = CALLS[what]
    throttled = scenario.faults.refuse(service, operation, code, status, times=LONGER_THAN_THE_SDK)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert throttled.hits == LONGER_THAN_THE_SDK


@pytest.mark.parametrize("what", CALLS)
def test_always_throttled(scenario: Scenario, what: str) -> None:
    """What Prepare Connection reads is throttled for good."""
    service, operation, code, status, said = CALLS[what]
    scenario.faults.refuse(service, operation, code, status, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", said, code, "It may pass")
    assert control.runs_of(scenario) == []


@pytest.mark.parametrize(
    ("code", "message"), [("AccessDeniedException", KMS_DENIED), ("DecryptionFailure", "Secrets Manager can't decrypt")]
)
def test_secret_cannot_be_decrypted(scenario: Scenario, code: str, message: str) -> None:
    """The key of the secret may not be used, or does not decrypt it."""
    scenario.faults.refuse("secretsmanager", "GetSecretValue", code, 400, message, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "Could not read secret", message, "use its KMS key")


def test_secret_without_a_current_version(scenario: Scenario) -> None:
    """The secret has no version with the label AWSCURRENT any more; a new value makes one."""
    secrets, secret = scenario.client("secretsmanager"), scenario.pipeline.outputs["SecretArn"]
    versions = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    [current] = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
    secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSPENDING", MoveToVersionId=current)
    secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", RemoveFromVersionId=current)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Prepare Connection", "the secret has no value yet", "trigger the DAG")
    scenario.publish()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)


@pytest.mark.parametrize(
    ("code", "message", "tells"),
    [
        ("ThrottlingException", "Rate exceeded", "ThrottlingException"),
        ("AccessDeniedException", KMS_DENIED, KMS_DENIED),
    ],
    ids=["throttled", "key denied"],
)
def test_secret_refused_to_the_run(scenario: Scenario, code: str, message: str, tells: str) -> None:
    """Secrets Manager refuses the secret to every run, after it was read by Prepare Connection; a redrive exports."""
    with scenario.faults.held("glue", "StartJobRun") as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        refused = scenario.faults.refuse("secretsmanager", "GetSecretValue", code, 400, message, times=ALWAYS)
    scenario.must_fail("definitions", "cannot read the secret", tells)
    refused.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario)


@pytest.mark.parametrize(
    ("operation", "code"),
    [("DescribeSubnets", "InvalidSubnetID.NotFound"), ("DescribeSecurityGroups", "InvalidGroup.NotFound")],
)
def test_network_deleted(scenario: Scenario, operation: str, code: str) -> None:
    """A subnet or security group of the environment is deleted."""
    scenario.faults.refuse("ec2", operation, code, 400, "The ID 'of-the-environment' does not exist", times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", code, "of-the-environment")


def test_environment_may_not_be_read(scenario: Scenario) -> None:
    """GetEnvironment is refused to Prepare Connection."""
    scenario.faults.refuse("airflow", "GetEnvironment", "AccessDeniedException", 403, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "AccessDeniedException", "airflow:GetEnvironment")


def test_holder_of_the_lock_cannot_be_asked(scenario: Scenario) -> None:
    """DescribeExecution is throttled for good, so that nobody knows whether the lock is held: nothing is exported."""
    throttled = scenario.faults.refuse("states", "DescribeExecution", "ThrottlingException", times=ALWAYS)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Plan Export", "look at execution", "ThrottlingException", "COULD NOT BE DONE")
    assert control.runs_of(scenario) == []
    throttled.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
