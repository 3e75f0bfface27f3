"""### Exports the metadata database of this environment to S3, every day

1. **publish_credentials** writes the database credentials that this worker was given to the stack's secret, in every
   run, so nobody has to act when a password is rotated. A stack that keeps the Fernet key gets that too.
2. **start_export** starts the stack's state machine; a retry attaches to what the first try started.
3. **wait_for_export** looks for the outcome without holding a worker slot, and fails with the reason of a failure.

There is nothing to configure: state machine and secret are found by the environment's name (`AIRFLOW_ENV_NAME`). An
Airflow Variable `metadata_export_name` replaces `<environment>-metadata-export` where the stack has another name.

*Trigger* lets you choose tables and age. To export again, trigger a new run: clearing a run that succeeded attaches to
its export; clearing one that failed starts another. A run that meets another export at work waits for it to end: it
adopts the outcome of one that brings as much, and exports itself after one that brings less. States, alerts and
redrive are in the Step Functions console.
"""

from __future__ import annotations

import hashlib
import importlib
import ipaddress
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote

try:  # Airflow 3.2
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:
    from airflow.exceptions import AirflowException, AirflowFailException
try:  # Airflow 3
    from airflow.sdk import Param, PokeReturnValue, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param
    from airflow.sensors.base import PokeReturnValue

log = logging.getLogger(__name__)
Environ = Mapping[str, str]
Secret = dict[str, Any]

# AWS seen: the variables and modules in which an MWAA worker has the database's address, login and IAM token.
# https://github.com/aws/amazon-mwaa-docker-images
STACK_NAME = "{{ var.value.get('metadata_export_name', '') }}"
MWAA = "MWAA__DB__POSTGRES_"  # prefix of the images' own variables
IAM_PROVIDER_MODULES = ("mwaa.config.rds_iam_credentials", "mwaa.utils.get_rds_iam_credentials")  # Airflow 3, 2
POSTGRES_URL = re.compile(  # the grammar of SQLAlchemy, with which Airflow itself connects
    r"postgres(?:ql)?(?:\+\w+)?://(?P<username>[^:/]+):(?P<password>[^@]+)@(?P<host>\[[^\]]+\]|[^:/?@]*)"
    r"(?::(?P<port>\d*))?/(?P<dbname>[^?]+)(?:\?(?P<query>.*))?"
)
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what PostgreSQL or UTF-8 does not take
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
USER_AGENT = "mwaa-metadata-export/0.2.0"  # in CloudTrail
MAX_EXECUTIONS_PER_RUN = 20
MISTAKES = ("InvalidExportInputError", "TableNotInDatabaseError")  # errors of an input that no retry cures
LONGEST_REASON = 1000  # characters; the cause of a failed execution may have 32,768
DEPLOY = "deploy the stack for this environment and attach its managed policy to the environment's execution role."
# AWS documented: InvalidRequestException is the answer of a secret that is scheduled for deletion.
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
NOT_OURS = {"AccessDeniedException", "InvalidRequestException", "ResourceNotFoundException"}
# AWS documented: all versions of a secret have 20 staging labels at most. AWSCURRENT and AWSPREVIOUS are two of them,
# and a new key has its own before the first one goes: what is put may fail, and then nothing may be gone.
# A version without a label is deleted some day. https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
KEPT_KEYS = 17
KEPT = "kept-"  # prefix of the labels that keep them
# AWS assumed: no retry cures an error whose code begins with AccessDenied, Invalid, ResourceNotFound,
# StateMachineDoesNotExist or Validation, any other may pass.
TERMINAL = ("AccessDenied", "Invalid", "ResourceNotFound", "StateMachineDoesNotExist", "Validation")  # error codes
NOT_KEPT = (*TERMINAL, "EncryptionFailure", "LimitExceeded")  # of the Fernet key; worth no failed export


class NotUsableError(Exception):
    """A source of credentials cannot be used. The text says why and never holds a value."""


def find_credentials(environ: Environ) -> tuple[str, Secret]:
    """Return the first usable source's name and its RDS JSON; else fail, naming each source but no value."""
    rejected = []
    for name, read in SOURCES:
        try:
            return name, read(environ)
        except NotUsableError as reason:
            rejected.append(f"{name}: {reason}")
    raise AirflowFailException(f"No database credentials; is this an Amazon MWAA worker? {'; '.join(rejected)}")


