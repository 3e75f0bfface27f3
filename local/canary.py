"""Searches everything that a run leaves behind for secrets that must be in Secrets Manager alone.

with canary.watched(pipeline):
    ...  # exports, and whatever else leaves traces; at the end every trace is searched
"""

import base64
import contextlib
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from local import observe
from local.pipeline import STACK, Pipeline, subscribe_queue

QUEUE = "everything-that-is-published"
# Where there is always something to look at after an export; nothing there means that the search is broken.
ALWAYS = ("log file", "log event", "execution", "Glue run", "function", "object", "decision")


class LeakError(AssertionError):
    """The secret is somewhere, or there was nowhere to look."""


@dataclass
class Search:
    """What was looked at, by kind, and where a secret was found.

    Args:
        canaries: a part of each secret that nobody would escape: letters, digits, hyphens and underscores.
    """

    canaries: tuple[str, ...]
    looked_at: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def look(self, kind: str, name: str, content: bytes | str | Any) -> None:
        """Look at one thing: bytes, text, or what JSON can print."""
        self.looked_at[kind] += 1
        text = content if isinstance(content, bytes | str) else json.dumps(content, default=str)
        data = text.encode() if isinstance(text, str) else text
        if any(disguise in data for canary in self.canaries for disguise in disguises(canary)):
            self.found.append(f"{kind} {name}")


def of(pipeline: Pipeline) -> str:
    """The part of the database's password before the characters that some would escape."""
    return pipeline.database.password.partition("/")[0]


def disguises(canary: str) -> tuple[bytes, ...]:
    """The secret as it is, in hexadecimal, and in base64 at each of the three offsets that it may have."""
    plain = canary.encode()
    encoded = [base64.b64encode(b"\0" * offset + plain)[offset + 1 : -4] for offset in range(3)]
    return (plain, plain.hex().encode(), *encoded)


@contextlib.contextmanager
def watched(pipeline: Pipeline) -> Iterator[None]:
    """Let things happen, then search what they left.

    Raises:
        LeakError: a secret is somewhere, or a kind of trace is missing.
    """
    queue = subscribe_queue(pipeline.aws, pipeline.outputs["AlertTopicArn"], QUEUE)
    yield
    found = search(pipeline)
    for number, alert in enumerate(observe.received_alerts(pipeline.client("sqs"), queue, wait_seconds=0)):
        found.look("alert", str(number), alert)
    check(found)


def check(search: Search) -> None:
    """Fail when the secret was found, or when there was nothing to look at.

    Raises:
        LeakError: which of both, and where.
    """
    missing = [kind for kind in ALWAYS if not search.looked_at[kind]]
    if missing:
        raise LeakError(f"the search for secrets found no {', no '.join(missing)}")
    if search.found:
        raise LeakError(f"a secret is in {'; '.join(search.found)}")


def search(pipeline: Pipeline, *others: str) -> Search:
    """Search logs, executions, Glue runs, functions, objects, XComs, dead letters and authorization decisions.

    Args:
        pipeline: which it leaves, and whose database's password is looked for.
        others: secrets that are looked for too.
    """
    made = Search((of(pipeline), *others))
    _look_at_files(made, pipeline)
    _look_at_log_events(made, pipeline.client("logs"))
    _look_at_executions(made, pipeline.client("stepfunctions"), pipeline.outputs["StateMachineArn"])
    _look_at_glue(made, pipeline.client("glue"))
    for function in pipeline.client("lambda").list_functions()["Functions"]:
        made.look("function", function["FunctionName"], function)
    _look_at_objects(made, pipeline)
    _look_at_dead_letters(made, pipeline)
    with psycopg.connect(pipeline.database_url) as connection:
        for number, row in enumerate(connection.execute("SELECT x::text FROM xcom x")):
            made.look("XCom", str(number), row[0])
    return made


def _look_at_files(search: Search, pipeline: Pipeline) -> None:
    folders = (pipeline.paths.logs, pipeline.paths.airflow / "logs", pipeline.paths.aws)
    kinds = {".log": "log file", ".jsonl": "decision"}
    # os.walk: folders of a run that is just ending may go while they are listed, and pathlib would fail.
    for folder, _, names in (found for top in folders for found in os.walk(top)):
        for file in (Path(folder) / name for name in names if Path(name).suffix in kinds):
            with contextlib.suppress(FileNotFoundError):
                search.look(kinds[file.suffix], str(file), file.read_bytes())


def _look_at_log_events(search: Search, logs: Any) -> None:
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            for event in page["events"]:
                search.look("log event", f"in {group['logGroupName']}", event["message"])


def _look_at_executions(search: Search, states: Any, machine: str) -> None:
    for execution in states.list_executions(stateMachineArn=machine)["executions"]:
        arn = execution["executionArn"]
        pages = list(states.get_paginator("get_execution_history").paginate(executionArn=arn))
        search.look("execution", arn, [states.describe_execution(executionArn=arn), pages])


def _look_at_glue(search: Search, glue: Any) -> None:
    search.look("job", STACK, glue.get_job(JobName=STACK))
    for page in glue.get_paginator("get_job_runs").paginate(JobName=STACK):
        for run in page["JobRuns"]:
            search.look("Glue run", run["Id"], run)
    for connection in glue.get_connections()["ConnectionList"]:
        search.look("connection", connection["Name"], connection)


def _look_at_objects(search: Search, pipeline: Pipeline) -> None:
    s3 = pipeline.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=pipeline.bucket):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=pipeline.bucket, Key=item["Key"])["Body"].read()
            with contextlib.suppress(gzip.BadGzipFile, EOFError):  # not one, or a test has damaged it
                body = gzip.decompress(body)
            search.look("object", item["Key"], body)


def _look_at_dead_letters(search: Search, pipeline: Pipeline) -> None:
    sqs = pipeline.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get(
            "Messages", []
        ):
            search.look("message", f"in {url}", message["Body"])
