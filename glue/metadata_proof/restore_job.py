"""The Glue run that restores an export into a running environment (docs/contracts/README.md has its arguments).

Beside Airflow's components, in one transaction, and nothing is committed that was not read back and compared.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from metadata_export import log
from metadata_export.aws import s3_client, secretsmanager_client
from metadata_export.errors import CredentialsError, ExportError, describe
from metadata_export.secret import Credentials, parse_secret
from metadata_export.source import AUTHORITIES
from metadata_restore.database import Address, Connection
from metadata_restore.errors import RestoreError, UncertainError
from metadata_restore.fernet import ENCRYPTED
from metadata_restore.fill import Check, Examination, Outcome, Watcher, fill
from metadata_restore.options import Options
from metadata_restore.plan import RestorePlan
from metadata_restore.refusals import kept
from metadata_restore.s3_objects import S3Objects
from psycopg.conninfo import make_conninfo

from metadata_proof import documents
from metadata_proof.checks import compare_rows, masked
from metadata_proof.earlier_try import Marker
from metadata_proof.errors import ProofError
from metadata_proof.restore_keys import KeptKeys, read_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SHOWN = 5


class NotAsExportedError(RestoreError):
    """What was loaded is not what was exported; it was rolled back."""


class ReportError(RestoreError):
    """The target is restored, and nobody can be told what was."""


@dataclass(frozen=True)
class Arguments:
    """The job's arguments."""

    region: str
    plan_uri: str
    report_uri: str
    secret_id: str
    options: Options
    fernet_secret_id: str | None = None
    """with the target's Fernet keys; None: its stack keeps none"""
    old_fernet_secret_id: str | None = None
    """with those of the exported environment; None: the same"""


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Return the arguments; those that Glue adds are left alone.

    Raises:
        ProofError: naming what is missing or not allowed.
    """
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False, allow_abbrev=False)
    for name in ("AWS_REGION", "RESTORE_PLAN", "RESTORE_REPORT", "DATABASE_SECRET", "RESTORE_OPTIONS"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--FERNET_KEY_SECRET", default=None)
    found, _ = parser.parse_known_args(list(argv))
    fernet_secret = vars(found).pop("FERNET_KEY_SECRET")
    if missing := [name for name, value in vars(found).items() if not value]:
        raise ProofError(f"the job lacks the arguments {', '.join(missing)}: start it from its state machine")
    try:
        given = json.loads(found.RESTORE_OPTIONS)
        old_fernet_secret = given.pop("old_fernet_key", None)
        options = Options(**given, replace=True, while_running=True)
    except (ValueError, TypeError, AttributeError) as error:
        raise ProofError(f"RESTORE_OPTIONS is not what the job takes: {error}") from error
    places = found.AWS_REGION, found.RESTORE_PLAN, found.RESTORE_REPORT, found.DATABASE_SECRET
    return Arguments(*places, options, fernet_secret, old_fernet_secret)


def main(argv: Sequence[str]) -> None:
    """Restore.

    Raises:
        RestoreError, ProofError, ExportError: its one line is what Glue shows as the run's ErrorMessage. It says what
            has become of the target.
    """
    try:
        _restore(parse_arguments(argv))
    except (UncertainError, ReportError):
        raise
    except (RestoreError, ExportError, ProofError) as error:
        # An earlier try may have changed something: the marker that it left tells.
        raise RestoreError(f"{error} - nothing was changed in the target by this run") from error
    except Exception as error:
        raise RestoreError(f"unexpected {describe(error)} - it is one transaction: all of it, or nothing") from error


def before_commit(
    plan: RestorePlan, options: Options, anew: bool, noted: Callable[[Sequence[str], int], None]
) -> Check:
    """Return a check that lets nothing be committed that is not as it was exported.

    Args:
        anew: whether encrypted values are encrypted anew, so that the content of their tables is another one.
        noted: is told what could not be compared, and how many contents were equal.
    """

    def check(connection: Connection, found: Examination, rows: Mapping[str, int], orphans: Mapping[str, int]) -> None:
        # Those of which running components keep rows of their own are not as exported, on purpose.
        tables = [table for table in plan.tables if table.name in rows and table.name not in kept(options)]
        changed = [table for table in tables if anew and table.name in ENCRYPTED]
        same = [table for table in tables if table not in changed]
        problems, notes, _, contents = compare_rows(connection, same, found.target, orphans)
        numbers = [replace(table, content_checksum=None) for table in changed]
        problems += compare_rows(connection, numbers, found.target, orphans)[0]
        notes += [f"{table.name}: encrypted anew, so the number of its rows alone was compared" for table in changed]
        if problems:
            more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise NotAsExportedError(f"{'; '.join(problems[:_SHOWN])}{more}")
        own = sorted(kept(options) & set(rows))
        notes += [f"{name}: not compared, for running components keep rows of their own" for name in own]
        noted([*notes, *masked(plan)], contents)

    return check


def _restore(arguments: Arguments) -> None:
    log.configure({"plan": arguments.plan_uri})
    s3 = s3_client(arguments.region)
    plan = documents.read_plan(s3, arguments.plan_uri)
    log.info(f"restoring the export {plan.export_id}", tables=len(plan.tables), rows=plan.rows)
    credentials, fernet_key = _read_secret(arguments)
    address = _address(credentials)
    marker = Marker(
        s3,
        arguments.report_uri.removesuffix("report.json") + "committing.json",
        f"{credentials.host}:{credentials.port}/{credentials.dbname}",
    )
    report = marker.report_of_committed(address)
    if report is not None:
        log.info("an earlier try was committed: nothing is restored again")
    else:
        report = _fill(arguments, s3, plan, address, marker, fernet_key)
        log.info(f"restored {sum(report['rows'].values())} rows")
    _write_report(s3, arguments.report_uri, report)
    log.info(f"the report is {arguments.report_uri}")


def _fill(
    arguments: Arguments, s3: "S3Client", plan: RestorePlan, address: Address, marker: Marker, fernet_key: str | None
) -> dict[str, Any]:
    """Restore, and return the report."""
    kept_keys = KeptKeys(arguments.fernet_secret_id, fernet_key, arguments.old_fernet_secret_id)
    keys, told = read_keys(secretsmanager_client(arguments.region), kept_keys, plan.fernet_key_version)
    if told:
        log.info(told)
    compared = {"notes": list[str](), "contents": 0}

    def noted(notes: Sequence[str], contents: int) -> None:
        compared.update(notes=[*([told] if told else ()), *notes], contents=contents)
        log.info(f"the content of {contents} tables is what was exported")

    watcher = Watcher(
        table=lambda name: log.info(f"loading {name}", table=name),
        waiting=lambda seconds: log.info(f"waiting for locks for {seconds:.0f} s"),
        committing=lambda transaction, outcome: marker.write(transaction, _report(plan, outcome, compared)),
    )
    check = before_commit(plan, arguments.options, keys is not None, noted)
    outcome = fill(address, S3Objects(s3, plan.bucket), plan, arguments.options, keys, watcher, check)
    return _report(plan, outcome, compared)


def _read_secret(arguments: Arguments) -> tuple[Credentials, str | None]:
    """Return the credentials, and which version of the target's Fernet keys is in use, if that is known."""
    try:
        answer = secretsmanager_client(arguments.region).get_secret_value(SecretId=arguments.secret_id)
    except (ClientError, BotoCoreError) as error:
        raise CredentialsError(
            f"cannot read the secret {arguments.secret_id!r}: {error} - it has a value once the DAG "
            "mwaa_metadata_export has run: trigger it, then redrive"
        ) from error
    text = answer.get("SecretString", "")
    credentials = parse_secret(arguments.secret_id, text)
    credentials.check_fresh(datetime.now(UTC))
    return credentials, json.loads(text).get("fernet_key_version") or None


def _write_report(s3: "S3Client", uri: str, report: Mapping[str, Any]) -> None:
    try:
        documents.write(s3, uri, report)
    except (ClientError, BotoCoreError) as error:
        raise ReportError(
            f"the target is restored, but the report {uri} cannot be written: {error} - a redrive writes it"
        ) from error


def _report(plan: RestorePlan, outcome: Outcome, compared: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "export_id": plan.export_id,
        "rows": dict(outcome.rows),
        "orphans": dict(outcome.orphans),
        "encrypted": dict(outcome.encrypted),
        "paused": len(outcome.settled.paused),
        "failed": dict(outcome.settled.failed or {}),
        "contents": compared["contents"],
        "notes": [*outcome.notes, *compared["notes"]],
    }


def _address(credentials: Credentials) -> Address:
    authorities = {"sslrootcert": str(AUTHORITIES)} if credentials.sslmode.startswith("verify-") else {}
    return Address(
        make_conninfo(
            host=credentials.host,
            port=credentials.port,
            dbname=credentials.dbname,
            user=credentials.username,
            password=credentials.password,
            sslmode=credentials.sslmode,
            gssencmode="disable",
            **authorities,
        )
    )
