"""Can the environment's database be reached? By the rules of Prepare Connection itself."""

from typing import Any

from export_contracts.connection_mark import is_ours
from export_runtime.figures import duration
from export_runtime.store import ObjectStore
from prepare_connection.database_secret import kept_key_version, parse_secret
from prepare_connection.errors import ConnectionImpossibleError
from prepare_connection.glue_connection import GlueConnections, connection_input, differs
from prepare_connection.mwaa_environment import environment_problems
from prepare_connection.network import read_network
from prepare_connection.network_rules import judge
from prepare_connection.preparation import Findings, Settings, find_target, read_settings, subnet_in_use

from export_cli.aws import call, read_or_none
from export_cli.checks.finding import Finding, Patient, failed, passed, unknown

_TRIGGER = "Trigger the DAG mwaa_metadata_export in Airflow: it publishes the credentials that the worker has."
_UNPAUSE = "In Airflow, unpause the DAG mwaa_metadata_export and trigger it."
DAG_FILE = "mwaa_metadata_export.py"


def environment(patient: Patient) -> Finding:
    """Is the MWAA environment there, and in a state in which it can be exported?"""
    found = patient.environment
    problems = environment_problems(found, patient.target.environment)
    if problems:
        detail, _, fix = problems[0].partition(": ")
        return failed(detail, f"{fix[:1].upper()}{fix[1:]}.")
    assert found is not None  # noqa: S101 - for the type checker: a missing one is a problem
    return passed(f"{found.name} is {found.status}, Airflow {found.airflow_version}")


def execution_role(patient: Patient) -> Finding:
    """Does the environment's execution role have the policy that the DAG needs?"""
    policy = patient.target.output("MwaaExecutionPolicyArn")
    found = patient.described
    if found is None:
        return unknown("there is no environment, so there is no role", "See the check before.")
    role = str(found["ExecutionRoleArn"]).rpartition("/")[2]
    with call(f"look at the policies of role {role}", "Allow iam:ListAttachedRolePolicies on it."):
        pages = patient.aws.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role)
        attached = read_or_none(lambda: [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]])
    if attached is None:
        options = f"--name {patient.target.environment} --execution-role-arn <ARN of a role>"
        give = patient.aws_cli(f"mwaa update-environment {options}")
        return failed(f"its role {role} does not exist", f"Give the environment a role that exists: {give}")
    if policy not in attached:
        return _without_policy(patient, role, policy)
    return passed(f"{role} has the policy of the stack")


def _without_policy(patient: Patient, role: str, policy: str) -> Finding:
    detail = f"{role} has not the policy of the stack: the DAG may neither publish credentials nor start an export"
    with call(f"look at policy {policy}", "Allow iam:GetPolicy on it."):
        found = read_or_none(lambda: patient.aws.client("iam").get_policy(PolicyArn=policy))
    if found is None:
        again = patient.ours("repair --yes")
        return failed(f"the policy {policy} does not exist", f"Have it made again, then look here again: {again}")
    attach = patient.aws_cli(f"iam attach-role-policy --role-name {role} --policy-arn {policy}")
    return failed(detail, f"Attach it: {attach}")


def dag(patient: Patient) -> Finding:
    """Is the DAG in the environment's bucket, and has it ever run?"""
    found = patient.described or {}
    bucket, folder = (
        str(found.get("SourceBucketArn", "")).rpartition(":")[2],
        str(found.get("DagS3Path", "")).strip("/"),
    )
    if not (bucket and folder):
        return unknown("it is not known where the environment has its DAGs", "See the check of the environment.")
    place = f"s3://{bucket}/{folder}/"
    store = ObjectStore(patient.aws.client("s3"), bucket, "Allow s3:ListBucket on the environment's bucket.")
    there = [key for key in store.all_keys(f"{folder}/") if key.endswith(f"/{DAG_FILE}")]
    if not there:
        return failed(f"{DAG_FILE} is not below {place}", _put_dag(patient, place))
    if patient.target.stack and patient.secret is None:
        needed = ("execution role", "key", "stack")
        return failed("it has never run: it has published no credentials", patient.after(needed, _UNPAUSE))
    return passed(f"s3://{bucket}/{there[0]}, and it has run")


def _put_dag(patient: Patient, place: str) -> str:
    if patient.target.parameters.get("DagBucketName"):
        return f"Have the stack put it there again: {patient.ours('publish')}"
    copy = patient.aws_cli(f"s3 cp dags/{DAG_FILE} {place}")
    return f"Copy it there, from a checkout (a release has it beside deploy.sh): {copy}"


