"""The whole pipeline on one machine: PostgreSQL, the emulated AWS with the deployed template, and a real Airflow."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from local import pipeline, postgres, processes
from local.airflow import environment
from local.airflow import server as airflow_server
from local.airflow.server import LocalAirflow
from local.aws import server as aws_server
from local.aws.server import EmulatedAws
from local.aws.settings import Settings
from local.console import Progress
from local.paths import StackPaths
from local.pipeline import DATABASE, ENVIRONMENT, Pipeline, client
from local.postgres import PostgresServer


@dataclass(frozen=True)
class Stack(Pipeline):
    """A running local stack."""

    airflow: LocalAirflow


@contextlib.contextmanager
def running(stack_paths: StackPaths, airflow_version: str, progress: Progress) -> Iterator[Stack]:
    """Start everything, hand it out, and stop everything again, whatever happens."""
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_stop_visibly, stack_paths, progress)
        stack = start(stack_paths, airflow_version, progress)
        cleanup.callback(stack.aws.stop)
        yield stack


def start(stack_paths: StackPaths, airflow_version: str, progress: Progress, *, detached: bool = False) -> Stack:
    """Start a fresh stack; what an earlier one left in the same folder is stopped and removed first.

    Args:
        stack_paths: where it keeps its files.
        airflow_version: for example 3.3.1.
        progress: told of every step.
        detached: keep running after this process (`make up`).
    """
    stop(stack_paths)
    made = (stack_paths.postgres, stack_paths.aws, stack_paths.airflow, stack_paths.restored)
    for folder in (*made, stack_paths.logs, stack_paths.mirror):
        shutil.rmtree(folder, ignore_errors=True)
    stack_paths.logs.mkdir(parents=True)
    settings = pipeline.prepare_runtimes(stack_paths, progress)
    airflow_environment = _prepare_airflow(airflow_version, progress)
    database = pipeline.start_database(stack_paths, progress, detached=detached)
    with progress.step("Emulated AWS"):
        aws = aws_server.start(settings, detached=detached)
    stack_paths.state.write_text(json.dumps({"aws_pid": aws.pid}))
    try:
        return _fill(stack_paths, airflow_version, airflow_environment, database, aws, progress)
    except BaseException:
        aws.stop()
        raise


def _fill(
    stack_paths: StackPaths,
    airflow_version: str,
    airflow_environment: environment.AirflowEnvironment,
    database: PostgresServer,
    aws: EmulatedAws,
    progress: Progress,
) -> Stack:
    """Deploy the template while Airflow starts: each takes longest where the other waits."""
    with ThreadPoolExecutor(2) as pool:
        deployed = pool.submit(_deploy, stack_paths, database, aws, airflow_version, progress)
        airflow = pool.submit(_start_airflow, stack_paths, airflow_environment, database, aws, progress)
        try:
            made = deployed.result()
            return Stack(**{each.name: getattr(made, each.name) for each in fields(made)}, airflow=airflow.result())
        except BaseException:
            processes.stop_all()  # or the other thread would finish its work before anybody hears of the failure
            airflow_server.stop(stack_paths.airflow)
            raise


def stop(stack_paths: StackPaths) -> bool:
    """Stop what runs over these folders, whoever started it, and return whether there was anything."""
    processes.stop_all()
    stopped = bool([*airflow_server.stop(stack_paths.restored), *airflow_server.stop(stack_paths.airflow)])
    if stack_paths.state.exists():
        aws_server.attach(Settings(home=stack_paths.aws), json.loads(stack_paths.state.read_text())["aws_pid"]).stop()
        stack_paths.state.unlink()
        stopped = True
    return postgres.stop(stack_paths.postgres) or stopped


def _stop_visibly(stack_paths: StackPaths, progress: Progress) -> None:
    with progress.step("Everything stopped"):
        stop(stack_paths)


def _prepare_airflow(version: str, progress: Progress) -> environment.AirflowEnvironment:
    with progress.step(f"Airflow {version} installed") as note:
        return environment.ensure(version, progress=note)


def _start_airflow(
    stack_paths: StackPaths,
    installed: environment.AirflowEnvironment,
    database: PostgresServer,
    aws: EmulatedAws,
    progress: Progress,
) -> LocalAirflow:
    with progress.step(f"Airflow {installed.version.number} started") as note:
        airflow = airflow_server.start(
            installed,
            home=stack_paths.airflow,
            logs=stack_paths.logs,
            database_url=database.url(DATABASE),
            environment_name=ENVIRONMENT,
            aws_env=_worker_environment(stack_paths, aws),
            progress=note,
        )
        airflow_server.wait_until_ready(airflow, progress=note)
        return airflow


def _deploy(
    stack_paths: StackPaths, database: PostgresServer, aws: EmulatedAws, airflow_version: str, progress: Progress
) -> Pipeline:
    made = pipeline.deploy(stack_paths, database, aws, airflow_version, progress)
    _give_policy_to_worker(stack_paths, aws, made.account.execution_role, made.outputs["MwaaExecutionPolicyArn"])
    return made


def _worker_environment(stack_paths: StackPaths, aws: EmulatedAws) -> dict[str, str]:
    """AWS as a worker of MWAA sees it: the execution role's credentials, which a file brings once there are any."""
    env = {key: value for key, value in aws.env.items() if not key.startswith(("AWS_ACCESS_", "AWS_SECRET_", "TMPDIR"))}
    return env | {"AWS_SHARED_CREDENTIALS_FILE": str(_worker_credentials(stack_paths))}


def _give_policy_to_worker(stack_paths: StackPaths, aws: EmulatedAws, role: str, policy_arn: str) -> None:
    """Do what the output AttachPolicyCommand says, and hand the role's credentials to Airflow's tasks."""
    iam = client(aws, "iam")
    iam.attach_role_policy(RoleName=role, PolicyArn=policy_arn)
    role_arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    assumed = client(aws, "sts").assume_role(RoleArn=role_arn, RoleSessionName="airflow", DurationSeconds=43200)
    keys = assumed["Credentials"]
    _worker_credentials(stack_paths).write_text(
        f"[default]\naws_access_key_id={keys['AccessKeyId']}\naws_secret_access_key={keys['SecretAccessKey']}\n"
        f"aws_session_token={keys['SessionToken']}\n"
    )


def _worker_credentials(stack_paths: StackPaths) -> Path:
    return stack_paths.aws / "execution-role-credentials"
