"""Every change to ministack, by service. `apply` makes them all, and fails when one has nothing to change."""

from local.aws.patches import (
    alarms,
    cloudformation,
    delivery,
    drift,
    ec2,
    encryption,
    glue,
    glue_connections,
    iam,
    injection,
    inventory,
    jsonata,
    lambda_functions,
    replication,
    s3,
    schedules,
    secrets,
    sns,
    stack_resources,
    states,
)
from local.aws.patches.replace import check_version
from local.aws.settings import Settings

PATCHES = (
    iam,
    cloudformation,
    stack_resources,
    glue,
    glue_connections,
    lambda_functions,
    s3,
    secrets,
    sns,
    ec2,
    states,
    jsonata,
    delivery,
    drift,
    schedules,
    encryption,
    replication,
    alarms,
    inventory,
    injection,  # last: around everything else
)


def apply(settings: Settings) -> None:
    """Patch the ministack of this process.

    Raises:
        PatchError: another version of ministack is installed.
    """
    check_version()
    for service in PATCHES:
        service.apply(settings)
