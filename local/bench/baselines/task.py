"""What a baseline is told, and how it answers."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

VARIABLE = "BENCH_TASK"
DATES = {"dag_run": "start_date", "task_instance": "start_date", "xcom": "timestamp", "log": "dttm"}


@dataclass(frozen=True)
class Task:
    """What a baseline exports.

    Args:
        host, port, dbname, username, password: of the database.
        tables: names.
        output: folder for files and for the answer.
        bucket: of the emulated S3, which the AWS_ variables lead to.
        cutoff: ISO time; rows whose date is earlier stay out.
    """

    host: str
    port: int
    dbname: str
    username: str
    password: str = field(repr=False)
    tables: tuple[str, ...] = ()
    output: str = ""
    bucket: str = ""
    cutoff: str = ""

    @property
    def jdbc_options(self) -> dict[str, str]:
        """Options of Spark's JDBC reader, the table apart."""
        return {
            "url": f"jdbc:postgresql://{self.host}:{self.port}/{self.dbname}",
            "driver": "org.postgresql.Driver",
            "user": self.username,
            "password": self.password,
        }

    def to_environment(self) -> dict[str, str]:
        """The environment variable that carries this task: unlike arguments, it is not shown to other users."""
        return {VARIABLE: json.dumps(asdict(self))}


def from_environment() -> Task:
    """The task of this process."""
    values = json.loads(os.environ[VARIABLE])
    return Task(**{**values, "tables": tuple(values["tables"])})


def seconds_since_start() -> float:
    """How long ago this process began."""
    return round(time.time() - psutil.Process().create_time(), 3)


def answer(task: Task, **figures: float) -> None:
    """Leave figures for the benchmark to read."""
    (Path(task.output) / "answer.json").write_text(json.dumps(figures))


def read_answer(output: Path) -> dict[str, float]:
    """The figures that a baseline left in its folder."""
    figures: dict[str, float] = json.loads((output / "answer.json").read_text())
    return figures
