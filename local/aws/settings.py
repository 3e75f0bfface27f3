"""What the emulator process is told, and how it travels there: one environment variable with JSON."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

SETTINGS_VARIABLE = "EMULATED_AWS_SETTINGS"
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"


@dataclass(frozen=True)
class Settings:
    """The emulator's settings.

    Args:
        home: folder for logs, caches and temporary files; made when missing.
        port: of the gateway on 127.0.0.1; 0 takes a free one.
        auth: evaluate IAM policies and check signatures.
        region: default region.
        glue_python: interpreter of the Glue runtime (see `runtimes.ensure_glue_runtime`); None uses the emulator's own.
        lambda_python: interpreter of the Lambda runtime (see `runtimes.ensure_lambda_runtime`); None as above.
        java_home: for Spark; None leaves JAVA_HOME out, for scripts without Spark.
        spark_classes: archive of the classes that Spark loads (see `runtimes.ensure_spark_classes`); None does without.
        spark_master: Spark's local mode: threads, and how often a task may fail.
        wait_scale: factor on Wait states and retry intervals; 0.01 makes ten seconds a tenth of one.
        timeout_scale: factor on the time-outs of states, machines and Glue jobs.
        poll_seconds: how often `.sync` looks at its job run.
    """

    home: Path
    port: int = 0
    auth: bool = True
    region: str = REGION
    glue_python: Path | None = None
    lambda_python: Path | None = None
    java_home: Path | None = None
    spark_classes: Path | None = None
    spark_master: str = "local[2,4]"
    wait_scale: float = 1.0
    timeout_scale: float = 1.0
    poll_seconds: float = 0.25

    @property
    def endpoint(self) -> str:
        """URL of the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the emulator itself logs."""
        return self.home / "emulator.log"

    @property
    def glue_logs(self) -> Path:
        """Folder with `<run id>.output.log` and `<run id>.error.log` of each Glue job run."""
        return self.home / "glue-logs"

    @property
    def temporary(self) -> Path:
        """Folder for everything that may go when the emulator stops."""
        return self.home / "tmp"

    def to_json(self) -> str:
        """These settings as JSON."""
        return json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()})


def from_environment() -> Settings:
    """The settings that the parent process wrote into the environment.

    Raises:
        KeyError: this process was not started by `server.start`.
    """
    values = json.loads(os.environ[SETTINGS_VARIABLE])
    for name in ("home", "glue_python", "lambda_python", "java_home", "spark_classes"):
        values[name] = Path(values[name]) if values[name] else None
    return Settings(**values)
