"""A redriven old execution beside a new one, with the real script under Spark and the runs that Glue knows."""

from collections.abc import Iterator

import boto3
import pytest
from metadata_export.aws import s3_client
from metadata_export.storage import Store

from local.aws.settings import REGION
from tests.integration.engine.conftest import PREFIX, Database, Engine
from tests.waiting import wait_until

LOCK = "exports/env-backups/_runs/_current.json"
ARN = "arn:aws:states:eu-central-1:000000000000:execution:env-metadata-export:old"
OTHER_ARN = "arn:aws:states:eu-central-1:000000000000:execution:env-metadata-export:new"
OTHER = {"--EXPORT_ID": "20261212T060000Z", "--EXECUTION_ARN": OTHER_ARN}
TABLES = {"variable": "full"}


@pytest.fixture
def job(engine: Engine, database: Database) -> Iterator[str]:
    """A Glue job whose runs last, and a lock that a newer execution holds."""
    database.execute("CREATE TABLE variable (id int, key text)", "INSERT INTO variable VALUES (1, 'one')")
    s3_client(REGION).put_object(Bucket=engine.bucket, Key="script.py", Body=b"import time\ntime.sleep(600)")
    Store(s3_client(REGION), engine.bucket).put_json(
        LOCK, {"execution_arn": OTHER_ARN, "export_id": OTHER["--EXPORT_ID"]}
    )
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{engine.bucket}/script.py", "PythonVersion": "3"}
    role = "arn:aws:iam::000000000000:role/glue"
    name = boto3.client("glue").create_job(Name=database.name, Role=role, Command=command, GlueVersion="5.1")["Name"]
    yield name
    for run in boto3.client("glue").get_job_runs(JobName=name)["JobRuns"]:
        boto3.client("glue").batch_stop_job_run(JobName=name, JobRunIds=[run["Id"]])


def state(job: str, run_id: str) -> str:
    return str(boto3.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"]["JobRunState"])


def test_a_redriven_run_yields_to_an_export_at_work_and_takes_the_lock_over_when_it_has_ended(
    engine: Engine, job: str
) -> None:
    # GIVEN a newer export whose Glue run is active
    glue = boto3.client("glue")
    other = glue.start_job_run(JobName=job, Arguments=OTHER)["JobRunId"]
    wait_until(lambda: state(job, other) == "RUNNING")

    # WHEN a run of the old execution starts, THEN it fails at once, says whose export is running, and writes no table
    code, _, error = engine.run_script(TABLES, JOB_NAME=job, EXECUTION_ARN=ARN)
    assert code != 0
    assert f"another export ({OTHER['--EXPORT_ID']}, {OTHER_ARN}) is running: redrive this one when it has" in error
    assert engine.files() == []

    # WHEN the newer one has ended and the old one is redriven, THEN it exports and holds the lock
    glue.batch_stop_job_run(JobName=job, JobRunIds=[other])
    wait_until(lambda: state(job, other) == "STOPPED")
    code, _, error = engine.run_script(TABLES, publish=False, JOB_NAME=job, EXECUTION_ARN=ARN)
    assert code == 0, error[-3000:]
    assert engine.files() == [f"{PREFIX}variable_143022.csv.gz"]
    assert Store(s3_client(REGION), engine.bucket).get_json(LOCK)["execution_arn"] == ARN
