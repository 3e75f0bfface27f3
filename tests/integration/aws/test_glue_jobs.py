"""A Glue job runs its script, as Glue does."""

import json
import os
import signal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.server import is_alive
from tests.emulated_account import EVERYTHING, Account
from tests.integration.aws.wheels import wheel_archive
from tests.waiting import wait_until

FOREVER = "import time\ntime.sleep(600)"
WRITE_ARGUMENTS = """
import json, os, sys, boto3
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
identity = boto3.client("sts", "us-east-1").get_caller_identity()["Arn"]
seen = json.dumps({**arguments, "identity": identity})
boto3.client("s3").put_object(Bucket=arguments["--BUCKET"], Key="seen", Body=seen)
"""


@pytest.mark.on_aws
def test_given_job_when_run_then_its_script_runs_with_its_arguments_in_its_role(account: Account) -> None:
    bucket = account.bucket()
    job = account.job(
        WRITE_ARGUMENTS,
        DefaultArguments={"--BUCKET": bucket, "--OVERRIDDEN": "default", "--FIXED": "default"},
        NonOverridableArguments={"--FIXED": "fixed"},
    )

    run = account.run_job(job, Arguments={"--OVERRIDDEN": "run", "--FIXED": "run"})

    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)
    seen = json.load(account.client("s3").get_object(Bucket=bucket, Key="seen")["Body"])
    assert (seen["--OVERRIDDEN"], seen["--FIXED"]) == ("run", "fixed")
    assert (seen["--JOB_NAME"], seen["--JOB_RUN_ID"]) == (job, run["Id"])
    assert seen["identity"].endswith("/GlueJobRunnerSession")


@pytest.mark.on_aws
def test_given_script_that_names_no_region_when_run_then_its_environment_names_none_either(account: Account) -> None:
    run = account.run_job(account.job("import boto3\nboto3.client('glue')"))

    assert "NoRegionError" in run["ErrorMessage"]


@pytest.mark.on_aws
def test_given_script_that_raises_when_run_then_failed_with_the_exception(account: Account) -> None:
    run = account.run_job(account.job("class OddError(Exception): pass\nraise OddError('no such table: x')"))

    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == "Error Category: UNCLASSIFIED_ERROR; OddError: no such table: x"


def test_given_running_script_when_killed_then_failed(account: Account) -> None:
    job = account.job(FOREVER)
    run_id = account.client("glue").start_job_run(JobName=job)["JobRunId"]
    pid_file = account.aws.settings.glue_logs / f"{run_id}.pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text())

    os.killpg(int(pid_file.read_text()), signal.SIGKILL)

    run = wait_until(lambda: _ended(account, job, run_id))
    assert run["JobRunState"] == "FAILED"
    assert "exit code 137" in run["ErrorMessage"]


def test_given_running_script_when_stopped_then_its_children_end_too(account: Account) -> None:
    job = account.job("import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint(child.pid)\nchild.wait()")
    glue = account.client("glue")
    run_id = glue.start_job_run(JobName=job)["JobRunId"]
    output = account.aws.settings.glue_logs / f"{run_id}.output.log"
    child = int(wait_until(lambda: output.exists() and output.read_text()))

    answer = glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])

    assert [run["JobRunId"] for run in answer["SuccessfulSubmissions"]] == [run_id]
    assert wait_until(lambda: _ended(account, job, run_id))["JobRunState"] == "STOPPED"
    wait_until(lambda: not is_alive(child))


@pytest.mark.on_aws
def test_given_script_that_takes_too_long_when_run_then_timeout(account: Account) -> None:
    run = account.run_job(account.job(FOREVER, Timeout=1), Timeout=1)

    assert run["JobRunState"] == "TIMEOUT"


@pytest.mark.on_aws
def test_given_one_run_is_active_when_another_is_started_then_refused(account: Account) -> None:
    job, glue = account.job(FOREVER), account.client("glue")
    run_id = glue.start_job_run(JobName=job)["JobRunId"]

    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName=job)

    glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])


@pytest.mark.on_aws
def test_given_job_that_allows_two_runs_when_two_are_started_then_both_run(account: Account) -> None:
    job, glue = account.job("", ExecutionProperty={"MaxConcurrentRuns": 2}), account.client("glue")

    run_ids = [glue.start_job_run(JobName=job)["JobRunId"] for _ in range(2)]

    ended = [account.wait(lambda each=each: _ended(account, job, each), f"{each} ends") for each in run_ids]
    assert [run["JobRunState"] for run in ended] == ["SUCCEEDED"] * 2


