"""A local Airflow that plays an Amazon MWAA environment: scheduler, triggerer and web server on 127.0.0.1."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import psycopg

from local import ports
from local.airflow import configuration, dumps, processes, versions
from local.airflow.environment import AirflowEnvironment, Progress
from local.airflow.errors import LocalAirflowError, NoAnswerError
from local.airflow.processes import Component
from local.airflow.rest import AirflowApi
from local.airflow.versions import AirflowVersion

STATE_FILE = "airflow.json"
ADMIN = "admin"  # name and password of the first user; the server listens on 127.0.0.1 only
EXAMPLE_DAGS = Path(__file__).with_name("example_dags")
EXPORT_DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "mwaa_metadata_export.py"

# The slowest to start comes first. `--skip-serve-logs`: those servers would listen on every address.
COMPONENTS = {
    2: (
        Component("webserver", ("webserver",)),
        Component("scheduler", ("scheduler", "--skip-serve-logs")),
        Component("triggerer", ("triggerer", "--skip-serve-logs"), niceness=10),
    ),
    3: (
        Component("api-server", ("api-server",)),
        Component("dag-processor", ("dag-processor",)),
        Component("scheduler", ("scheduler", "--skip-serve-logs")),
        Component("triggerer", ("triggerer", "--skip-serve-logs"), niceness=10),
    ),
}


@dataclass(frozen=True)
class LocalAirflow:
    """A running Airflow: where it is and how to log in."""

    number: str
    home: Path
    logs: Path
    url: str
    username: str
    password: str = field(repr=False)
    pids: Mapping[str, int] = field(default_factory=dict)

    @property
    def version(self) -> AirflowVersion:
        """Its version."""
        return versions.find(self.number)

    @property
    def dags(self) -> Path:
        """The folder of its DAG files."""
        return self.home / "dags"

    def api(self) -> AirflowApi:
        """Return a client of its REST API."""
        return AirflowApi(self.url, self.version.major, self.username, self.password)


def start(
    environment: AirflowEnvironment,
    *,
    home: Path,
    logs: Path,
    database_url: str,
    environment_name: str,
    aws_env: Mapping[str, str],
    dag_files: Iterable[Path] | None = None,
    port: int | None = None,
    progress: Progress = print,
) -> LocalAirflow:
    """Start Airflow over a metadata database; return when its processes are started (see `wait_until_ready`).

    Args:
        environment: from `environment.ensure`.
        home: AIRFLOW_HOME, kept: keys, task logs, DAG files. An Airflow that runs over it is stopped first.
        logs: folder for what the components write.
        database_url: libpq URL of an existing database; migrated when it is empty, left alone when it is migrated.
        environment_name: AIRFLOW_ENV_NAME for the tasks.
        aws_env: AWS_DEFAULT_REGION, AWS_ENDPOINT_URL and credentials for the tasks.
        dag_files: copied into the DAG folder, in place of what was there; the export DAG and the examples when None.
        port: of the web server; a free one when None.
        progress: called with a line per step.

    Raises:
        CommandError: the database could not be migrated.
    """
    stop(home)
    for folder in (home, logs):
        folder.mkdir(parents=True, exist_ok=True)
    _fill_dags(home / "dags", default_dag_files() if dag_files is None else dag_files)
    chosen = port or ports.reserve()
    variables = configuration.variables(
        environment.version,
        home=home,
        database_url=database_url,
        port=chosen,
        keys=configuration.Keys.load_or_create(home / "keys.json"),
        environment_name=environment_name,
        aws_env=aws_env,
    )
    if not _is_migrated(database_url):
        dumps.fill(database_url, environment.version.number, admin=ADMIN, progress=progress)
    pids = processes.start(
        COMPONENTS[environment.version.major],
        airflow=environment.airflow,
        home=home,
        logs=logs,
        variables=variables,
    )
    url = f"http://{configuration.HOST}:{chosen}"
    airflow = LocalAirflow(environment.version.number, home, logs, url, ADMIN, ADMIN, pids)
    _write_state(airflow)
    return airflow


def default_dag_files() -> list[Path]:
    """Return the export DAG and the example DAGs."""
    return [EXPORT_DAG_FILE, *sorted(EXAMPLE_DAGS.glob("*.py"))]


def wait_until_ready(airflow: LocalAirflow, *, timeout_seconds: float = 300, progress: Progress = print) -> None:
    """Wait until every component is healthy and every DAG file is parsed.

    Raises:
        LocalAirflowError: a component ended, a DAG file cannot be imported, or the time is over; says which, and why.
    """
    deadline = time.monotonic() + timeout_seconds
    api = airflow.api()
    expected = {file.stem for file in airflow.dags.glob("*.py")}
    for missing in (partial(_cold, api), partial(_missing, airflow, api, expected)):
        _wait_until_nothing(missing, airflow, deadline, progress)


def stop(home: Path) -> list[str]:
    """Stop the Airflow over `home`, whoever started it, and return the names of its components."""
    return processes.stop(home)


def find(home: Path) -> LocalAirflow | None:
    """Return the Airflow that runs over `home`, None when there is none."""
    try:
        state = json.loads((home / STATE_FILE).read_text())
    except FileNotFoundError:
        return None
    paths = {name: Path(state[name]) for name in ("home", "logs")}
    return LocalAirflow(**(state | paths)) if processes.is_running(home) else None


def _wait_until_nothing(
    missing: Callable[[], list[str]], airflow: LocalAirflow, deadline: float, progress: Progress
) -> None:
    """Wait until nothing is `missing`, telling what is whenever that changes."""
    said: list[str] = []
    while what := _or_the_web_server(missing):
        if what != said:
            progress("waiting for " + ", ".join(what))
            said = what
        if ended := processes.ended(airflow.pids):
            raise LocalAirflowError(f"Airflow's {ended[0]} has ended: see {airflow.logs}/airflow-{ended[0]}.log")
        if time.monotonic() > deadline:
            raise LocalAirflowError(f"Airflow is not ready: still waiting for {', '.join(what)}; see {airflow.logs}")
        time.sleep(0.2)


def _or_the_web_server(missing: Callable[[], list[str]]) -> list[str]:
    try:
        return missing()
    except NoAnswerError:  # on a busy machine its first answers take longer than a request may
        return ["the web server"]


def _cold(api: AirflowApi) -> list[str]:
    if not api.health():
        return ["the web server"]
    api.warm_up()
    return []


def _missing(airflow: LocalAirflow, api: AirflowApi, expected: set[str]) -> list[str]:
    """Return the components that are not healthy; when all are, the DAGs that are not parsed."""
    parts = {"metadatabase", "scheduler", "triggerer"} | ({"dag_processor"} if airflow.version.major == 3 else set())
    health = api.health()
    if unhealthy := sorted(part for part in parts if health.get(part) != "healthy"):
        return unhealthy
    if errors := api.import_errors():
        raise LocalAirflowError("\n".join(f"{file}: {text}" for file, text in errors.items()))
    return sorted(expected - api.dag_ids())


def _fill_dags(folder: Path, files: Iterable[Path]) -> None:
    """Make `folder` hold copies of `files` and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in files:
        shutil.copyfile(file, folder / file.name)


def _write_state(airflow: LocalAirflow) -> None:
    (airflow.home / STATE_FILE).write_text(json.dumps(asdict(airflow), default=str))


def _is_migrated(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone()
    return row is not None and row[0] is not None
