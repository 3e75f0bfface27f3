"""Faults that a drill finds: the export does not restore, it says what is wrong, and somebody is told."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from export_contracts.summary import Summary

from local.fault_matrix import outcome
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT
from tests.faults.test_restore import end, told

PROOFS = f"exports/{ENVIRONMENT}-backups/_proofs/"
JOB = f"{ENVIRONMENT}-metadata-drill"


def exported(scenario: Scenario) -> str:
    """Make a full export, and return the key of its summary."""
    scenario.start()
    scenario.must_complete()
    return str(outcome.latest(scenario.pipeline))


def begin(scenario: Scenario) -> str:
    """Start a drill as a person does in the console, and return the execution's ARN."""
    machine = scenario.pipeline.outputs["DrillStateMachineArn"]
    states = scenario.client("stepfunctions")
    return str(states.start_execution(stateMachineArn=machine, input="{}")["executionArn"])


def drill(scenario: Scenario) -> dict[str, Any]:
    """Make a drill, and return how it ended."""
    return end(scenario, begin(scenario))


def key_of(summary: str, table: str) -> str:
    """Return the key of a table's object beside a summary."""
    return summary.replace("export_summary", table).replace(".json.gz", ".csv.gz")


def read(scenario: Scenario, key: str) -> bytes:
    found = scenario.client("s3").get_object(Bucket=scenario.pipeline.bucket, Key=key)
    return bytes(found["Body"].read())


def write(scenario: Scenario, key: str, body: bytes) -> None:
    scenario.client("s3").put_object(Bucket=scenario.pipeline.bucket, Key=key, Body=body)


def proof(scenario: Scenario, summary: str) -> dict[str, Any]:
    """Return what the drill has written of an export."""
    identifier = Summary.from_bytes(read(scenario, summary)).export_id
    return dict(json.loads(read(scenario, f"{PROOFS}{identifier}.json")))


@pytest.mark.representative
def test_proven(scenario: Scenario) -> None:
    """None: the newest full export is proven to restore."""
    summary = exported(scenario)

    ended = drill(scenario)

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    found = proof(scenario, summary)
    assert json.loads(ended["output"]) == found
    assert (found["restorable"], found["problems"], found["contents"]) == (True, [], 2)
    assert found["rows"] == 10_200


def altered(scenario: Scenario, summary: str) -> None:
    key = key_of(summary, "log")
    body = read(scenario, key)
    write(scenario, key, body[:-20] + bytes([body[-20] ^ 1]) + body[-19:])


def missing(scenario: Scenario, summary: str) -> None:
    scenario.client("s3").delete_object(Bucket=scenario.pipeline.bucket, Key=key_of(summary, "log"))


def lost_row(scenario: Scenario, summary: str) -> None:
    rewrite(scenario, summary, lambda text: text[: text.rindex(b"\n", 0, -1) + 1])


def changed_byte(scenario: Scenario, summary: str) -> None:
    rewrite(scenario, summary, lambda text: text.replace(b"SchedulerJob", b"schedulerJob", 1))


def rewrite(scenario: Scenario, summary: str, change: Callable[[bytes], bytes]) -> None:
    """Give a table another content, and the summary size and SHA-256 of that: as if the export itself were wrong."""
    key, told_before = key_of(summary, "job"), Summary.from_bytes(read(scenario, summary))
    text = change(gzip.decompress(read(scenario, key)))
    body = gzip.compress(text)
    write(scenario, key, body)
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    sizes = {"csv_bytes": len(text), "object_bytes": len(body), "part_sizes": (len(body),)}
    table = replace(told_before.details["job"], checksum_sha256=checksum, **sizes)
    write(scenario, summary, replace(told_before, details={**told_before.details, "job": table}).to_bytes())


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        pytest.param(altered, "log_", id="an altered object"),
        pytest.param(missing, "log_", id="a missing table"),
        pytest.param(lost_row, "job", id="a lost row"),
        pytest.param(
            changed_byte,
            "the content of job is not what was exported",
            id="a changed byte",
            marks=pytest.mark.representative,
        ),
    ],
)
def test_damaged(scenario: Scenario, damage: Callable[[Scenario, str], None], named: str) -> None:
    """The newest export was damaged"""
    summary = exported(scenario)
    damage(scenario, summary)

    ended = drill(scenario)

    assert (ended["status"], ended["error"]) == ("FAILED", "ExportNotRestorableError")
    found = proof(scenario, summary)
    assert not found["restorable"]
    assert named in found["problems"][0]
    mail = told(scenario, f"The newest export of MWAA environment {ENVIRONMENT} does NOT restore", found["export_id"])
    assert named in mail


def test_not_tried(scenario: Scenario) -> None:
    """The drill's database is gone from the bucket; once it is there again, a redrive makes the drill."""
    summary = exported(scenario)
    job = scenario.client("glue").get_job(JobName=JOB)["Job"]
    database = job["DefaultArguments"]["--DATABASE_URI"].split("/", 3)[3]
    body = read(scenario, database)
    scenario.client("s3").delete_object(Bucket=scenario.pipeline.bucket, Key=database)
    scenario.undo.callback(write, scenario, database, body)

    ended = drill(scenario)

    assert (ended["status"], database in ended["cause"]) == ("FAILED", True), ended["cause"]
    assert "Nothing is known of the newest export" in told(scenario, f"environment {ENVIRONMENT} FAILED", database)

    write(scenario, database, body)
    scenario.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])
    assert end(scenario, ended["executionArn"])["status"] == "SUCCEEDED"
    assert proof(scenario, summary)["restorable"]


def test_stopped(scenario: Scenario) -> None:
    """A person stops a drill."""
    exported(scenario)
    arn = begin(scenario)
    scenario.wait_for(lambda: state(scenario) == "RUNNING", "No run began")
    scenario.client("stepfunctions").stop_execution(executionArn=arn)

    assert end(scenario, arn)["status"] == "ABORTED"
    assert "Nothing is known of the newest export" in told(scenario, f"The drill of MWAA environment {ENVIRONMENT} was")
    scenario.wait_for(lambda: state(scenario) == "STOPPED", "The run goes on")


def state(scenario: Scenario, job: str = JOB) -> str:
    """Return the state of a job's newest run; empty without one."""
    runs = scenario.client("glue").get_job_runs(JobName=job)["JobRuns"]
    return str(runs[0]["JobRunState"]) if runs else ""