def _from_iam_provider(environ: Environ) -> Secret:
    """Mint a token with the image's own provider, under the conditions under which the image itself uses one."""
    if environ.get("USE_IAM_CREDENTIALS", "").lower() != "true" or _sslmode(environ) != "require":
        raise NotUsableError("not in use (USE_IAM_CREDENTIALS=true and sslmode require)")
    provider = _iam_provider()
    # Minted, where possible, and not taken from the provider's cache, where a token may be near its end.
    mint = getattr(provider, "generate_credentials", None) or provider.get_token
    try:
        token = mint()
    except ValueError:  # raised for a setting that this worker lacks; any other error is worth a retry
        raise NotUsableError("the image's token provider lacks a setting") from None
    expires_at = _token_expiry(token).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _secret(environ, MWAA, "airflow_user", token) | {"expires_at": expires_at}


def _iam_provider() -> Any:
    for module in IAM_PROVIDER_MODULES:
        with suppress(ImportError, AttributeError):  # the module of another Airflow version
            return importlib.import_module(module).RDSIAMCredentialProvider
    raise NotUsableError(f"not found in {' or '.join(IAM_PROVIDER_MODULES)}")


def _token_expiry(token: str) -> datetime:
    """Read when a token expires from the token itself, which is a presigned URL (AWS Signature Version 4)."""
    signed, lives = re.search(r"X-Amz-Date=(\d{8}T\d{6}Z)", token), re.search(r"X-Amz-Expires=(\d+)", token)
    start = datetime.strptime(signed[1], "%Y%m%dT%H%M%S%z") if signed else datetime.now(UTC)
    return start + timedelta(seconds=int(lives[1]) if lives else 900)


def _from_url(environ: Environ, variable: str) -> Secret:
    url = environ.get(variable, "")
    if not url or url.startswith("airflow-db-not-allowed"):
        raise NotUsableError("hidden from tasks by Airflow 3" if url else "not set")
    if (parts := POSTGRES_URL.fullmatch(url)) is None:
        raise NotUsableError("not a PostgreSQL URL with user, password, host and database")
    query = parse_qs(parts["query"] or "")
    sslmode = (query.get("sslmode") or query.get("ssl") or [_sslmode(environ)])[0]  # ssl: asyncpg's name
    login = unquote(parts["username"]), unquote(parts["password"])
    return _rds_json(*login, unquote(parts["host"]), parts["port"], unquote(parts["dbname"]), sslmode)


def _from_variables(environ: Environ, variable: str, prefix: str, decode: Callable[[str], str]) -> Secret:
    """Read user and password from a JSON variable, or from two of their own under `prefix`."""
    pair = {"username": environ.get(f"{prefix}USER", ""), "password": environ.get(f"{prefix}PASSWORD", "")}
    try:
        pair = json.loads(environ[variable]) if environ.get(variable) else pair
        login = decode(pair["username"] + ""), decode(pair["password"] + "")  # a TypeError unless both are text
    except (ValueError, KeyError, TypeError):  # `from None`: a JSON error carries the document
        raise NotUsableError("not JSON with username and password") from None
    return _secret(environ, prefix, *login)


def _secret(environ: Environ, prefix: str, username: str, password: str) -> Secret:
    """Complete the login by the address in the variables under `prefix`, else under `POSTGRES_`."""
    parts = ("HOST", "PORT", "DB")
    host, port, dbname = (environ.get(prefix + part) or environ.get(f"POSTGRES_{part}", "") for part in parts)
    return _rds_json(username, password, host, port, dbname or "AirflowMetadata", _sslmode(environ))


def _rds_json(username: str, password: str, host: str, port: str | None, dbname: str, sslmode: str) -> Secret:
    """Return the secret (the project's docs/contracts/database_secret.schema.json), which all its readers accept."""
    host, port = host.strip("[]"), port or "5432"  # an IPv6 address has brackets in a URL only
    texts = {"user": username, "password": password, "database name": dbname}
    checks = {name: text and not NO_TEXT.search(text) for name, text in texts.items()}
    checks["port number"] = re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536
    checks["host name or address (Glue reaches no Unix socket)"] = _is_host(host)
    if wrong := [name for name, usable in checks.items() if not usable]:
        raise NotUsableError(f"no {', no '.join(wrong)}")
    login = {"username": username, "password": password, "sslmode": sslmode if sslmode in SSLMODES else "require"}
    return {"engine": "postgres", "host": host, "port": int(port), "dbname": dbname, **login}


