"""Properties of the custom resource, as template.yaml gives them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_runtime.text import shown

from publish_assets.errors import InvalidPropertiesError

# Glue 5.1 and 6.0
PYTHON_VERSIONS = ("3.11", "3.13")


@dataclass(frozen=True)
class Properties:
    """Where the assets go. ``bucket`` is empty when only the DAG is published, ``dag_bucket`` when it is not."""

    bucket: str
    prefix: str
    glue_python: str
    dag_bucket: str
    dag_key: str
    restores: bool = False
    """whether the job that restores needs its packages too"""
    drills: bool = False
    """whether the PostgreSQL is published into which a drill restores"""

    @property
    def resource_id(self) -> str:
        """Physical resource id. Another place is another resource: CloudFormation deletes the old one afterwards."""
        place = "|".join((self.bucket, self.prefix, self.dag_bucket, self.dag_key if self.dag_bucket else ""))
        return f"assets-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def parse_properties(raw: Mapping[str, Any]) -> Properties:
    """Return the properties.

    Raises:
        InvalidPropertiesError: listing everything that is missing or not allowed.
    """
    problems = _problems_of_dag(raw) if raw.get("DagBucket") else []
    if raw.get("Bucket") or not raw.get("DagBucket"):
        problems += _problems_of_glue(raw)
    if problems:
        raise InvalidPropertiesError(f"Properties of the custom resource are not valid: {'; '.join(problems)}.")
    return Properties(
        bucket=raw.get("Bucket", ""),
        prefix=raw.get("Prefix", "").strip("/"),
        glue_python=raw.get("GluePython", ""),
        dag_bucket=raw.get("DagBucket", ""),
        dag_key=raw.get("DagKey", ""),
        restores=raw.get("Restores") == "true",
        drills=bool(raw.get("Database")),
    )


def _problems_of_glue(raw: Mapping[str, Any]) -> list[str]:
    problems = [f"{name} is missing" for name in ("Bucket", "Prefix") if not raw.get(name)]
    if raw.get("GluePython") not in PYTHON_VERSIONS:
        problems.append(f"GluePython is {shown(raw.get('GluePython'))}; allowed are {', '.join(PYTHON_VERSIONS)}")
    return problems


def _problems_of_dag(raw: Mapping[str, Any]) -> list[str]:
    return [] if raw.get("DagKey") else ["DagBucket is given without DagKey"]
