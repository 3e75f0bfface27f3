"""Runs the script of a job run as Glue does: from S3, with the job role's credentials, with the modules it asks for."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.aws.authorization.services import role_may
from local.aws.credentials import RoleError, role_client, role_environment
from local.aws.glue import arguments, failure, job_run, logs, modules, network, process, spark
from local.aws.glue.failure import LaunchError
from local.aws.injection import rules
from local.aws.settings import Settings

PRINCIPAL = "glue.amazonaws.com"
SESSION = "GlueJobRunnerSession"

logger = logging.getLogger("glue.runner")


@dataclass(frozen=True)
class Task:
    """A run to do: settings, the job as GetJob answers, and the record of the run, which is updated in place."""

    settings: Settings
    job: Mapping[str, Any]
    record: job_run.Record

    def client(self, service: str) -> Any:
        """A boto3 client with the job role's credentials."""
        return role_client(self.settings, service, self.job.get("Role", ""), PRINCIPAL, SESSION)

    @property
    def log_files(self) -> tuple[Path, Path]:
        """Files for stdout and stderr."""
        stem = self.settings.glue_logs / self.record["Id"]
        return stem.with_suffix(".output.log"), stem.with_suffix(".error.log")


def run(task: Task) -> None:
    """Run a job to its end, whatever that is, and write it into the record."""
    try:
        with tempfile.TemporaryDirectory(
            prefix="glue-", dir=task.settings.temporary, ignore_cleanup_errors=True
        ) as folder:
            Path(folder).chmod(0o711)  # a run of root starts its PostgreSQL as somebody else, who must get there
            state, message = _run_in(task, Path(folder))
        given = arguments.effective(task.job, task.record)
        logs.deliver(task.client("logs"), given, task.record["Id"], *task.log_files)
        _send_metrics(task)
    except (LaunchError, RoleError) as error:
        state, message = "FAILED", str(error)
    except ClientError as error:
        state, message = "FAILED", _of_client_error(error)
    except Exception as error:
        state, message = "FAILED", failure.classified("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
    job_run.finish(task.record, state, message)


def _send_metrics(task: Task) -> None:
    """Metrics themselves are not emulated.

    AWS assumed: a job's role that may not send metrics leaves the run as it is.

    AWS documented: metrics are sent in the job's role. https://docs.aws.amazon.com/glue/latest/dg/monitoring-awsglue-with-cloudwatch-metrics.html
    """
    asked = "--enable-metrics" in arguments.effective(task.job, task.record)
    namespace = {"cloudwatch:namespace": "Glue"}
    if asked and task.settings.auth and not role_may(task.job["Role"], "cloudwatch:PutMetricData", context=namespace):
        logger.warning("Job run %s has no metrics: its role may not cloudwatch:PutMetricData", task.record["Id"])


def _run_in(task: Task, folder: Path) -> tuple[str, str | None]:
    with network.attached(task.client, task.job):
        return _run_attached(task, _command(task, folder))


def _run_attached(task: Task, command: process.Command) -> tuple[str, str | None]:
    if not job_run.advance(task.record, "RUNNING", only_from=("STARTING",)):
        return "STOPPED", None
    if hit := rules.current.take("glue", "Run", json.dumps(task.record["Arguments"])):
        return hit[1].arguments["state"], hit[1].arguments["message"] or None  # a fault that a test has set
    limit = task.record["Timeout"] * 60 * task.settings.timeout_scale
    return_code = process.run(task.record["Id"], command, limit, lambda: _is_stopping(task))
    if _is_stopping(task):
        return "STOPPED", None
    if return_code is None:
        return "TIMEOUT", "Job run exceeded its timeout of {} minutes".format(task.record["Timeout"])
    if return_code == 0:
        return "SUCCEEDED", None
    error_lines = [line for line in command.error.read_text(errors="replace").splitlines() if line.strip()]
    return "FAILED", failure.of_exit(return_code, error_lines)


def _is_stopping(task: Task) -> bool:
    return bool(task.record["JobRunState"] == "STOPPING")


def _command(task: Task, folder: Path) -> process.Command:
    given = arguments.effective(task.job, task.record)
    python = task.settings.glue_python or Path(sys.executable)
    script = _download(task, task.job["Command"]["ScriptLocation"], folder / "script")
    search_path = [
        _download(task, location, folder / "py") for location in arguments.locations(given, "--extra-py-files")
    ]
    options = given.get("--python-modules-installer-option", "")
    for location in arguments.locations(given, "--additional-python-modules"):
        archive = _download(task, location, folder / "modules")
        search_path.append(modules.install(archive, options, python, task.settings.home / "glue-modules"))
    output, error = task.log_files
    environment = {
        **_inherited(),
        **_without_region(role_environment(task.settings, task.job.get("Role", ""), PRINCIPAL, SESSION)),
        **spark.environment(task.settings, folder),
        "PYTHONPATH": os.pathsep.join(map(str, search_path)),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(folder),
    }
    argv = [str(python), str(script), *arguments.command_line(given, task.record["JobName"], task.record["Id"])]
    return process.Command(argv, folder, environment, output, error, output.with_name(f"{task.record['Id']}.pid"))


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}


def _without_region(environment: Mapping[str, str]) -> dict[str, str]:
    """A script that needs its region is told, by an argument.

    AWS assumed: no environment variable of a Glue run names the region; none is documented. https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
    """
    return {name: value for name, value in environment.items() if name not in ("AWS_REGION", "AWS_DEFAULT_REGION")}


def _download(task: Task, location: str, folder: Path) -> Path:
    if not location.startswith("s3://"):
        raise LaunchError("RESOURCE_NOT_FOUND_ERROR", f"{location} is not an S3 location")
    bucket, _, key = location.removeprefix("s3://").partition("/")
    folder.mkdir(exist_ok=True)
    path = folder / key.rsplit("/", 1)[-1]
    try:
        body = task.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        with path.open("wb") as file:
            for chunk in body.iter_chunks(1 << 20):
                file.write(chunk)
    except ClientError as error:
        raise LaunchError(_category(error), f"{location}: {error}") from error
    return path


def _of_client_error(error: ClientError) -> str:
    return failure.classified(_category(error), str(error))


def _category(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if "Denied" in code or "Unauthorized" in code or code == "403":
        return "PERMISSION_ERROR"
    if "NotFound" in code or "NoSuch" in code or code == "404":
        return "RESOURCE_NOT_FOUND_ERROR"
    return "UNCLASSIFIED_ERROR"
