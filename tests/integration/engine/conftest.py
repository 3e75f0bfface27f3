"""One PostgreSQL, one emulated S3, and the engine on both: in this process, or as the real script under real Spark."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "glue"))

from metadata_export.arguments import parse_arguments  # noqa: E402
from metadata_export.aws import s3_client  # noqa: E402
from metadata_export.export import export_group  # noqa: E402
from metadata_export.secret import Credentials  # noqa: E402
from metadata_export.source import Source  # noqa: E402
from metadata_export.storage import Store  # noqa: E402
from metadata_export.task import Failure, Result, Session, Task, run_task  # noqa: E402

from local import paths, postgres  # noqa: E402
from local.aws import runtimes, server  # noqa: E402
from local.aws.glue import spark  # noqa: E402
from local.aws.injection.client import Faults  # noqa: E402
from local.aws.settings import REGION, Settings  # noqa: E402

PASSWORD = "p@ss 'word' \\ with/everything?"
REGION_OF_THE_ENVIRONMENT = ("AWS_REGION", "AWS_DEFAULT_REGION")  # Glue documents none
EXPORT_ID = "20261211T143022Z"
PREFIX = "exports/env-backups/2026/12/11/"
RUNS_PREFIX = f"exports/env-backups/_runs/{EXPORT_ID}/"


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[postgres.PostgresServer]:
    """The newest PostgreSQL, or the one of the major version that a test is parametrized with."""
    with postgres.temporary_server(password=PASSWORD, version=getattr(request, "param", 18)) as running:
        yield running


@pytest.fixture(scope="session")
def running_aws() -> Iterator[server.EmulatedAws]:
    home = Path(tempfile.mkdtemp(prefix="engine-aws-"))
    with server.start(Settings(home=home, auth=False, **runtimes.ensure_spark(paths.GLUE_RUNTIME))) as running:
        yield running
    shutil.rmtree(home)


@pytest.fixture
def aws(running_aws: server.EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[server.EmulatedAws]:
    """The emulated AWS as this process's own, for one test: tests elsewhere must not find it."""
    for name, value in running_aws.env.items():
        if name != "TMPDIR":
            monkeypatch.setenv(name, value)
    s3_client.cache_clear()
    yield running_aws
    s3_client.cache_clear()


@pytest.fixture
def database(postgres_server: postgres.PostgresServer) -> Iterator["Database"]:
    name = f"db_{uuid.uuid4().hex[:12]}"
    postgres_server.create_database(name)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture
def bucket(aws: server.EmulatedAws) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3_client(REGION).create_bucket(Bucket=name)
    return name


@pytest.fixture
def faults(aws: server.EmulatedAws) -> Iterator[Faults]:
    """Faults of the emulated AWS, for one test."""
    faults = Faults(aws.endpoint)
    yield faults
    faults.remove()


@pytest.fixture
def pace() -> float:
    """How many seconds a process of the engine takes to start, as busy as this machine is now."""
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "glue")}
    subprocess.run([sys.executable, "-c", "import metadata_export.job"], env=environment, check=True)
    return time.monotonic() - started


@pytest.fixture
def engine(database: "Database", bucket: str, aws: server.EmulatedAws) -> "Engine":
    return Engine(database, bucket, aws)


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    server: postgres.PostgresServer
    name: str

    @contextmanager
    def connect(self, **options: Any) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.server.url(self.name), autocommit=True, **options) as connection:
            yield connection

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload]

    def open_transactions(self) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'metadata_export%'"
        return int(self.rows(query)[0][0])

    def source(self, *, statement_timeout_seconds: int = 60, **credentials: Any) -> Source:
        known = {
            "host": postgres.HOST,
            "port": self.server.port,
            "dbname": self.name,
            "username": postgres.USER,
            "password": PASSWORD,
            "sslmode": "prefer",
            "expires_at": None,
        }
        return Source(Credentials(**(known | credentials)), statement_timeout_seconds, "metadata_export test")


@dataclass(frozen=True)
class InThisProcess:
    """Runs tasks where the driver runs: everything of the engine but Spark."""

    session: Session
    descriptions: list[str] = field(default_factory=list)

    def run(self, task: Task, description: str) -> Result:
        self.descriptions.append(description)
        result = run_task(self.session, task, attempt=self.session.attempts - 1)
        if isinstance(result, Failure):
            raise result.error()
        return result

    def cancel(self) -> None:
        """Nothing runs elsewhere."""


@contextmanager
def in_this_process(session: Session) -> Iterator[InThisProcess]:
    yield InThisProcess(session)


