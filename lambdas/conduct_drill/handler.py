"""Entry point of the function Conduct Drill."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_contracts.layout import Layout
from export_contracts.proofs import PROVEN_AGE, WATCH, newest_restorable, proven_age_days
from export_runtime import clients
from export_runtime.errors import InvalidEventError
from export_runtime.observability import observed, publish
from export_runtime.store import ObjectStore
from export_runtime.text import shown

from conduct_drill.drill import choose, judge
from conduct_drill.settings import read_layout

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics(service=WATCH)


@observed(logger, tracer, lambda event: str(event["export_id"]))
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return what is tried (step ``choose``), or the proof (step ``conclude``); see docs/contracts/README.md."""
    layout = read_layout(os.environ)
    store = ObjectStore(clients.s3(), layout.bucket)
    match event:
        case {"step": "choose"}:
            drill = choose(store, layout)
            logger.info("chosen", export=drill.export_id)
            return asdict(drill)
        case {"step": "conclude", "export_id": str(identifier)}:
            _observe(store, layout)
            proof = judge(store, layout, identifier)
            logger.info("proven", tables=proof.tables, rows=proof.rows, contents=proof.contents)
            return proof.to_json()
    raise InvalidEventError(f"Conduct Drill needs a step, choose or conclude, not {shown(event)}.")


def _observe(store: ObjectStore, layout: Layout) -> None:
    newest = newest_restorable(store, layout.root)
    age = proven_age_days(store, layout.root, newest, datetime.now(UTC))
    if age is not None:
        publish(metrics, layout.environment, {PROVEN_AGE: age})