def _is_host(text: str) -> bool:
    if HOST.fullmatch(text):
        return True
    try:
        return ipaddress.IPv6Address(text).scope_id is None  # a zone means something on one machine only
    except ValueError:
        return False


def _sslmode(environ: Environ) -> str:
    return environ.get("MWAA__DB__POSTGRES_SSLMODE") or environ.get("SSL_MODE") or "require"


SOURCES: tuple[tuple[str, Callable[[Environ], Secret]], ...] = (
    ("IAM token provider", _from_iam_provider),
    ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", partial(_from_url, variable="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")),
    ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", partial(_from_url, variable="AIRFLOW__CORE__SQL_ALCHEMY_CONN")),
    # These are percent-encoded where need be: the images paste them into a URL as they are.
    ("MWAA__DB__CREDENTIALS", partial(_from_variables, variable="MWAA__DB__CREDENTIALS", prefix=MWAA, decode=unquote)),
    ("DB_SECRETS", partial(_from_variables, variable="DB_SECRETS", prefix="POSTGRES_", decode=str)),
)


def _client(service: str) -> Any:
    """Return a boto3 client. Not the provider's hooks: they look up Airflow connections and differ by version."""
    import boto3  # in here: Airflow parses this file again and again
    from botocore.config import Config

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise AirflowFailException("Neither AWS_REGION nor AWS_DEFAULT_REGION is set: set one for the Airflow workers.")
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.INFO)  # at DEBUG they log what they send: the password
    retries = {"mode": "standard", "total_max_attempts": 4}
    config = Config(connect_timeout=10, read_timeout=30, retries=retries, user_agent_extra=USER_AGENT)
    return boto3.client(service, region, config=config)


@contextmanager
def _explained(what: str, next_action: str) -> Iterator[None]:
    """Say in one sentence what AWS refused; what a retry cannot cure fails the task at once."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""
        kind = AirflowFailException if code.startswith(TERMINAL) else AirflowException
        raise kind(f"{what} failed: {_one_line(str(error))} - {next_action}") from error


def _one_line(text: str) -> str:
    """Return `text` shortened and without line breaks and control characters: it cannot forge a log line."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} ..."


def execution_name(run_id: str, attempt: int = 1) -> str:
    """Return the name of an execution, always the same for a run id and attempt.

    AWS documented: names of executions have at most 80 characters, `A-Za-z0-9-_` for CloudWatch Logs; starting the same
    name and input again returns the execution that runs. https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", run_id)[:60]
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{readable}-{digest}" + (f"-{attempt}" if attempt > 1 else "")


def execution_input(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state machine's input; what the form left empty is left to the stack's settings."""
    chosen = {name: params[name] for name in ("include_tables", "exclude_tables", "force") if params.get(name)}
    if (age := params.get("max_age_in_days")) is not None:
        chosen["max_age_in_days"] = age or None  # 0 in the form is null in the input: everything
    return {"trigger": "dag", **chosen}


def state_machine_arn(secret_arn: str) -> str:
    """Return the ARN of the state machine beside the secret. Derived: a private network may not reach STS."""
    _, partition, _, region, account, _, name = secret_arn.split(":", 6)
    return f"arn:{partition}:states:{region}:{account}:stateMachine:{name.rpartition('/database')[0]}"


def _start_or_attach(states: Any, machine: str, run_id: str, payload: str) -> str:
    """Return the ARN of this run's execution: the latest one, or a new one when that has failed."""
    for attempt in range(1, MAX_EXECUTIONS_PER_RUN + 1):
        name = execution_name(run_id, attempt)
        try:
            return states.start_execution(stateMachineArn=machine, name=name, input=payload)["executionArn"]
        except states.exceptions.ExecutionAlreadyExists:
            arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
            execution = states.describe_execution(executionArn=arn)
            log.info("%s is there already: %s", arn, execution["status"])
            if execution["status"] in {"RUNNING", "PENDING_REDRIVE", "SUCCEEDED"} and not _winner(execution):
                return arn
    raise AirflowFailException(f"None of {MAX_EXECUTIONS_PER_RUN} executions of this run exported: trigger a new run.")


