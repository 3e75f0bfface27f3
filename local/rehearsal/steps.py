"""The steps of the rehearsal, each of which says what it checked or fails with what it found."""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from export_runtime.version import VERSION

from local import deployment
from local.rehearsal import probes
from local.rehearsal.changes import CHANGES, REPLICA, Change
from local.rehearsal.stack import NEIGHBOUR, TAGS, RehearsedStack

EXPORT_KEY = "exports/orders-backups/2026/12/11/dag_run_143022.csv.gz"
# History and measurements, which no stack owns: what is deployed is counted by what it is, not by what was told of it.
HISTORY = ("cloudformation/", "cloudwatch/alarm_history/", "cloudwatch/metrics/")
# Of every account, but made at its first use.
DEFAULTS = {"eventbridge/buses/default", "scheduler/schedule_groups/default"}
# Where the tools put what they deploy; more stacks than one are deployed from there.
TOOLS_BUCKETS = ("aws-sam-cli-managed-default", "mwaa-metadata-export-000000000000-")


class RehearsalError(Exception):
    """A step found something else than it must."""


# Parameters, and words that the person must read.
Mistakes = Sequence[tuple[dict[str, str], str]]

# Refused before anything is touched.
REFUSED: Mistakes = (
    ({"EndpointVpcId": "vpc-12345678"}, "without EndpointRouteTableIds"),
    ({"EndpointSubnetIds": "subnet-12345678"}, "without EndpointVpcId"),
    ({"EndpointVpcId": "vpc-12345678", "EndpointSubnetIds": "subnet-12345678"}, "nobody could call"),
    ({"ExistingBucketName": "orders-mwaa"}, "the same bucket"),
    ({"BasePrefix": "assets"}, "neither assets, kept, nor below these"),
    ({"MaxAgeInDays": "0"}, "must be a number of days from 1 to 3650"),
    ({"AlertEmail": "nobody"}, "must be an e-mail address"),
)
# Accepted by CloudFormation's checks, refused by a service: the update fails half-way and is rolled back.
ROLLED_BACK: Mistakes = (
    ({"ScheduleExpression": "cron(0 25 * * ? *)", "MaxAgeInDays": "7"}, "ScheduleExpression"),
    ({"StandardIaAfterDays": "80", "RowFallPercent": "20"}, "GLACIER"),
)


def deploy(stack: RehearsedStack) -> str:
    """Deploy as a person does for the first time, with the defaults."""
    stack.deploy_first()
    _same("status", stack.status(), "CREATE_COMPLETE")
    outputs = stack.outputs()
    wanted = {**TAGS, "mwaa-environment": stack.mwaa.environment}
    for service, tags in probes.tags(stack).items():
        _same(f"tags ({service})", tags, wanted)
    policy = outputs["MwaaExecutionPolicyArn"]
    command = f"aws iam attach-role-policy --role-name <execution role of {stack.mwaa.environment}>"
    _same("Version", outputs["Version"], VERSION)
    _same("AttachPolicyCommand", outputs["AttachPolicyCommand"], f"{command} --policy-arn {policy}")
    stack.client("iam").attach_role_policy(RoleName=stack.mwaa.execution_role, PolicyArn=policy)
    return f"{len(stack.resources())} resources; policy attached as the output says; {works(stack)}"


def works(stack: RehearsedStack) -> str:
    """Say that Plan Export works: its code, role, settings, bucket and key are in use then."""
    groups = plan(stack)["groups"]
    if not groups:
        raise RehearsalError("Plan Export planned no groups")
    return f"Plan Export plans {len(groups)} groups"


def plan(stack: RehearsedStack) -> Any:
    """Call Plan Export as the state machine does, and return its plan."""
    machine = stack.resource("ExportStateMachine").replace(":stateMachine:", ":execution:")
    execution = {"id": f"{machine}:one", "name": "one", "start_time": "2026-12-11T14:30:22Z"}
    return stack.call("PlanExportFunction", {"input": {"force": True}, "execution": execution})


def deploy_neighbour(stack: RehearsedStack) -> str:
    """Deploy for a second environment of the account, whose name is as long as can be, and delete that again."""
    held = stack.everything()
    neighbour = replace(stack, mwaa=replace(stack.mwaa, environment=NEIGHBOUR))
    built = deployment.build(log=stack.log)
    answers = (neighbour.given[name] for name in ("MwaaEnvironmentName", "AlertEmail"))
    copy = stack.log.with_name("deploy.toml")
    deployment.deploy_answered(built, *answers, copy, aws_env=stack.aws.env, log=stack.log)
    shared = set(stack.resources().values()) & set(neighbour.resources().values())
    _same("resources that both stacks have", shared, set())
    said = f"{works(neighbour)}; no resource is shared"
    neighbour.delete()
    _nothing_left(held, neighbour.everything(), neighbour.kept())
    return f"{said}; {works(stack)}"


def change(stack: RehearsedStack, changed: Change) -> str:
    """Change one parameter, and look whether what it is about changed."""
    before, wanted = changed.probe(stack), changed.wanted(stack)
    if before == wanted:
        raise RehearsalError(f"{changed.parameter}: {before!r} is there before the change, so it would prove nothing")
    stack.deploy(changed.parameters(stack))
    _same(f"status after {changed.parameter}", stack.status(), "UPDATE_COMPLETE")
    _same(changed.parameter, changed.probe(stack), wanted)
    return f"{_short(before)} -> {_short(wanted)}"


