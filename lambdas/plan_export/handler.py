"""Entry point of the function Plan Export."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_contracts.fields import to_json
from export_contracts.layout import export_id
from export_runtime import clients
from export_runtime.executions import Executions
from export_runtime.observability import observed, publish
from export_runtime.store import ObjectStore

from plan_export.planning import decide, draft_plan, execution_start, parse_request, settle
from plan_export.settings import read_settings
from plan_export.unknown_tables import share_look

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics()


def _export_id(event: dict[str, Any]) -> str:
    return export_id(execution_start(event))


@observed(logger, tracer, _export_id)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the plan of this execution (docs/contracts/README.md). Calls AWS only when the input is valid."""
    request = parse_request(event)
    settings = read_settings(os.environ)
    export, groups = draft_plan(request, settings)
    store = ObjectStore(clients.s3(), export.bucket)
    decision = decide(request.input, export, settings, store, Executions(clients.step_functions()), datetime.now(UTC))
    logger.info("planned", extra={**to_json(decision), "trigger": export.trigger, "scope": export.scope})
    if not decision.wait:
        publish(metrics, export.environment, {"ExportsDue": int(decision.due)})
    if decision.due:
        groups = share_look(groups, store, export)
    return settle(decision, export, groups).to_json()
