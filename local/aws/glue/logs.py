"""Delivers what a job wrote to CloudWatch Logs, with the job role's permissions, as Glue does.

AWS documented: what a Glue script prints (stdout and stderr) goes to the group of the output, what Spark's daemons log
to that of errors; the job may choose the beginning of both groups' names, and that of the streams' names.
https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
"""

import contextlib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

PREFIX = "/aws-glue/jobs"
MAX_LINES = 2000
MAX_LINE_LENGTH = 200_000
# Both are in the process's stderr here. log4j begins a record with date, time and level; a stack trace goes on so.
_OF_SPARK = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) ")
_GOES_ON = re.compile(r"\s+at |\s+\.\.\. \d+ more|Caused by: ")

logger = logging.getLogger("glue.logs")


def deliver(client: Any, arguments: Mapping[str, str], run_id: str, output: Path, error: Path) -> None:
    """Write a run's output to its log streams.

    AWS assumed: a job's role that may not write logs leaves the run as it is, without them.

    Args:
        client: of CloudWatch Logs.
        arguments: of the run.
        run_id: begins the names of its streams unless the job says otherwise.
        output: what it wrote to stdout.
        error: what it wrote to stderr.
    """
    prefix = arguments.get("--custom-logGroup-prefix", PREFIX)
    stream = f"{arguments.get('--custom-logStream-prefix', run_id)}-driver"
    printed, of_spark = _apart(_lines(error))
    for group, lines in {f"{prefix}/output": [*_lines(output), *printed], f"{prefix}/error": of_spark}.items():
        try:
            _put(client, group, stream, [line for line in lines if line][-MAX_LINES:])
        except ClientError as problem:
            logger.warning("Job run %s has no log stream in %s: %s", run_id, group, problem)


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


def _apart(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell what a script wrote to stderr from what Spark's JVM logged there."""
    printed: list[str] = []
    of_spark: list[str] = []
    in_spark = False
    for line in lines:
        in_spark = bool(_OF_SPARK.match(line)) or (in_spark and bool(_GOES_ON.match(line)))
        (of_spark if in_spark else printed).append(line)
    return printed, of_spark


def _put(client: Any, group: str, stream: str, lines: Sequence[str]) -> None:
    exists = client.exceptions.ResourceAlreadyExistsException
    with contextlib.suppress(exists):
        client.create_log_group(logGroupName=group)
    with contextlib.suppress(exists):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line[:MAX_LINE_LENGTH]} for line in lines]
    if events:
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