def _output(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output of an execution."""
    content = json.loads(execution.get("output") or "{}")
    return content if isinstance(content, dict) else {}


def _outcome(execution: Mapping[str, Any]) -> dict[str, str]:
    """Return what a person wants to know of an execution's output."""
    output = _output(execution)
    known = ("status", "scope", "covers", "reason", "summary_uri", "total_tables", "total_rows")
    return {key: _one_line(str(output[key])) for key in known if key in output}


def _reason(cause: str) -> str:
    """Return what a cause says: that of a failed function or Glue run is JSON with a message in it."""
    try:
        told = json.loads(cause)
        message = told.get("errorMessage") or told.get("ErrorMessage")
    except (ValueError, AttributeError):
        message = None
    return _one_line(str(message or cause))


def _next_action(error: str, arn: str) -> str:
    if error in MISTAKES:
        return "a redrive would have the same input: correct it and trigger a new run."
    return (
        f"redrive {arn} in the Step Functions console and clear this task, or clear this run to start another export."
    )


def _winner(execution: Mapping[str, Any]) -> str | None:
    """Return the ARN of the execution that was at work already and that this one left the export to."""
    winner = _output(execution).get("winner")
    return winner if isinstance(winner, str) and winner.startswith("arn:") else None


def _decisive_execution(states: Any, arn: str) -> dict[str, Any]:
    """Describe the execution whose outcome is this run's: its own, or the one that it yielded to.

    The state machine yields only to an export that brings all that this run asks for.
    """
    own: dict[str, Any] = states.describe_execution(executionArn=arn)
    if not (winner := _winner(own)):
        return own
    log.info("Another export was at work when this one started: %s", winner)
    other: dict[str, Any] = states.describe_execution(executionArn=winner)
    return other


@task
def publish_credentials(stack_name: str) -> str:
    """Write this worker's database credentials to the stack's secret; return the secret's ARN."""
    environment = os.environ.get("AIRFLOW_ENV_NAME")
    if not (stack_name or environment):
        raise AirflowFailException("AIRFLOW_ENV_NAME is not set: set the Airflow Variable metadata_export_name.")
    name = stack_name or f"{environment}-metadata-export"
    secret_id = f"{name}/database"
    source, secret = find_credentials(os.environ)
    secrets = _client("secretsmanager")
    if version := _keep_fernet_key(secrets, f"{name}/fernet-key"):
        secret["fernet_key_version"] = version
    with _explained(f"Writing the secret {secret_id}", DEPLOY):
        arn = secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps(secret))["ARN"]
    log.info("Wrote the credentials of %s to %s", source, arn)
    _publish_for_restores(secrets, f"{name}/restore", json.dumps(secret))
    return arn


def _publish_for_restores(secrets: Any, secret_id: str, secret: str) -> None:
    """Write the secret that restores have of their own, where the stack allows them (AllowRestore)."""
    from botocore.exceptions import ClientError

    with _explained(f"Writing the secret {secret_id}", DEPLOY):
        try:
            secrets.put_secret_value(SecretId=secret_id, SecretString=secret)
        except ClientError as error:
            if error.response["Error"].get("Code") not in NOT_OURS:
                raise  # worth a retry; of the others nothing suffers but a restore
            log.info("No restore may write here: %s is not there, or not this role's to write", secret_id)


def _keep_fernet_key(secrets: Any, secret_id: str) -> str | None:
    """Keep this worker's Fernet key where the stack has a secret for it (KeepFernetKey); return which version has it.

    A key that is not kept costs no export; the command `doctor` tells of it.
    """
    from botocore.exceptions import ClientError

    reason = "this worker has none, or the secret is going to be deleted"
    with _explained(f"Keeping the Fernet key in {secret_id}", DEPLOY):
        try:
            # Nothing is read of the key where the stack has no secret for it.
            found = secrets.describe_secret(SecretId=secret_id)
            key = os.environ.get("AIRFLOW__CORE__FERNET_KEY", "").strip()
            if key and "DeletedDate" not in found:
                return _keep(secrets, found["ARN"], found.get("VersionIdsToStages", {}), key)
        except ClientError as error:
            reason = error.response["Error"].get("Code", "")
            if not reason.startswith(NOT_KEPT):
                raise
    log.info("No Fernet key is kept in %s: %s", secret_id, reason)
    return None


