"""Is the stack deployed, its last change successful, and is it of this command's version?"""

import re

from export_runtime.version import VERSION

from export_cli.checks.finding import Finding, Patient, failed, passed, unknown
from export_cli.errors import NotFoundError
from export_cli.target import Stack

DEPLOY = "./deploy.sh of a release, or sam deploy (docs/deploy.md)"
_WHY = "Its events in the CloudFormation console say why: correct that, then"
# AWS documented: the states of a stack. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_SOUND = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_AS_BEFORE = ("UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
_HALF_WAY = {"UPDATE_ROLLBACK_FAILED": "continue-update-rollback", "UPDATE_FAILED": "rollback-stack"}


def deployed(patient: Patient) -> Finding:
    """Is the stack deployed, and its last change successful?"""
    found = patient.target.stack
    if found is None:
        environment = patient.target.environment
        return failed(
            f"no stack exports the environment {environment} in region {patient.aws.region}",
            f"Check --region, name it with --stack, or deploy it: {DEPLOY}",
        )
    if found.status in _SOUND:
        return passed(f"{found.name} is {found.status}")
    if found.status == "REVIEW_IN_PROGRESS":  # made by a change set that nobody executed: nothing is under way
        return failed(f"{found.name} has not been deployed yet", f"Deploy it: {DEPLOY}")
    if found.status.endswith("_IN_PROGRESS"):
        return unknown(f"{found.name} is {found.status}", "Wait until its change has ended.")
    return failed(f"{found.name} is {found.status}", f"{_WHY}: {_way_out(patient, found)}")


def same_version(patient: Patient) -> Finding:
    """Are stack and command of one version?"""
    found = patient.target.stack
    if found is None:
        raise NotFoundError("The version of the stack is not known")
    deployed = found.outputs.get("Version", "")
    if deployed == VERSION:
        return passed(f"stack and command are {VERSION}")
    shown = deployed or "older than 0.2.0, which was the first to say its version"
    newer = _numbers(deployed) > _numbers(VERSION)
    what = f"Install the command of {deployed}" if newer else f"Update the stack to {VERSION}"
    return failed(f"the stack is {shown}, this command is {VERSION}", f"{what}: see docs/update.md")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _way_out(patient: Patient, found: Stack) -> str:
    if found.status in _AS_BEFORE:
        return DEPLOY
    name = f"--stack-name {found.name}"
    if found.status in _HALF_WAY:
        return patient.aws_cli(f"cloudformation {_HALF_WAY[found.status]} {name}")
    # It was never there as a whole, or is half deleted: CloudFormation allows nothing but deleting it.
    delete, wait = (patient.aws_cli(f"cloudformation {verb} {name}") for verb in ("delete-stack", _DELETED))
    return f"{delete} && {wait}, then {DEPLOY}"


_DELETED = "wait stack-delete-complete"
