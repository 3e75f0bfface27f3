"""Entry point of the function Publish Assets."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_runtime import clients
from export_runtime.errors import ExportError
from export_runtime.observability import observed, publish
from export_runtime.text import one_line
from export_runtime.version import VERSION

from publish_assets.again import PUBLISH, publish_again
from publish_assets.cloudformation import FAILED, SUCCESS, Answer, watchdog
from publish_assets.created_connection import RESOURCE_TYPE, apply_to_connection, connection_id_of
from publish_assets.resource import apply, resource_id_of
from publish_assets.settings import read_settings

_ASSETS = Path(__file__).parent / "assets"
# Seconds kept back for the answer: three attempts of five seconds and the pauses between them.
_RESERVE = 18.0

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics()


@observed(logger, tracer)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer CloudFormation, always; a failure is an answer too, not an exception (Lambda would repeat the request).

    Asked by a person (``{"RequestType": "Publish"}``), return the addresses of what was put in place, or raise.
    """
    if event.get("RequestType") == PUBLISH:
        return _publish_again()
    answer = Answer(event)
    about_connection = event.get("ResourceType") == RESOURCE_TYPE
    resource_id = connection_id_of(event) if about_connection else resource_id_of(event)
    timer = watchdog(answer, resource_id, context.get_remaining_time_in_millis() / 1000 - _RESERVE)
    try:
        data = apply_to_connection(event, clients.glue()) if about_connection else _publish(event, resource_id)
    except ExportError as error:
        logger.error("failed", error=type(error).__name__, detail=str(error))  # noqa: TRY400 - expected
        answer.give(FAILED, resource_id, str(error))
    except Exception as error:
        logger.exception("failed unexpectedly")
        answer.give(FAILED, resource_id, f"{type(error).__name__}: {one_line(str(error), 500)}")
    else:
        logger.info("done", resource=resource_id, request=event.get("RequestType"), attributes=data)
        answer.give(SUCCESS, resource_id, data={**data, "Version": VERSION})
    finally:
        timer.cancel()
    return {}


def _publish(event: dict[str, Any], resource_id: str) -> dict[str, str]:
    return _counted(apply(event, resource_id, clients.s3(), [_ASSETS, *_layers()]))


def _publish_again() -> dict[str, str]:
    data = _counted(publish_again(read_settings(os.environ), clients.s3(), [_ASSETS, *_layers()]))
    logger.info("done", request=PUBLISH, attributes=data)
    return data


def _counted(data: dict[str, str]) -> dict[str, str]:
    publish(metrics, read_settings(os.environ).environment, {"AssetsPublished": sum(map(bool, data.values()))})
    return data


def _layers() -> list[Path]:
    """Return the folders of the layers' packages, data only: wheels for the stack's Python of Glue, a PostgreSQL."""
    packages = map(importlib.util.find_spec, ("glue_wheels", "drill_database"))
    return [Path(folder) for package in packages if package for folder in package.submodule_search_locations or ()]
