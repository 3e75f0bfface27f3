"""One rehearsal for all tests here: every path once with recording, then some with a policy really changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local import canary, pipeline
from local.aws.authorization import record
from local.aws.server import EmulatedAws
from local.console import Progress
from local.fault_matrix import faulted_stack
from local.fault_matrix.faulted_stack import FaultedStack
from local.paths import stack_paths
from local.pipeline import STACK
from tests.iam import paths, policies
from tests.iam.mutations import Evaluation
from tests.iam.policies import Policies
from tests.iam.real import Outcome, check_names, try_all


@dataclass(frozen=True)
class Rehearsal:
    """What was seen.

    Args:
        policies: of the stack, as it was deployed.
        evaluations: every request that a role or a service made, and how it was decided.
        real: what happened on a path when a policy was really changed, by the name of the mutation.
    """

    policies: Policies
    evaluations: list[Evaluation]
    real: Mapping[str, Outcome]


@pytest.fixture(scope="session")
def rehearsal() -> Iterator[Rehearsal]:
    """The rehearsal, which ends with the deletion of the stack."""
    with faulted_stack.running(stack_paths("iam"), Progress(), _all_that_is_optional) as running:
        home = running.pipeline.aws.settings.home
        check_names(policies.read_all(running.pipeline.client, STACK))
        with canary.watched(running.pipeline):
            paths.walk_all(running)
            deployed = policies.read_all(running.pipeline.client, STACK)
            walked = record.read(home)
            real = try_all(running, deployed)
        before = len(record.read(home))
        _delete_stack(running)
        evaluations = [each for each in [*walked, *record.read(home)[before:]] if _is_ours(each, deployed)]
        yield Rehearsal(deployed, evaluations, real)


def _all_that_is_optional(aws: EmulatedAws) -> dict[str, str]:
    """Have Parquet written, and make a bucket and a key for a second copy of every export."""
    s3, kms = (pipeline.client(aws, service) for service in ("s3", "kms"))
    s3.create_bucket(Bucket=paths.COPIES)
    s3.put_bucket_versioning(Bucket=paths.COPIES, VersioningConfiguration={"Status": "Enabled"})
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_bucket_encryption(Bucket=paths.COPIES, ServerSideEncryptionConfiguration=_encrypted(key))
    theirs = pipeline.client(aws, "secretsmanager").create_secret(Name=paths.THEIR_KEYS, KmsKeyId=key)["ARN"]
    restored = {"RestoreExportArns": f"arn:aws:s3:::{paths.COPIES}/exports/*"}
    restored |= {"RestoreKeyArns": key, "RestoreFernetKeyArns": theirs}
    copies = {"ReplicaBucketArn": f"arn:aws:s3:::{paths.COPIES}", "ReplicaKeyArn": key}
    return copies | restored | {"Formats": "csv,parquet"}


def _encrypted(key: str) -> dict[str, Any]:
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}]}


def _is_ours(evaluation: Evaluation, deployed: Policies) -> bool:
    """Not what SNS asks of the queue with which the test listens."""
    request, _ = evaluation
    return request.role is not None or policies.of_resource(deployed, request.policy_of or "") is not None


def _delete_stack(running: FaultedStack) -> None:
    cloudformation = running.pipeline.client("cloudformation")
    cloudformation.delete_stack(StackName=STACK)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
