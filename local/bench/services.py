"""What every contestant talks to: one PostgreSQL with the datasets, one emulated S3."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg

from local import paths, postgres
from local.aws import runtimes, server
from local.aws.settings import Settings
from local.bench import dataset
from local.bench.baselines.task import Task
from local.bench.builds import BUCKET, THIS
from local.bench.dataset import Dataset
from local.console import Note
from local.postgres import PostgresServer

PASSWORD = "bench"
SETTINGS = {
    # In the processes of statements, as before PostgreSQL 18: its workers take twice the processor time for what the
    # system has in memory, and it is in no statement's.
    "io_method": "sync",
    "autovacuum": "off",  # the databases are vacuumed as they are made, and nothing changes any more
    "log_statement_stats": "on",  # for local.bench.database_use
    "max_parallel_workers_per_gather": "0",  # so that a statement's processor seconds are all its own
    "max_wal_size": "256MB",  # the databases are large enough
}


@dataclass(frozen=True)
class Services:
    """The running servers.

    Args:
        home: folder of the benchmark.
        database: PostgreSQL.
        aws: the emulated AWS, without IAM evaluation: it is not what is measured.
    """

    home: Path
    database: PostgresServer
    aws: server.EmulatedAws

    @property
    def pids(self) -> dict[str, int]:
        """Name -> pid of each server."""
        found = postgres.find(self.database.data_dir)
        return {"postgres": found[0] if found else 0, "s3": self.aws.pid}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every contestant: where AWS is, and which Python runs Spark's workers."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"PYTHONPATH": THIS.python_path, "PYSPARK_PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}
        # The Spark that the archive of classes is of; this Python has the very same version of its own.
        [spark] = paths.GLUE_RUNTIME.resolve().glob("lib/python3.*/site-packages/pyspark")
        own["SPARK_HOME"] = str(spark)
        return {**inherited, **own, **{name: value for name, value in self.aws.env.items() if name != "TMPDIR"}}

    @property
    def postgres_version(self) -> str:
        """Such as `18.3`."""
        with psycopg.connect(self.database.url()) as connection:
            return str(connection.info.parameter_status("server_version"))

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated account."""
        return boto3.client(service, **self.aws.client_arguments)

    def task(self, data: Dataset, output: Path, cutoff: str = "") -> Task:
        """What a baseline is told."""
        return Task(
            host=postgres.HOST,
            port=self.database.port,
            dbname=data.name,
            username=postgres.USER,
            password=self.database.password,
            tables=data.tables,
            output=str(output),
            bucket=BUCKET,
            cutoff=cutoff,
        )

    def connect_glue(self, data: Dataset) -> str:
        """Make the Glue connection and the secret that lead to a dataset, and return the connection's name."""
        secret = {"host": postgres.HOST, "port": self.database.port, "dbname": data.name, "engine": "postgres"}
        secret |= {"username": postgres.USER, "password": self.database.password, "sslmode": "disable"}
        secrets, glue = self.client("secretsmanager"), self.client("glue")
        secrets.create_secret(Name=data.name, SecretString=json.dumps(secret))
        properties = {"Name": data.name, "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": data.name}}
        glue.create_connection(ConnectionInput=properties)
        return data.name

    def forget_objects(self) -> None:
        """Delete every object: the emulator holds them in memory."""
        s3 = self.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=BUCKET, Key=item["Key"])


@contextlib.contextmanager
def running(home: Path) -> Iterator[Services]:
    """Start the servers over `home`, whose databases are kept, and stop them at the end, whatever happens."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    spark = runtimes.ensure_spark(paths.GLUE_RUNTIME) | {"glue_python": None}  # but this Python, with its packages
    settings = Settings(home=home / "aws", auth=False, **spark)
    with (
        postgres.start(home / "postgres", password=PASSWORD, settings=SETTINGS) as database,
        server.start(settings) as aws,
    ):
        services = Services(home, database, aws)
        services.client("s3").create_bucket(Bucket=BUCKET)
        yield services


def prepare(services: Services, datasets: list[Dataset], note: Note) -> None:
    """Make the databases that are missing, and read these once, so that no contestant pays for a cold cache."""
    for data in datasets:
        dataset.ensure(services.database, data, note)
        services.connect_glue(data)
    for file in (file for data in datasets for file in dataset.folder(services.database, data).iterdir()):
        with file.open("rb") as content:
            while content.read(1 << 24):
                pass
