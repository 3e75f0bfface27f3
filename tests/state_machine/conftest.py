"""The real state machine in an emulated account, with functions and a Glue job that follow a script.

The execution input says where the script is: `{"bucket": ...}`. The bucket holds `answers/<function>.json` (what to
return or raise, call by call; the last one stays), `failing/<group>.json` (how often that group has still to fail) and
`needed-runs.json` (after how many successful runs a group passes the verification), and collects what happened:
`calls/<function>/...`, `summaries/...` and, for runs that succeeded, `runs/<group>/...`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.emulated_account import EVERYTHING, REPOSITORY, Account, emulated_account
from tests.state_machine.scripts import FUNCTION, JOB

DEFINITIONS = REPOSITORY / "state_machine"
FUNCTIONS = ("plan", "prepare", "aggregate")
GROUPS = ("definitions", "runs", "logs")
PERMISSIONS = ("lambda:InvokeFunction", "sns:Publish")
GLUE_PERMISSIONS = ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun")


@dataclass(frozen=True)
class Export:
    """An execution that has ended."""

    account: Account
    bucket: str
    described: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """ARN of the execution."""
        return str(self.described["executionArn"])

    @property
    def output(self) -> Any:
        """Its output."""
        return json.loads(self.described["output"])

    @property
    def states(self) -> list[str]:
        """The states of the machine itself, as they were entered; those inside the Maps are left out."""
        history = self.account.history(self.arn)
        names = [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]
        return [name for name in names if name not in ("Export Group", "Retry Group", "Record Failed Group")]

    def calls(self, function: str) -> list[Any]:
        """The events with which a function was called, in order."""
        return [self._read(key) for key in self._keys(f"calls/{function}/")]

    @property
    def runs(self) -> dict[str, int]:
        """How often each group's run has succeeded."""
        return {group: len(self._keys(f"runs/{group}/")) for group in GROUPS}

    @property
    def summaries(self) -> dict[str, str]:
        """The status in each summary that was written, by export id."""
        return {key.rpartition("/")[2]: self._read(key) for key in self._keys("summaries/")}

    def arguments(self, group: str) -> dict[str, str]:
        """The arguments of a group's successful run."""
        return self.all_arguments(group)[0]

    def all_arguments(self, group: str) -> list[dict[str, str]]:
        """The arguments of each successful run of a group."""
        return [dict(self._read(key)) for key in self._keys(f"runs/{group}/")]

    def redriven(self) -> "Export":
        """Redrive it, and wait until it has ended again."""
        self.account.client("stepfunctions").redrive_execution(executionArn=self.arn)
        return Export(self.account, self.bucket, self.account.ended(self.arn))

    def _keys(self, prefix: str) -> list[str]:
        found = self.account.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return sorted(item["Key"] for item in found.get("Contents", []))

    def _read(self, key: str) -> Any:
        return json.load(self.account.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"])


@dataclass(frozen=True)
class Stage:
    """The machine and what it calls."""

    account: Account
    arn: str
    topic: str
    queue: str

    def script(
        self,
        failing: Mapping[str, int] | None = None,
        *,
        last_failure_after_a_sibling: Sequence[str] = (),
        needed_runs: Mapping[str, int] | None = None,
        warnings: Mapping[str, int | bool] | None = None,
        job_seconds: float = 0,
        bucket: str = "",
        **answers: Any,
    ) -> str:
        """Write a script into a bucket, and return its name.

        Args:
            failing: how often each group fails.
            last_failure_after_a_sibling: groups that fail for the last time when another one's retry has succeeded.
            needed_runs: how many successful runs a group needs to be verified; 1 unless given.
            warnings: what else the aggregation answers of a complete export, such as in how many tables rows fell.
            job_seconds: how long a run that succeeds takes.
            bucket: a bucket that the answers name; without it, a new one.
            answers: list of answers by function: `{"return": ...}` or `{"raise": class, "message": ...}`.
        """
        bucket = bucket or self.account.bucket()
        self._write(bucket, "job-seconds.json", job_seconds)
        self._write(bucket, "last-failure-after-a-sibling.json", last_failure_after_a_sibling)
        self._write(bucket, "warnings.json", warnings or {})
        self._write(bucket, "needed-runs.json", needed_runs or {})
        for group in GROUPS:
            self._write(bucket, f"failing/{group}.json", (failing or {}).get(group, 0))
        for function, default in default_answers(bucket).items():
            self._write(bucket, f"answers/{function}.json", answers.get(function, [{"return": default}]))
        return bucket

    def run(self, bucket: str, machine: str = "") -> Export:
        """Execute the machine by the script in a bucket, and wait until it has ended."""
        return Export(self.account, bucket, self.account.execute(machine or self.arn, {"bucket": bucket}))

    def published(self) -> list[tuple[str | None, str]]:
        """Subject and message of what was published and not looked at yet."""
        sqs, found = self.account.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                body = json.loads(message["Body"])
                found.append((body.get("Subject"), body["Message"]))
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _write(self, bucket: str, key: str, value: Any) -> None:
        self.account.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(value).encode())


