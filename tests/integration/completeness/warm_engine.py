"""The engine in a process of its own, one Spark for many exports: the entry script starts a Spark for every group.

Reads one JSON line for each export: the argument lists of its groups, which run at the same time like Glue runs.
Answers with one line: for each group {"manifest": ...} or {"error": ...}. Ends with its standard input.
"""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "glue"))

from metadata_export.arguments import parse_arguments  # noqa: E402
from metadata_export.aws import glue_client, s3_client, secretsmanager_client  # noqa: E402
from metadata_export.errors import ExportError  # noqa: E402
from metadata_export.export import export_group  # noqa: E402
from metadata_export.secret import read_credentials  # noqa: E402
from metadata_export.source import Source  # noqa: E402
from metadata_export.spark import ATTEMPTS, SparkRunner, start_spark  # noqa: E402
from metadata_export.storage import Store  # noqa: E402
from metadata_export.task import Result, Session, Task  # noqa: E402
from pyspark import SparkContext  # noqa: E402


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the engine and Spark print is no answer
    spark = start_spark("completeness")
    for line in sys.stdin:
        groups: list[list[str]] = json.loads(line)
        with ThreadPoolExecutor(len(groups)) as threads:
            results = list(threads.map(partial(export, spark), groups))
        print(json.dumps(results), file=answers, flush=True)


def export(spark: SparkContext, argv: list[str]) -> dict[str, Any]:
    """Export one group, as `metadata_export.job` does."""
    try:
        arguments = parse_arguments(argv)
        glue, secretsmanager = glue_client(arguments.region), secretsmanager_client(arguments.region)
        credentials = read_credentials(glue, secretsmanager, arguments.connection_name)
        name = f"metadata_export {arguments.export_id} {arguments.group}"
        source = Source(credentials, arguments.statement_timeout_seconds, name)
        store = Store(s3_client(arguments.region), arguments.bucket)
        return {"manifest": export_group(arguments, source, store, ATTEMPTS, partial(tasks_in, spark))}
    except ExportError as error:
        return {"error": str(error)}


class OneOfMany(SparkRunner):
    """A runner beside others in the same Spark: when its group fails, the tasks of its siblings go on."""

    def run(self, task: Task, description: str) -> Result:
        """Run one task, as one of this group."""
        self.context.setJobGroup(self.session.source.application_name, description)
        return super().run(task, description)

    def cancel(self) -> None:
        """End the tasks of this group."""
        self.context.cancelJobGroup(self.session.source.application_name)


@contextmanager
def tasks_in(spark: SparkContext, session: Session) -> Iterator[SparkRunner]:
    """Run the tasks of a session in a Spark that lives longer."""
    yield OneOfMany(spark, session)


if __name__ == "__main__":
    main()