def change_back(stack: RehearsedStack) -> str:
    """Deploy the defaults again, and look whether everything is as it was."""
    stack.deploy()
    for changed in CHANGES:
        if changed.probe(stack) == changed.wanted(stack):
            raise RehearsalError(f"{changed.parameter} did not go back: {changed.wanted(stack)!r} is still there")
    return works(stack)


def refuse(stack: RehearsedStack, mistakes: Mistakes = REFUSED) -> str:
    """Deploy what the template's rules and patterns forbid."""
    held = stack.everything()
    for parameters, words in mistakes:
        said = stack.refused(parameters)
        if words not in said:
            raise RehearsalError(f"{parameters} was refused, but nobody is told {words!r}: {said[-600:]}")
    _unchanged(held, stack.everything())
    return f"{len(mistakes)} mistakes refused in words before anything was touched"


def roll_back(stack: RehearsedStack, mistakes: Mistakes = ROLLED_BACK) -> str:
    """Deploy what a service refuses in the middle of the update."""
    seen, held = _seen(stack), stack.everything()
    for parameters, words in mistakes:
        said = stack.refused(parameters)
        if words not in said:
            raise RehearsalError(f"{parameters} failed, but nobody is told {words!r}: {said[-600:]}")
        _same("status", stack.status(), "UPDATE_ROLLBACK_COMPLETE")
        found = _seen(stack)
        _same("what is deployed", {name: found[name] for name in seen if found[name] != seen[name]}, {})
    _unchanged(held, stack.everything())
    return f"{len(mistakes)} failed updates rolled back, every setting as before; {works(stack)}"


def delete(stack: RehearsedStack, before: set[str], *, by_sam: bool = True) -> str:
    """Delete the stack and look for what it leaves.

    Args:
        stack: what to delete.
        before: what the account held before the first deployment.
        by_sam: by `sam delete`, which looks every 30 s only; else by CloudFormation alone.
    """
    bucket, key = stack.resource("ExportBucket"), stack.resource("ExportKey")
    detach(stack)
    stack.client("s3").put_object(Bucket=bucket, Key=EXPORT_KEY, Body=b"an export")
    make_connection(stack)
    stack.delete(by_sam=by_sam)
    try:
        raise RehearsalError(f"the stack is {stack.status()}")
    except ClientError:
        pass  # there is none
    left = _nothing_left(before, stack.everything(), stack.kept())
    for kept in (f"s3/objects/{bucket}/{EXPORT_KEY}", f"kms/keys/{key}"):
        if kept not in left:
            raise RehearsalError(f"{kept} is gone, and must be kept")
    return "bucket with its exports and key are kept; of everything else in the account nothing is left"


def detach(stack: RehearsedStack) -> None:
    """Take the stack's policy from the execution role: IAM deletes no policy that is attached."""
    iam, role = stack.client("iam"), stack.mwaa.execution_role
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])


def make_connection(stack: RehearsedStack) -> None:
    """Let Prepare Connection make the Glue connection, as the first export does."""
    secret = {"engine": "postgres", "host": "db.example.com", "port": 5432, "dbname": "AirflowMetadata"}
    secret |= {"username": "adminuser", "password": secrets.token_hex(8), "sslmode": "require"}
    arn = stack.resource("DatabaseSecret")
    stack.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(secret))
    made = stack.call("PrepareConnectionFunction", {"export": plan(stack)["export"]})
    _same("the Glue connection", made["action"], "created")


def _seen(stack: RehearsedStack) -> dict[str, object]:
    return {changed.parameter: changed.probe(stack) for changed in CHANGES}


def _nothing_left(before: set[str], after: set[str], kept: set[str]) -> set[str]:
    """Return what is there beside what was there before; fail when that is more than what is kept."""
    left = set(_lasting(after)) - set(_lasting(before))
    unexpected = sorted(name for name in left if not _is_kept(name, kept))
    if unexpected:
        raise RehearsalError(f"the deleted stack left {', '.join(unexpected)}")
    return left


def _is_kept(name: str, kept: set[str]) -> bool:
    service, store, resource, *rest = name.split("/")
    if resource == REPLICA:  # the user's own bucket, with copies of exports
        return True
    if service == "secretsmanager":
        return any(f":secret:{'/'.join((resource, *rest))}-" in each for each in kept)
    return resource in kept and ((service == "s3" and rest[:1] != ["assets"]) or (service, store) == ("kms", "keys"))


def _lasting(held: set[str]) -> Iterator[str]:
    return (
        name
        for name in held - DEFAULTS
        if not name.startswith(HISTORY) and not any(bucket in name for bucket in TOOLS_BUCKETS)
    )


def _unchanged(before: set[str], after: set[str]) -> None:
    _same("what the account holds", sorted(_lasting(after)), sorted(_lasting(before)))


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise RehearsalError(f"{what}: found {found!r}, wanted {wanted!r}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
