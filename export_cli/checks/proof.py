"""Has an export been proven to restore, as lately as the stack asks for?"""

from export_contracts.proofs import newest_restorable, newest_trial, proven_age_days, said

from export_cli.checks.finding import Finding, Patient, failed, passed
from export_cli.target import store


def proof(patient: Patient) -> Finding:
    """Did the last export that was tried restore, and is the newest proof young enough?"""
    exports, root = store(patient.aws, patient.target), patient.target.where().root
    machine = patient.target.stack.outputs.get("DrillStateMachineArn") if patient.target.stack else None
    drill = patient.aws_cli(f"stepfunctions start-execution --state-machine-arn {machine}")
    again = drill if machine else patient.ours("prove --record")
    newest, tried = newest_restorable(exports, root), newest_trial(exports, root)
    told = f"{newest.export_id} is {said(newest)}" if newest else "no export is proven to restore yet"
    if tried and not tried.restorable:
        return failed(
            f"{tried.export_id} is {said(tried)}; {told}", f"{patient.ours('export')}, then try that: {again}"
        )
    if machine is None:
        return passed(f"{told}; the stack makes no drills (DrillSchedule)")
    days = int(patient.target.parameters["AlarmAfterDaysUnproven"])
    age = proven_age_days(exports, root, newest, patient.now)
    if age is not None and age > days:
        return failed(f"{told}: for {age:.0f} days, more than {days}", f"Start a drill: {drill}")
    return passed(told)
