"""The environment variables of the local Airflow: its own settings, and what Amazon MWAA gives its workers."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from local.airflow.versions import FAB_AUTH_MANAGER, AirflowVersion

POLICY_FOLDER = Path(__file__).with_name("config")
HOST = "127.0.0.1"
SSLMODE = "prefer"  # the local PostgreSQL knows no TLS, and this setting also works where TLS is there
KEEP_FROM_CALLER = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

# Fast to start and to react on two cores; nothing here changes what is written to the metadata database.
COMMON = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "PYTHONUNBUFFERED": "1",
}
BY_MAJOR = {
    2: {
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "2",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth",
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL": "0",
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": HOST,
    },
    3: {
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        # How long a supervisor may sleep before it sees that its task has ended.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__CORE__AUTH_MANAGER": FAB_AUTH_MANAGER,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__WORKERS": "1",
    },
}


@dataclass(frozen=True)
class Keys:
    """What must stay the same while a metadata database lives: without them, its encrypted values are lost."""

    fernet: str
    signing: str

    @classmethod
    def load_or_create(cls, file: Path) -> "Keys":
        """Read the keys from `file`; write new ones, for its owner alone, when there is none."""
        if not file.exists():
            fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            keys = cls(fernet=fernet, signing=secrets.token_urlsafe(48))
            descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                json.dump(keys.__dict__, stream)
        return cls(**json.loads(file.read_text()))


def sqlalchemy_url(database_url: str) -> str:
    """Return a libpq URL as Airflow wants it, user and password percent-encoded as on MWAA."""
    part = conninfo_to_dict(database_url)
    login = f"{quote(str(part['user']), safe='')}:{quote(str(part['password']), safe='')}"
    address = f"{part['host']}:{part.get('port', 5432)}"
    return f"postgresql+psycopg2://{login}@{address}/{quote(str(part['dbname']), safe='')}?sslmode={SSLMODE}"


def variables(
    version: AirflowVersion,
    *,
    home: Path,
    database_url: str,
    port: int,
    keys: Keys,
    environment_name: str,
    aws_env: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of the Airflow processes.

    Args:
        version: decides between the settings of Airflow 2 and 3.
        home: AIRFLOW_HOME.
        database_url: libpq URL of the metadata database, with user and password.
        port: of the web server or API server.
        keys: of this home.
        environment_name: the MWAA environment that this Airflow plays.
        aws_env: region, endpoint and credentials for the tasks.
    """
    inherited = {name: os.environ[name] for name in KEEP_FROM_CALLER if name in os.environ}
    own = {
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(POLICY_FOLDER),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlalchemy_url(database_url),
    }
    web = _web_variables(version, port, keys)
    worker = worker_variables(version, database_url, environment_name)
    return {**inherited, **COMMON, **BY_MAJOR[version.major], **own, **web, **worker, **aws_env}


def worker_variables(version: AirflowVersion, database_url: str, environment_name: str) -> dict[str, str]:
    """Return what an MWAA worker knows of its environment and, as Airflow 3 hides its URL from tasks, its database."""
    part = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    known = {"AIRFLOW_ENV_NAME": environment_name}
    if version.major == 2:
        return known
    return known | {
        "DB_SECRETS": json.dumps({"username": part["user"], "password": part["password"]}),
        "POSTGRES_HOST": part["host"],
        "POSTGRES_PORT": part.get("port", "5432"),
        "POSTGRES_DB": part["dbname"],
        "MWAA__DB__POSTGRES_SSLMODE": SSLMODE,
    }


def _web_variables(version: AirflowVersion, port: int, keys: Keys) -> dict[str, str]:
    if version.major == 2:
        return {
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
            "AIRFLOW__WEBSERVER__BASE_URL": f"http://{HOST}:{port}",
            "AIRFLOW__WEBSERVER__SECRET_KEY": keys.signing,
        }
    return {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__SECRET_KEY": keys.signing,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.signing,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
    }
