"""All checks in the order in which one depends on another."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from export_contracts.errors import ExportError

from mwaa_metadata_export.checks import deployment, environment, stack, storage
from mwaa_metadata_export.checks.finding import Finding, Patient, failed, passed, unknown
from mwaa_metadata_export.errors import NotFoundError
from mwaa_metadata_export.exports import Exports
from mwaa_metadata_export.screen import age
from mwaa_metadata_export.target import store

Check = Callable[[Patient], Finding]


def last_export(patient: Patient) -> Finding:
    """Is there a COMPLETE export that is fresh, and is the newest one COMPLETE?"""
    exports = Exports(store(patient.aws, patient.target), patient.target.where())
    start = f"Start one: {patient.ours('export')}"
    found = exports.newest(1)
    if not found:
        return failed("there is no export yet", start)
    try:
        latest = exports.find("latest")
    except NotFoundError:
        return failed(
            f"there is no COMPLETE export; the newest, {found[0].export_id}, is not", _see(patient, found[0].export_id)
        )
    if latest.summary is None:
        return failed(f"the summary of {latest.export_id}, the last COMPLETE export: {latest.problem}", start)
    when = f"{latest.export_id}, {age(latest.started, patient.now)}"
    if patient.now - latest.started > timedelta(hours=patient.fresh_hours):
        return failed(f"the last COMPLETE export is {when}: older than {patient.fresh_hours} hours", start)
    if found[0].export_id > latest.export_id:
        return failed(
            f"{found[0].export_id} is not COMPLETE; the last that is, is {when}", _see(patient, found[0].export_id)
        )
    return passed(f"{when}, COMPLETE")


def _see(patient: Patient, export_id: str) -> str:
    return f"See why: {patient.ours(f'show {export_id}')}"


CHECKS: dict[str, Check] = {
    "stack": stack.deployed,
    "state machine": deployment.state_machine,
    "Glue job": deployment.job,
    "bucket": storage.bucket,
    "key": storage.key,
    "schedule": deployment.schedule,
    "alerts": deployment.subscription,
    "environment": environment.environment,
    "execution role": environment.execution_role,
    "network": environment.network,
    "secret": environment.secret,
    "connection": environment.connection,
    "last export": last_export,
}


def examine(patient: Patient) -> Iterator[tuple[str, Finding]]:
    """Yield every check with its finding; a check that AWS does not let happen is ``unknown``."""
    for name, check in CHECKS.items():
        try:
            yield name, check(patient)
        except NotFoundError as error:
            yield name, unknown(str(error), "See the check of the stack.")
        except ExportError as error:
            detail, _, fix = str(error).partition("). ")
            yield name, unknown(f"{detail})" if fix else detail, fix)
