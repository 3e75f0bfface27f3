"""All checks in the order in which one depends on another."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from export_runtime.errors import ExportError

from export_cli.checks import deployment, environment, proof, replica, stack, storage
from export_cli.checks.finding import FAIL, Finding, Patient, failed, passed, unknown
from export_cli.errors import NotFoundError
from export_cli.exports import Export, Exports
from export_cli.login import login_advice
from export_cli.screen import age
from export_cli.target import store

Check = Callable[[Patient], Finding]
_LOOKED_AT = 20
# Without these no export can succeed.
_NEEDED = ("stack", "state machine", "Glue job", "bucket", "key", "environment", "network", "secret")


def last_export(patient: Patient) -> Finding:
    """Is there a fresh COMPLETE export of all that the stack asks for, and has none failed since?"""
    exports = Exports(store(patient.aws, patient.target), patient.target.where(), patient.target.coverage)
    start = _start(patient)
    found = exports.newest(_LOOKED_AT)
    if not found:
        return failed("there is no export yet", start)
    try:
        latest = exports.latest()
    except NotFoundError as error:
        return _none_counts(patient, exports, found[0], error)
    if latest.summary is None:
        return failed(f"the summary of {latest.export_id}, the last COMPLETE export: {latest.problem}", start)
    when = f"{latest.export_id}, {age(latest.started, patient.now)}"
    if patient.now - latest.started > timedelta(hours=patient.fresh_hours):
        return failed(f"the last COMPLETE export is {when}: older than {patient.fresh_hours} hours", start)
    newer = [export for export in found if export.export_id > latest.export_id]
    broken = next((export.export_id for export in newer if not export.complete), None)
    if broken:
        return failed(f"{broken} is not COMPLETE; the last that is, is {when}", _see(patient, broken))
    return passed(f"{when}, COMPLETE and full ({latest.coverage})")


def _none_counts(patient: Patient, exports: Exports, newest: Export, error: NotFoundError) -> Finding:
    if not newest.complete:
        what = f"there is no COMPLETE export; the newest, {newest.export_id}, is not"
        return failed(what, _see(patient, newest.export_id))
    start = _start(patient)
    if exports.is_full(newest):  # latest.json is not there, or leads nowhere
        return failed(str(error), start)
    what = f"the newest, {newest.export_id}, is {exports.scope(newest)}"
    return failed(f"there is no COMPLETE export of what the stack asks for; {what}", start)


def _start(patient: Patient) -> str:
    return patient.after(_NEEDED, f"Start one: {patient.ours('export')}")


def _see(patient: Patient, export_id: str) -> str:
    return f"See why: {patient.ours(f'show {export_id}')}"


CHECKS: dict[str, Check] = {
    "stack": stack.deployed,
    "version": stack.same_version,
    "state machine": deployment.state_machine,
    "Glue job": deployment.job,
    "bucket": storage.bucket,
    "key": storage.key,
    "schedule": deployment.schedule,
    "alerts": deployment.subscription,
    "environment": environment.environment,
    "execution role": environment.execution_role,
    "DAG": environment.dag,
    "network": environment.network,
    "secret": environment.secret,
    "Fernet key": environment.fernet_key,
    "connection": environment.connection,
    "last export": last_export,
    "proof": proof.proof,
    "second copy": replica.second_copy,
}


def examine(patient: Patient) -> Iterator[tuple[str, Finding]]:
    """Yield every check with its finding; a check that AWS does not let happen is ``unknown``."""
    for name, check in CHECKS.items():
        try:
            finding = check(patient)
            if finding.verdict == FAIL:
                patient.bad.append(name)
            yield name, finding
        except NotFoundError as error:
            yield name, unknown(str(error), "See the check of the stack.")
        except ExportError as error:
            if login_advice(error, None):  # then no check can be made, and the way out is one
                raise
            detail, _, fix = str(error).partition("). ")
            yield name, unknown(f"{detail})" if fix else detail, fix)