def _keep(secrets: Any, secret_arn: str, stages: Mapping[str, list[str]], key: str) -> str:
    """Have the version that holds a key, with a label that keeps it, be the current one; return its id."""
    version = _fingerprint(secret_arn, key)
    if not _is_kept(stages, version):
        label = f"{KEPT}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        labels = {"ClientRequestToken": version, "VersionStages": ["AWSCURRENT", label]}
        secrets.put_secret_value(SecretId=secret_arn, SecretString=key, **labels)
        stages = secrets.describe_secret(SecretId=secret_arn)["VersionIdsToStages"]
        # AWS documented: a put with the id and value of a version that is there is ignored, its labels too. That is a
        # key of long ago, whose label went. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
        if not _is_kept(stages, version):
            secrets.update_secret_version_stage(SecretId=secret_arn, VersionStage=label, MoveToVersionId=version)
            stages = {**stages, version: [*stages.get(version, ()), label]}
        _let_go(secrets, secret_arn, stages)
        log.info("Keeps a new Fernet key as version %s of %s", version, secret_arn)
    if "AWSCURRENT" not in stages[version]:  # a key of before is back
        current = next(each for each, held in stages.items() if "AWSCURRENT" in held)
        secrets.update_secret_version_stage(
            SecretId=secret_arn, VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=version
        )
    return version


def _is_kept(stages: Mapping[str, list[str]], version: str) -> bool:
    return any(label.startswith(KEPT) for label in stages.get(version, ()))


def _fingerprint(secret_arn: str, key: str) -> str:
    """Return the id of a key's version: the same for the same key, and of no use to who wants to guess the key."""
    return hashlib.pbkdf2_hmac("sha256", key.encode(), secret_arn.encode(), 600_000, dklen=16).hex()


def _let_go(secrets: Any, secret_arn: str, stages: Mapping[str, list[str]]) -> None:
    """Take their labels from the keys that were kept first: the next key has to find room for its own."""
    kept = sorted((label, version) for version, held in stages.items() for label in held if label.startswith(KEPT))
    for label, version in kept[:-KEPT_KEYS]:
        secrets.update_secret_version_stage(SecretId=secret_arn, VersionStage=label, RemoveFromVersionId=version)


@task
def start_export(secret_arn: str, params: Any = None, run_id: Any = None) -> str:
    """Start this run's export, or find the one that an earlier try started; return the execution's ARN."""
    machine = state_machine_arn(secret_arn)
    with _explained(f"Starting {machine}", DEPLOY):
        arn = _start_or_attach(_client("stepfunctions"), machine, run_id, json.dumps(execution_input(params)))
    log.info("The export is %s", arn)
    return arn


@task.sensor(mode="reschedule", poke_interval=30, timeout=timedelta(hours=12).total_seconds())
def wait_for_export(execution_arn: str) -> PokeReturnValue:
    """Tell whether the export has ended; fail, without a retry, when it ended in anything but success."""
    with _explained(f"Looking at {execution_arn}", "the export goes on: clear this task to wait for it again."):
        execution = _decisive_execution(_client("stepfunctions"), execution_arn)
    status, arn = execution["status"], execution["executionArn"]
    if status in {"RUNNING", "PENDING_REDRIVE"}:
        return PokeReturnValue(is_done=False)
    if status != "SUCCEEDED":
        error, cause = execution.get("error") or "no error", _reason(execution.get("cause") or "no cause")
        raise AirflowFailException(f"The export {status}: {_one_line(error)}: {cause} - {_next_action(error, arn)}")
    outcome = _outcome(execution)
    log.info("%s has succeeded: %s", arn, outcome or "it says no more")
    return PokeReturnValue(is_done=True, xcom_value=outcome)


TABLES = {
    "type": ["null", "array"],
    "description": "One name per line, as in the database: without quotes. Empty: the stack's setting.",
}
AGE = "Runs older than this many days are left out. Empty: the stack's setting. 0: everything is exported."
PARAMS = {
    "max_age_in_days": Param(None, type=["null", "integer"], minimum=0, maximum=3650, title="Days", description=AGE),
    "include_tables": Param(None, title="Only these tables", **TABLES),
    "exclude_tables": Param(None, title="Not these tables", **TABLES),
    "force": Param(False, type="boolean", title="Force", description="Export although a complete export is there."),
}


@dag(
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params=PARAMS,
)
def mwaa_metadata_export() -> None:
    wait_for_export(start_export(publish_credentials(STACK_NAME)))


mwaa_metadata_export()
