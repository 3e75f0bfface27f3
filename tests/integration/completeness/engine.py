"""Starts exports of whole databases, as the state machine would, and gives what came of them."""

import contextlib
import gzip
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from export_contracts.coverage import Coverage
from export_contracts.layout import Layout, export_id
from plan_export.selection import table_groups
from plan_export.table_registry import WINDOWS

from local.aws.glue import spark
from local.aws.server import EmulatedAws
from local.aws.settings import REGION
from tests.integration.completeness.runs import CUTOFF, NOW

ROOT = Path(__file__).resolve().parents[3]
ENTRY_SCRIPT = ROOT / "glue" / "mwaa_metadb_export.py"
WARM_ENGINE = Path(__file__).with_name("warm_engine.py")
BUCKET = "exports"
EXPORT_SECONDS = 300


class ExportFailedError(Exception):
    """A group was not exported."""


@dataclass(frozen=True)
class Export:
    """The manifests of one export, by group, and the files they name."""

    manifests: Mapping[str, Mapping[str, Any]]
    s3: Any

    @property
    def tables(self) -> dict[str, Mapping[str, Any]]:
        """Return what the manifests say of each table."""
        return {name: table for manifest in self.manifests.values() for name, table in manifest["tables"].items()}

    def csv(self, table: str) -> bytes:
        """Return a file, unzipped."""
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=self.tables[table]["key"])["Body"].read()
        return gzip.decompress(body)


@dataclass(frozen=True)
class Aws:
    """The emulated AWS, with what an export needs there."""

    emulator: EmulatedAws

    def client(self, service: str) -> Any:
        """Return a client of the root user."""
        return self.emulator.client(service)

    def connect_to(self, url: str, **more: str) -> str:
        """Make a secret and a Glue connection for a database, and return the connection's name.

        Args:
            url: libpq URL.
            more: further fields of the secret.
        """
        name, parts = f"connection-{uuid.uuid4().hex[:12]}", urlsplit(url)
        secret = {
            "engine": "postgres",
            "host": parts.hostname,
            "port": parts.port,
            "dbname": unquote(parts.path[1:]),
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "sslmode": "prefer",
            **more,
        }
        self.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
        connection = {"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": name}}
        self.client("glue").create_connection(ConnectionInput=connection)
        return name

    def environment(self) -> dict[str, str]:
        """Return the variables of a Glue process: nothing of the developer's own AWS account, and no region."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        emulator = {name: value for name, value in self.emulator.env.items() if not name.endswith("_REGION")}
        settings = replace(self.emulator.settings, glue_python=Path(sys.executable))
        folder = Path(tempfile.mkdtemp(prefix="spark-", dir=settings.temporary))
        own = spark.environment(settings, folder) | {"PYTHONPATH": str(ROOT / "glue")}
        return kept | emulator | own


def new_layout() -> Layout:
    """Return where the exports of an environment of its own go."""
    return Layout(BUCKET, f"exports-{uuid.uuid4().hex[:8]}", "env")


def group_arguments(
    connection: str,
    *,
    cutoff: datetime | None = CUTOFF,
    only: Sequence[str] = (),
    layout: Layout | None = None,
    started: datetime = NOW,
    **more: str,
) -> dict[str, list[str]]:
    """Return the arguments of every group of an export of all tables, planned by the real registry.

    Args:
        connection: name of the Glue connection.
        cutoff: None exports everything.
        only: an export of these groups and no other.
        layout: of the environment; None: a new one.
        started: when its execution did, UTC.
        more: further arguments, without their hyphens.
    """
    layout = layout or new_layout()
    exclude = tuple(json.loads(more.get("EXCLUDE_TABLES", "[]")))
    planned = {group.group: group.to_json() for group in table_groups(Coverage((), exclude), layout, started)}
    groups = {name: group for name, group in planned.items() if name in (only or planned)}
    return {
        name: flatten(
            {
                "AWS_REGION": REGION,
                "S3_OUTPUT_PATH": f"s3://{BUCKET}/{layout.day_prefix(started)}",
                "DATABASE_NAME": "AirflowMetadata",
                "EXPORT_TABLES": json.dumps(group["tables"]),
                "GLUE_CONNECTION_NAME": connection,
                "MAX_AGE_IN_DAYS": json.dumps((NOW - cutoff) // timedelta(days=1) if cutoff else None),
                "CUTOFF": cutoff.isoformat() if cutoff else "null",
                "EXPORT_ID": export_id(started),
                "EXPORT_GROUP": name,
                "EXPORT_GROUPS": json.dumps(list(groups)),
                "MANIFEST_KEY": group["manifest_key"],
                "CATALOGUED_TABLES": json.dumps(group["catalogued_tables"]),
                "INCLUDE_TABLES": "[]",
                "EXCLUDE_TABLES": json.dumps(exclude),
                "WINDOWS": json.dumps(WINDOWS),
                "MASK_COLUMNS": "[]",
                "FORMATS": '["csv"]',
                "SNAPSHOT_HOLD_SECONDS": "900",
                "MAX_CONNECTIONS": "4",
                "STATEMENT_TIMEOUT_SECONDS": "3600",
                "EXECUTION_ARN": "",
                **more,
            }
        )
        for name, group in groups.items()
    }


def flatten(arguments: Mapping[str, str]) -> list[str]:
    """Return arguments as a command line has them."""
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]


class Engine:
    """A warm engine: one process and one Spark for all the exports of a test session."""

    def __init__(self, aws: Aws, log: Path) -> None:
        self._aws, self._log = aws, log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(WARM_ENGINE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=aws.environment(),
                start_new_session=True,
            )

    def export(self, groups: Mapping[str, Sequence[str]]) -> Export:
        """Run all groups of an export at the same time.

        Raises:
            ExportFailedError: with the message of each group that failed.
        """
        manifests, errors = self.try_export(groups)
        if errors:
            raise ExportFailedError("\n".join(f"{group}: {message}" for group, message in errors.items()))
        return Export(manifests, self._aws.client("s3"))

    def try_export(self, groups: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, str]]:
        """Run all groups of an export at the same time and return the manifests and the errors, each by group."""
        results = dict(zip(groups, self._ask([list(argv) for argv in groups.values()]), strict=True))
        manifests = {group: result["manifest"] for group, result in results.items() if "manifest" in result}
        return manifests, {group: result["error"] for group, result in results.items() if "error" in result}

    def _ask(self, question: list[list[str]]) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], EXPORT_SECONDS)
        answer = self._process.stdout.readline() if ready else b""
        if not answer:
            tail = self._log.read_text(errors="replace")[-3000:]
            raise ExportFailedError(f"no answer within {EXPORT_SECONDS} s; the end of {self._log}:\n{tail}")
        results: list[dict[str, Any]] = json.loads(answer)
        return results

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            kill(self._process)
        self._process.stdout.close()


def start_group(aws: Aws, argv: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start the entry script for one group in a process group of its own, as Glue does; its output goes to `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(ENTRY_SCRIPT), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=aws.environment(),
            start_new_session=True,
        )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that leads its process group, and with it the JVM and Spark's workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
