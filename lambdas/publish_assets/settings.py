"""What the template configures: where everything is put when a person asks, as its custom resources say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_runtime.environment import may_be_empty, required


@dataclass(frozen=True)
class Settings:
    """``resources`` holds the properties of the template's custom resources: of the assets, and of the DAG if any."""

    environment: str
    stack_id: str
    resources: tuple[Mapping[str, Any], ...]


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing.
    """
    assets = {
        "Bucket": required(variables, "ASSETS_BUCKET"),
        "Prefix": required(variables, "ASSETS_PREFIX"),
        "GluePython": required(variables, "GLUE_PYTHON"),
        "Restores": required(variables, "RESTORES"),
        "Database": may_be_empty(variables, "DRILL_DATABASE"),
    }
    dag = {"DagBucket": may_be_empty(variables, "DAG_BUCKET"), "DagKey": required(variables, "DAG_KEY")}
    return Settings(
        environment=required(variables, "ENVIRONMENT_NAME"),
        stack_id=required(variables, "STACK_ID"),
        resources=(assets, dag) if dag["DagBucket"] else (assets,),
    )