@pytest.mark.on_aws
def test_given_missing_connection_when_run_then_failed_before_the_script(account: Account) -> None:
    run = account.run_job(account.job("print('never')", Connections={"Connections": ["no-such-connection"]}))

    assert run["JobRunState"] == "FAILED"
    assert "no-such-connection" in run["ErrorMessage"]


@pytest.mark.on_aws
def test_given_role_that_may_not_read_the_script_when_run_then_failed(account: Account) -> None:
    run = account.run_job(account.job("print('never')", role=account.role("glue", {**EVERYTHING, "Action": "logs:*"})))

    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith("Error Category: PERMISSION_ERROR")


def test_given_role_that_does_not_trust_glue_when_run_then_failed(account: Account) -> None:
    run = account.run_job(account.job("print('never')", role=account.role("lambda", EVERYTHING)))

    assert "does not let glue.amazonaws.com assume it" in run["ErrorMessage"]


@pytest.mark.on_aws
def test_given_wheels_when_run_then_the_script_imports_them(account: Account) -> None:
    bucket = account.bucket()
    account.client("s3").put_object(
        Bucket=bucket, Key="a/own.gluewheels.zip", Body=wheel_archive({"own_module": "NAME = 'own'"})
    )
    options = {
        "--additional-python-modules": f"s3://{bucket}/a/own.gluewheels.zip",
        "--python-modules-installer-option": "--no-index",
    }

    run = account.run_job(account.job("import own_module\nassert own_module.NAME == 'own'", DefaultArguments=options))

    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)


def test_given_module_of_the_local_environment_when_imported_then_the_run_fails(account: Account) -> None:
    run = account.run_job(account.job("import ministack"))

    assert run["ErrorMessage"].endswith("ModuleNotFoundError: No module named 'ministack'")


LOG4J = "26/12/11 14:30:22 WARN TaskSetManager: Lost task 0.0"
PRINTS = f"""
import sys
print('to stdout')
print('to stderr', file=sys.stderr)
print({LOG4J!r}, file=sys.stderr)
print('    at org.apache.spark.rdd.RDD.iterator', file=sys.stderr)
raise KeyError('odd')
"""


@pytest.mark.parametrize(
    ("arguments", "prefix"),
    [({}, "/aws-glue/jobs"), ({"--custom-logGroup-prefix": "/aws-glue/jobs/own"}, "/aws-glue/jobs/own")],
    ids=["Glue's groups", "groups of its own"],
)
def test_given_output_when_run_then_what_it_printed_and_what_spark_logged_are_in_cloudwatch_logs(
    account: Account, arguments: dict[str, str], prefix: str
) -> None:
    run = account.run_job(account.job(PRINTS, DefaultArguments=arguments))

    def lines(group: str) -> list[str]:
        found = account.client("logs").get_log_events(logGroupName=group, logStreamName=f"{run['Id']}-driver")
        return [event["message"] for event in found["events"]]

    printed = lines(f"{prefix}/output")
    assert printed[:3] == ["to stdout", "to stderr", "Traceback (most recent call last):"]
    assert printed[-1] == "KeyError: 'odd'"
    assert lines(f"{prefix}/error") == [LOG4J, "    at org.apache.spark.rdd.RDD.iterator"]


@pytest.mark.slow
def test_given_spark_script_when_run_then_spark_runs_in_local_mode_and_in_the_folder_of_the_run(
    account: Account,
) -> None:
    script = (
        "import os\n"
        "from pyspark.sql import SparkSession\n"
        "context = SparkSession.builder.getOrCreate().sparkContext\n"
        "assert context.parallelize(range(10), 4).sum() == 45\n"
        "print(context.master)\n"
        "assert context._jvm.System.getProperty('java.io.tmpdir') == os.environ['TMPDIR']\n"
    )

    run = account.run_job(account.job(script))

    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)
    assert (account.aws.settings.glue_logs / f"{run['Id']}.output.log").read_text() == "local[2,4]\n"


def test_given_connection_when_updated_then_it_is_another(account: Account) -> None:
    glue = account.client("glue")
    properties = {"Name": "updated", "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": "one"}}
    glue.create_connection(ConnectionInput=properties)

    glue.update_connection(Name="updated", ConnectionInput={**properties, "ConnectionProperties": {"SECRET_ID": "two"}})

    connection = glue.get_connection(Name="updated")["Connection"]
    assert connection["ConnectionProperties"] == {"SECRET_ID": "two"}
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_connection(ConnectionInput=properties)
    with pytest.raises(ClientError, match="EntityNotFound"):
        glue.update_connection(Name="absent", ConnectionInput={**properties, "Name": "absent"})


def _ended(account: Account, job: str, run_id: str) -> dict[str, Any] | None:
    run = account.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"]
    return run if run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING") else None
