"""Entry point of the function Plan Restore."""

import os
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_runtime import clients
from export_runtime.observability import observed

from plan_restore.planning import execution_of, plan, store_of
from plan_restore.restore_input import parse_input
from plan_restore.settings import read_layout

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])


def _restore_id(event: dict[str, Any]) -> str:
    return execution_of(event).restore_id


@observed(logger, tracer, _restore_id)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the restore of this execution (docs/contracts/README.md). Calls AWS only when the input is valid."""
    execution = execution_of(event)
    layout = read_layout(os.environ)
    asked = parse_input(event.get("input"), layout.environment)
    restore = plan(asked, execution, layout, lambda bucket: store_of(clients.s3(), bucket, layout))
    logger.info("planned", export=restore.export_id, tables=restore.tables, rows=restore.rows)
    return asdict(restore)
