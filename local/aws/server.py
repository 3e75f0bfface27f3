"""Starts and stops the emulated AWS as a subprocess.

with server.start(Settings(home=Path(".local/aws"))) as aws:
    boto3.client("s3", **aws.client_arguments)
"""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import psutil
from botocore.config import Config

from local import ports
from local.aws.errors import StartError
from local.aws.settings import SETTINGS_VARIABLE, Settings

START_SECONDS = 180.0
STOP_SECONDS = 15.0
WORKER_SECONDS = 5.0
ACCESS_KEY = "test"
SECRET_KEY = "test"
REPOSITORY = Path(__file__).resolve().parents[2]
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "SSL_CERT_FILE", "PIP_CERT")


@functools.lru_cache(maxsize=64)
def _kept_client(aws: "EmulatedAws", service: str) -> Any:
    return aws._new_client(service)  # to make one takes as long as to ask ten times


@dataclass(frozen=True)
class EmulatedAws:
    """A running emulator."""

    settings: Settings
    pid: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""
        return self.settings.port

    @property
    def endpoint(self) -> str:
        """URL of the gateway, for `AWS_ENDPOINT_URL`."""
        return self.settings.endpoint

    @property
    def client_arguments(self) -> dict[str, str]:
        """Keyword arguments of `boto3.client` for the account's root user."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.settings.region,
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
        }

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of the account's root user.

        Args:
            service: such as `s3`.
            config: arguments of `botocore.config.Config`; without them, a service always gets the same client.
        """
        return self._new_client(service, **config) if config else _kept_client(self, service)

    def _new_client(self, service: str, **config: Any) -> Any:
        no_prefix = Config(inject_host_prefix=False, **config)  # 127.0.0.1 has no `api.`, which mwaa's API prepends
        return boto3.client(service, config=no_prefix, **self.client_arguments)

    @property
    def env(self) -> dict[str, str]:
        """Environment variables with which the AWS CLI, the SAM CLI and boto3 talk to this account, and to no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
            "__SAM_CLI_APP_DIR": str(self.settings.home / "sam"),
            "TMPDIR": str(self.settings.temporary),
        }

    def stop(self) -> None:
        """End the emulator with every Lambda worker and Glue job run that it started. Harmless when it has ended."""
        _stop(self.pid, self.process)

    def __enter__(self) -> "EmulatedAws":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(settings: Settings, *, detached: bool = False) -> EmulatedAws:
    """Start the emulator and wait until it answers.

    Args:
        settings: what to run; a port of 0 becomes a free one.
        detached: keep running when this process ends (`make up`); stop it later by `attach(settings, pid).stop()`.

    Raises:
        StartError: it ended, or did not answer in time. The message holds the end of its log.
    """
    settings = dataclasses.replace(settings, home=settings.home.resolve(), port=_reserved_port(settings.port))
    for folder in (settings.home, settings.temporary, settings.glue_logs):
        folder.mkdir(parents=True, exist_ok=True)
    with settings.log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.aws.launch", *([] if detached else ["--end-with-stdin"])],
            cwd=REPOSITORY,
            env=_environment(settings),
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent, which stops it in order
        )
    aws = EmulatedAws(settings, process.pid, process)
    try:
        _wait_until_healthy(aws)
    except BaseException:
        aws.stop()
        raise
    return aws


def attach(settings: Settings, pid: int) -> EmulatedAws:
    """An emulator that another process started detached, from the settings and the pid that it wrote down."""
    return EmulatedAws(settings, pid)


def _environment(settings: Settings) -> dict[str, str]:
    """A small environment: what stands here, each Lambda function sees."""
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        SETTINGS_VARIABLE: settings.to_json(),
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": settings.region,
        "AUTH": str(settings.auth).lower(),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": str(settings.temporary),
        "SFN_WAIT_SCALE": str(settings.wait_scale),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{settings.home}/no-docker.sock",  # never find a daemon by accident
    }


def _reserved_port(port: int) -> int:
    try:
        return ports.reserve(port)
    except OSError as error:  # somebody else would answer for us
        raise StartError(f"Port {port} is taken. Stop what listens there, or choose another port.") from error


def _wait_until_healthy(aws: EmulatedAws) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if aws.process is not None and aws.process.poll() is not None:
            raise StartError(f"The emulated AWS ended with {aws.process.returncode} while starting. {_log_tail(aws)}")
        if _is_healthy(aws.endpoint):
            return
        time.sleep(0.05)
    raise StartError(
        f"The emulated AWS did not answer at {aws.endpoint} within {START_SECONDS:.0f} s. {_log_tail(aws)}"
    )


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/ready", timeout=2) as answer:  # noqa: S310 - our own URL
            return bool(json.load(answer)["status"] == "completed")
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _log_tail(aws: EmulatedAws) -> str:
    lines = aws.settings.log_file.read_text(errors="replace").splitlines()[-15:]
    return f"The end of {aws.settings.log_file}:\n" + "\n".join(lines)


def _stop(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    started = _descendants(pid)
    _end(pid, process)
    # Workers end when they lose the emulator, but on a busy machine not at once.
    _, left = psutil.wait_procs(started, WORKER_SECONDS)
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(left, WORKER_SECONDS)


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def _end(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process is None or process.poll() is None:
            os.kill(pid, signal.SIGTERM)
    if process is not None:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()
        return
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # Linux; a zombie that init has not collected yet has ended
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
