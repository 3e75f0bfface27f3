"""What Step Functions needs of a machine's role to log and to trace its executions."""

import logging
from collections.abc import Mapping
from typing import Any

from ministack.services import stepfunctions as sfn

from local.aws.authorization import documented
from local.aws.authorization.services import fulfils

# AWS seen: a state machine is refused in these words when its role may not deliver logs.
# https://github.com/aws/aws-cdk/issues/26432 https://github.com/aws/copilot-cli/issues/4338
NO_LOGS = "The state machine IAM Role is not authorized to access the Log Destination"

logger = logging.getLogger("states.observed")


def why_no_logs(role_arn: str, configuration: Mapping[str, Any]) -> str | None:
    """The error of CreateStateMachine and UpdateStateMachine when the role may not do what logging needs, or None.

    Args:
        role_arn: of the machine.
        configuration: its LoggingConfiguration, as the API or a template spells it.
    """
    level = configuration.get("level") or configuration.get("Level") or "OFF"
    refused = fulfils(role_arn, documented.MACHINE_LOGS) if level != "OFF" else []
    return f"{NO_LOGS}: {', '.join(refused)}" if refused else None


def trace(record: Mapping[str, Any]) -> None:
    """Send the trace of an execution that has ended.

    AWS assumed: a state machine's role that may not write traces leaves the execution without one.
    """
    machine = sfn._state_machines.get(record["stateMachineArn"]) or {}
    tracing = machine.get("tracingConfiguration") or {}
    if tracing.get("enabled") or tracing.get("Enabled"):
        refused = fulfils(machine["roleArn"], documented.MACHINE_TRACES)
        if refused:
            logger.warning("No trace of execution %s: its role may not %s", record["name"], ", ".join(refused))
