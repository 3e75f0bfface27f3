"""Delivers what a job wrote to CloudWatch Logs, with the job role's permissions, as Glue does."""

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

GROUPS = ("/aws-glue/jobs/output", "/aws-glue/jobs/error")
MAX_LINES = 2000
MAX_LINE_LENGTH = 200_000

logger = logging.getLogger("glue.logs")


def deliver(client: Any, run_id: str, output: Path, error: Path) -> None:
    """Write a run's output to its log streams. A role that may not leaves the run as it is, without logs, as on AWS."""
    for group, file in zip(GROUPS, (output, error), strict=True):
        lines = file.read_text(errors="replace").splitlines()[-MAX_LINES:] if file.exists() else []
        try:
            _put(client, group, run_id, [line for line in lines if line])
        except ClientError as problem:
            logger.warning("Job run %s has no log stream in %s: %s", run_id, group, problem)


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