@dataclass(frozen=True)
class Engine:
    """The engine on a database and a bucket."""

    database: Database
    bucket: str
    aws: server.EmulatedAws

    def arguments(self, tables: Mapping[str, str], **changes: str) -> list[str]:
        """The job's arguments for these tables (name -> window rule)."""
        group = changes.get("EXPORT_GROUP", "runs")
        values = {
            "AWS_REGION": REGION,
            "S3_OUTPUT_PATH": f"s3://{self.bucket}/{PREFIX}",
            "DATABASE_NAME": "AirflowMetadata",
            "EXPORT_TABLES": json.dumps([{"table": name, "window": rule} for name, rule in tables.items()]),
            "GLUE_CONNECTION_NAME": self.database.name,
            "MAX_AGE_IN_DAYS": "null",
            "CUTOFF": "null",
            "EXPORT_ID": EXPORT_ID,
            "EXPORT_GROUP": group,
            "EXPORT_GROUPS": json.dumps([group]),
            "MANIFEST_KEY": f"{RUNS_PREFIX}{group}.json",
            "CATALOGUED_TABLES": "[]",
            "INCLUDE_TABLES": "[]",
            "EXCLUDE_TABLES": "[]",
            "WINDOWS": "{}",
            "MASK_COLUMNS": "[]",
            "FORMATS": '["csv"]',
            "SNAPSHOT_HOLD_SECONDS": "900",
            "MAX_CONNECTIONS": "4",
            "STATEMENT_TIMEOUT_SECONDS": "3600",
            "EXECUTION_ARN": "",
            "JOB_RUN_ID": f"jr_{uuid.uuid4().hex[:8]}",
        }
        return [word for name, value in (values | changes).items() for word in (f"--{name}", value)]

    def export(self, tables: Mapping[str, str], *, source: Source | None = None, **changes: str) -> dict[str, Any]:
        """Export in this process and return the manifest."""
        arguments = parse_arguments(self.arguments(tables, **changes))
        store = Store(s3_client(REGION), self.bucket)
        return export_group(arguments, source or self.database.source(), store, 1, in_this_process)

    def start_script(
        self, tables: Mapping[str, str], *, publish: bool = True, master: str = "local[2,4]", **changes: str
    ) -> subprocess.Popen[str]:
        """Start the entry script under Spark, as Glue does.

        Args:
            tables: name -> window rule.
            publish: the credentials first.
            master: Spark's; `local-cluster[executors,cores,MB]` has executors that are processes of their own.
            changes: to the job's arguments.
        """
        if publish:
            self.publish_credentials()
        script = [str(ROOT / "glue" / "mwaa_metadb_export.py"), "--JOB_NAME", "job", "--enable-metrics", "true"]
        return self.start_driver([*script, *self.arguments(tables, **changes)], master)

    def start_driver(self, command: Sequence[str], master: str) -> subprocess.Popen[str]:
        """Start Python with this command line, where Spark finds itself configured."""
        settings = replace(self.aws.settings, glue_python=Path(sys.executable), spark_master=master)
        folder = Path(tempfile.mkdtemp(prefix="spark-", dir=settings.temporary))
        own = spark.environment(settings, folder, {"spark.executor.memory": "512m"})
        inherited = {name: value for name, value in os.environ.items() if name not in REGION_OF_THE_ENVIRONMENT}
        environment = inherited | own | {"PYTHONPATH": str(ROOT / "glue"), "SPARK_WORKER_DIR": str(folder / "work")}
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run_script(self, tables: Mapping[str, str], *, publish: bool = True, **changes: str) -> tuple[int, str, str]:
        """Run the entry script under Spark to its end; return exit code, standard output and error."""
        process = self.start_script(tables, publish=publish, **changes)
        output, error = process.communicate(timeout=300)
        return process.returncode, output, error

    def manifest(self, group: str = "runs") -> dict[str, Any]:
        """The manifest of a group."""
        body = s3_client(REGION).get_object(Bucket=self.bucket, Key=f"{RUNS_PREFIX}{group}.json")["Body"].read()
        return dict(json.loads(body))

    def forget(self, group: str = "runs") -> None:
        """Delete the manifest of a group, by which the next export would keep what is there."""
        s3_client(REGION).delete_object(Bucket=self.bucket, Key=f"{RUNS_PREFIX}{group}.json")

    def keys(self, prefix: str = "") -> list[str]:
        """The keys in the bucket."""
        return Store(s3_client(REGION), self.bucket).keys(prefix)

    def files(self) -> list[str]:
        """The keys of the tables' objects."""
        return [key for key in self.keys(PREFIX) if key.endswith(".csv.gz")]

    def body(self, table: str) -> bytes:
        """A table's object, as it lies in S3."""
        key = f"{PREFIX}{table}_143022.csv.gz"
        return bytes(s3_client(REGION).get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def uploads(self) -> list[str]:
        """The keys of unfinished multipart uploads."""
        answer = s3_client(REGION).list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in answer.get("Uploads", [])]

    def publish_credentials(self, **changes: str) -> None:
        """Write the secret and the Glue connection that names it."""
        secret = {
            "engine": "postgres",
            "host": postgres.HOST,
            "port": self.database.server.port,
            "dbname": self.database.name,
            "username": postgres.USER,
            "password": PASSWORD,
            "sslmode": "prefer",
        } | changes
        boto3.client("secretsmanager").create_secret(Name=self.database.name, SecretString=json.dumps(secret))
        boto3.client("glue").create_connection(
            ConnectionInput={
                "Name": self.database.name,
                "ConnectionType": "JDBC",
                "ConnectionProperties": {"SECRET_ID": self.database.name},
            }
        )

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> None:
        """End the driver, its JVM and its workers at once, as a machine that fails does."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)