def default_answers(bucket: str) -> dict[str, Any]:
    """What the functions return when all is well, in the shapes of docs/contracts."""
    groups = [
        {
            "group": group,
            "manifest_key": f"exports/env-backups/_runs/20261211T143022Z/{group}.json",
            "tables": [{"table": f"{group}_table", "window": "full"}],
            "catalogued_tables": [],
            "exclude_tables": [],
        }
        for group in GROUPS
    ]
    export = {
        "export_id": "20261211T143022Z",
        "bucket": bucket,
        "output_path": f"s3://{bucket}/exports/env-backups/2026/12/11/",
        "max_age_in_days": None,
        "cutoff": None,
        "include_tables": [],
        "exclude_tables": [],
        "windows": {},
        "mask_columns": [],
        "formats": ["csv"],
    }
    return {
        "plan": {"due": True, "reason": "", "winner": None, "wait": False, "export": export, "groups": groups},
        "prepare": {"connection_name": "env-metadata-export", "database_name": "AirflowMetadata", "action": "created"},
        "aggregate": "aggregate",
    }


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with emulated_account(tmp_path_factory.mktemp("state-machine"), wait_scale=0.02, timeout_scale=0.5) as running:
        yield running


@pytest.fixture(scope="session")
def substitutions(account: Account) -> dict[str, str]:
    """What the template substitutes in the definition."""
    role = account.role("lambda", EVERYTHING)
    functions = {
        name: account.function(FUNCTION, role, Environment={"Variables": {"NAME": name}}) for name in FUNCTIONS
    }
    return {
        "Partition": "aws",
        "PlanExportFunctionArn": functions["plan"],
        "PrepareConnectionFunctionArn": functions["prepare"],
        "AggregateResultsFunctionArn": functions["aggregate"],
        "GlueJobName": account.job(JOB, ExecutionProperty={"MaxConcurrentRuns": len(GROUPS)}),
        "AlertTopicArn": account.client("sns").create_topic(Name="alerts")["TopicArn"],
    }


@pytest.fixture(scope="session")
def _queue(account: Account, substitutions: dict[str, str]) -> str:
    sender = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    queue, topic = account.queue(sender), substitutions["AlertTopicArn"]
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=account.queue_arn(queue))
    return queue


@pytest.fixture(scope="session")
def _machine(account: Account, substitutions: dict[str, str]) -> str:
    return create_machine(account, substitutions, *PERMISSIONS, *GLUE_PERMISSIONS)


@pytest.fixture
def stage(account: Account, substitutions: dict[str, str], _machine: str, _queue: str) -> Stage:
    made = Stage(account, _machine, substitutions["AlertTopicArn"], _queue)
    made.published()  # what another test left
    return made


def create_machine(
    account: Account, substitutions: Mapping[str, str], *permissions: str, definition: str = "export", **fields: Any
) -> str:
    """A real definition, with other top-level fields, as a machine with these permissions. Returns its ARN."""
    text = (DEFINITIONS / f"{definition}.asl.yaml").read_text()
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    role = account.role("states", {"Effect": "Allow", "Action": list(permissions), "Resource": "*"})
    return account.machine({**yaml.safe_load(text), **fields}, role)
