"""One scenario: a fault, an export, and how it must end."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from local.aws.injection.client import FaultError, Faults
from local.fault_matrix import data, outcome, verdict
from local.fault_matrix.faulted_stack import OWN_TABLES, FaultedStack
from local.fault_matrix.outcome import Alerts, Outcome
from local.fault_matrix.proxy import HOST, Proxy
from local.pipeline import DATABASE, STACK, Pipeline
from local.postgres import USER, PostgresServer

TABLES = OWN_TABLES  # one group, so one Glue run
BOUND_SECONDS = 420.0
JOB_FIELDS = (
    *("Role", "Command", "Connections", "DefaultArguments", "ExecutionProperty", "GlueVersion"),
    *("MaxRetries", "NumberOfWorkers", "Timeout", "WorkerType"),
)
ALERT_SECONDS = 120.0
KEPT_KEY = "00112233445566778899aabbccddeeff"  # version of a Fernet key: the DAG has kept one


class Scenario:
    """A scenario on a stack that was set for it. Use as a context manager: what it changed is put back at the end.

    `judged` holds what `must_...` found, for the matrix.
    """

    def __init__(self, stack: FaultedStack) -> None:
        self.pipeline: Pipeline = stack.pipeline
        self.faults: Faults = stack.faults
        self.proxy: Proxy = stack.proxy
        self.database: PostgresServer = stack.pipeline.database
        self.undo = contextlib.ExitStack()
        self.tables: Sequence[str] = TABLES
        self.judged: tuple[Outcome, list[str]] | None = None
        self._execution = ""
        self._latest_before: str | None = None

    def __enter__(self) -> "Scenario":
        """Set the stack: untouched rows, published credentials, no fault, no file of an earlier scenario."""
        self.faults.remove()
        self.proxy.clear()
        self.proxy.target_port = self.database.port
        data.renew(self.database, DATABASE)
        _forget_tables(self.pipeline)
        self.publish()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.remove()
        self.proxy.clear()
        if self._execution and self.describe()["status"] == "RUNNING":  # the test has failed in the middle
            self.client("stepfunctions").stop_execution(executionArn=self._execution)
        self.undo.close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's owner."""
        return self.pipeline.client(service)

    def publish(self, **changes: Any) -> None:
        """Publish credentials as the DAG does; those of the superuser, by way of the proxy, but for the changes."""
        secret = {"engine": "postgres", "host": HOST, "port": self.proxy.port, "dbname": DATABASE, "username": USER}
        secret |= {"password": self.database.password, "sslmode": "disable", "fernet_key_version": KEPT_KEY} | changes
        secrets = self.client("secretsmanager")
        secrets.put_secret_value(SecretId=self.pipeline.outputs["SecretArn"], SecretString=json.dumps(secret))

    def start(self, **given: Any) -> None:
        """Start an execution, as a person does in the console.

        Args:
            given: fields of the execution input; include_tables defaults to TABLES.
        """
        given = {"include_tables": list(TABLES), "max_age_in_days": None} | given
        self.tables = given["include_tables"] or ()
        self._latest_before = outcome.latest(self.pipeline)
        machine = self.pipeline.outputs["StateMachineArn"]
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))
        self._execution = started["executionArn"]

    def follow(self, arn: str) -> None:
        """Take another execution for the scenario's own, from now on."""
        self._execution = arn
        self._latest_before = outcome.latest(self.pipeline)

    def describe(self, arn: str = "") -> dict[str, Any]:
        """Return what DescribeExecution says of the scenario's execution, or of another one."""
        states = self.client("stepfunctions")
        described: dict[str, Any] = states.describe_execution(executionArn=arn or self._execution)
        return described

    def wait_for(self, what: Callable[[], Any], reason: str, seconds: float = BOUND_SECONDS) -> Any:
        """Wait until something is true and return it.

        Raises:
            FaultError: with the reason, when it is not within this time.
        """
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                raise FaultError(f"{reason} within {seconds:.0f} s; execution: {self.describe()['status']}")
            time.sleep(0.1)
        return found

    def terminate(self, condition: str) -> int:
        """Terminate the backends of Glue runs for which a condition on pg_stat_activity is true; return how many."""
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE"
        with psycopg.connect(self.database.url(), autocommit=True) as connection:
            row = connection.execute(f"{query} 'metadata_export%%' AND ({condition})").fetchone()
        return int(row[0]) if row else 0

    def execute(self, statement: str) -> None:
        """Run a statement in the metadata database, as its owner."""
        with psycopg.connect(self.pipeline.database_url, autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def job(self, default_arguments: Mapping[str, str] | None = None, **changes: Any) -> Iterator[None]:
        """Change the Glue job for the runs that start within the block."""
        glue = self.client("glue")
        before = {name: value for name, value in glue.get_job(JobName=STACK)["Job"].items() if name in JOB_FIELDS}
        arguments = {**before["DefaultArguments"], **(default_arguments or {})}
        glue.update_job(JobName=STACK, JobUpdate={**before, "DefaultArguments": arguments, **changes})
        try:
            yield
        finally:
            glue.update_job(JobName=STACK, JobUpdate=before)

    def active_runs(self) -> list[dict[str, Any]]:
        """Return the Glue runs that have not ended, as GetJobRuns gives them."""
        runs = self.client("glue").get_job_runs(JobName=STACK)["JobRuns"]
        return [run for run in runs if run["JobRunState"] in outcome.ACTIVE]

    def wait_for_run(self, state: str) -> str:
        """Wait until the newest Glue run is in a state and return its id."""
        glue = self.client("glue")

        def newest() -> str | None:
            run = glue.get_job_runs(JobName=STACK)["JobRuns"][0]
            return str(run["Id"]) if run["JobRunState"] == state else None

        return str(self.wait_for(newest, f"No Glue run was {state}"))

    def must_complete(self) -> None:
        """The export is COMPLETE, and nobody was alerted."""
        self.judge(lambda seen: verdict.of_complete(seen, self.tables), lambda alerts: True)

    def must_recover(self, *naming: str) -> None:
        """The export is COMPLETE after an alert that names these words and the next action, and a notice."""

        def enough(alerts: verdict.Alerts) -> bool:
            return len(alerts) > 1 and verdict.is_said(alerts, naming)

        self.judge(lambda seen: verdict.of_recovered(seen, self.tables, naming), enough)

    def must_fail(self, *naming: str, status: str = "FAILED") -> None:
        """The export is not COMPLETE, and an alert names these words and the next action."""

        def enough(alerts: verdict.Alerts) -> bool:
            return verdict.is_said(alerts, naming) and verdict.is_end_told(alerts, status)

        self.judge(lambda seen: verdict.of_failed(seen, naming, status), enough)

    def judge(
        self, judge: Callable[[Outcome], list[str]], enough: Callable[[verdict.Alerts], bool], arn: str = ""
    ) -> None:
        """Wait for the end of an execution and judge it.

        Args:
            judge: returns what is wrong.
            enough: whether these are the alerts to wait for.
            arn: of another execution than the scenario's; the matrix does not show it.

        Raises:
            AssertionError: something is wrong.
        """
        self.wait_for(lambda: self.describe(arn)["status"] != "RUNNING", "The execution did not end")
        execution = self.describe(arn)
        alerts = Alerts(self.pipeline, execution["name"]).wait(enough, ALERT_SECONDS)
        seen = outcome.collect(self.pipeline, execution, self._latest_before, alerts)
        problems = judge(seen)
        if not arn:
            self.judged = (seen, problems)
        if problems:
            raise AssertionError("; ".join(problems))


def _forget_tables(pipeline: Pipeline) -> None:
    """Delete the tables of earlier scenarios, in all versions: objects live in memory."""
    s3 = pipeline.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=pipeline.bucket, Prefix=f"{outcome.layout(pipeline.bucket).root}/"
    ):
        versions = [item for item in page.get("Versions", []) if item["Key"].endswith(".csv.gz")]
        for item in versions:
            s3.delete_object(Bucket=pipeline.bucket, Key=item["Key"], VersionId=item["VersionId"])