def network(patient: Patient) -> Finding:
    """Would Glue work in the environment's network?"""
    found = patient.environment
    if found is None or not (found.subnet_ids and found.security_group_ids):
        return unknown("there is no environment, so there is no network", "See the check of the environment.")
    read = read_network(patient.aws.client("ec2"), found.subnet_ids, found.security_group_ids)
    verdict = judge(read, _settings(patient).needed_addresses)
    if verdict.problems or not verdict.subnets:
        # Each problem brings its fix.
        return failed(
            "Glue cannot work in it", " ".join(f"({n}) {each}." for n, each in enumerate(verdict.problems, 1))
        )
    usable = f"{len(verdict.subnets)} of {len(found.subnet_ids)} subnets can be used"
    return passed(f"{usable}, best {verdict.subnets[0].id} with {verdict.subnets[0].free_addresses} free addresses")


def secret(patient: Patient) -> Finding:
    """Are the credentials there, complete and not expired? They are never shown."""
    name = patient.secret_name
    with call(f"look at secret {name}", "Allow secretsmanager:DescribeSecret on it."):
        described = read_or_none(lambda: patient.aws.client("secretsmanager").describe_secret(SecretId=name))
    if described is None:
        again = patient.ours("repair --yes")
        return failed("the secret does not exist", f"Have it made again, then trigger the DAG: {again}")
    if described.get("DeletedDate"):  # kept for some days: it can no longer be read, but it can be restored
        restore = patient.aws_cli(f"secretsmanager restore-secret --secret-id {name}")
        return failed("somebody deleted the secret", f"Bring it back while Secrets Manager keeps it: {restore}")
    _, problems = parse_secret(patient.secret, patient.now)
    if problems:
        return failed("; ".join(problems), patient.after(("execution role", "DAG"), _TRIGGER))
    changed = described.get("LastChangedDate")
    return passed(f"complete and valid, published {_age(patient, changed)}")


def fernet_key(patient: Patient) -> Finding:
    """Is the Fernet key kept, where the stack says that it is?"""
    if patient.target.parameters.get("KeepFernetKey") != "true":
        return passed("not kept: the parameter KeepFernetKey is not true")
    version = kept_key_version(patient.secret)
    if version is None:
        fix = patient.after(("execution role", "DAG", "secret"), f"{_TRIGGER} Its log says why it keeps no key.")
        return failed("the stack's parameter KeepFernetKey is true, and the DAG has kept no key", fix)
    return passed(f"kept as version {version} of {patient.target.name}/fernet-key")


def connection(patient: Patient) -> Finding:
    """Is the Glue connection what the next export would make it?"""
    connections, name = GlueConnections(patient.aws.client("glue")), patient.target.name
    existing = connections.read(name)
    if existing is None:
        return passed("none yet; the first export creates it")
    if not is_ours(existing):
        delete = patient.aws_cli(f"glue delete-connection --connection-name {name}")
        return failed(
            f"a connection {name} exists that this project did not create",
            f"If others use it, let them make one of another name; then delete it: {delete}",
        )
    try:
        target = find_target(_settings(patient), _findings(patient), patient.now, subnet_in_use(connections, name))
    except ConnectionImpossibleError:
        return unknown("what it should be cannot be said yet", "See the checks of environment, network and secret.")
    if differs(existing, connection_input(target)):
        start = f"Start an export, which repairs it: {patient.ours('export')}"
        return failed(f"{name} is not what it should be", patient.after(("state machine", "Glue job"), start))
    return passed(f"{name} leads to the database by subnet {target.subnet.id}")


def _findings(patient: Patient) -> Findings:
    found = patient.environment
    if found is None:
        return Findings(patient.secret, None, None)
    read = read_network(patient.aws.client("ec2"), found.subnet_ids, found.security_group_ids)
    return Findings(patient.secret, found, read)


def _settings(patient: Patient) -> Settings:
    """Return what the function Prepare Connection is configured with, derived as the template does."""
    target = patient.target
    return read_settings(
        {
            "ENVIRONMENT_NAME": target.environment,
            "CONNECTION_NAME": target.name,
            "SECRET_ARN": patient.secret_name,
            "GLUE_NUMBER_OF_WORKERS": target.parameters.get("GlueNumberOfWorkers", "2"),
        }
    )


def _age(patient: Patient, moment: Any) -> str:
    return f"{duration((patient.now - moment).total_seconds())} ago" if moment else "at an unknown time"
