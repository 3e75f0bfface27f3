"""Do the export bucket's lifecycle rules leave alone what is needed, and clean up the rest?"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from export_contracts.layout import Layout

from export_cli.checks import commands
from export_cli.checks.commands import Document
from export_cli.checks.finding import Patient, Problem
from export_cli.checks.lifecycle import Lifecycle, Objects, covers_all
from export_cli.target import ASSETS_PREFIX

# The job that restores has the wheels of two packages, of which none is larger than 5 MB
# (tests/integration/deployment/test_deployed_stack.py).
LARGEST_ASSET = 10_000_000
# AWS documented: an execution can be redriven for 14 days. https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
REDRIVE_DAYS = 14


def problems(patient: Patient, configured: Document, lifecycle: Lifecycle) -> Iterator[Problem]:
    """Yield what is wrong with the rules of the export bucket; arguments as of ``read_rules``."""
    yield from _upload_problems(patient, configured, lifecycle)
    yield from _asset_problems(patient, lifecycle)
    yield from _export_problems(patient, lifecycle)


def _upload_problems(patient: Patient, configured: Document, lifecycle: Lifecycle) -> Iterator[Problem]:
    # Environments may share the bucket, each with rules for its own prefixes.
    where = patient.target.where()
    aborting = [rule for rule in lifecycle.rules if "AbortIncompleteMultipartUpload" in rule]
    if not any(covers_all(rule, f"{where.root}/") for rule in aborting):
        base = f"{where.base_prefix}/"
        add = commands.abort_uploads(patient, where.bucket, configured, base)
        yield f"incomplete uploads below {base} are never aborted", f"Have them aborted: {add}"


def _asset_problems(patient: Patient, lifecycle: Lifecycle) -> Iterator[Problem]:
    where = patient.target.where()
    assets = Objects(f"{ASSETS_PREFIX}{where.environment}/", LARGEST_ASSET)
    what, below = "the Glue job's script and packages", f"below {assets.prefix}"
    fix = f"Limit that rule to the prefix {where.base_prefix}/; then, if it has happened: {patient.ours('publish')}"
    for rule, days in lifecycle.expiring(assets):
        yield f"lifecycle rule {_name(rule)} deletes {what} {below}{_after(days)}", fix
    for rule, days in lifecycle.archiving(assets):
        yield f"lifecycle rule {_name(rule)} archives {what} {below}{_after(days)}: no run could read them", fix


def _export_problems(patient: Patient, lifecycle: Lifecycle) -> Iterator[Problem]:
    root = f"{patient.target.where().root}/"
    for rule, days in lifecycle.archiving(Objects(root, inf)):
        if days < REDRIVE_DAYS:
            said = "what is needed to redrive, compare and verify an export could not be read"
            fix = f"Let that rule wait for {REDRIVE_DAYS} days or more, or limit it to another prefix."
            yield f"lifecycle rule {_name(rule)} archives what is below {root}{_after(days)}: {said}", fix
    parameters = patient.target.parameters
    if patient.target.stack is None or parameters.get("ExistingBucketName"):
        return
    back = f"Have the rules changed back: {patient.ours('repair --yes')}"
    for parameter, verb, found in (
        ("GlacierAfterDays", "archives", lifecycle.archiving(Objects(root, inf))),
        ("ExpireAfterDays", "deletes", lifecycle.expiring(Objects(root, inf))),
    ):
        wanted = int(parameters.get(parameter) or 0)
        for rule, days in found:
            if days < wanted:
                said = f"the stack's parameter {parameter} says {wanted}"
                yield f"lifecycle rule {_name(rule)} {verb} exports{_after(days)}, {said}", back


def read_rules(s3: Any, name: str, configured: Document) -> Lifecycle:
    """Return a bucket's rules.

    Args:
        s3: client.
        name: of the bucket.
        configured: what GetBucketLifecycleConfiguration answers; empty: nothing.
    """
    rules = tuple(rule for rule in configured.get("Rules", ()) if rule["Status"] == "Enabled")
    classes = {each["StorageClass"] for rule in rules for each in rule.get("Transitions", ())}
    moves_small = configured.get("TransitionDefaultMinimumObjectSize") != "all_storage_classes_128K"
    tierings = _tierings(s3, name) if "INTELLIGENT_TIERING" in classes else ()
    return Lifecycle(rules, moves_small, tuple(each for each in tierings if each["Status"] == "Enabled"))


def _tierings(s3: Any, name: str) -> Iterator[Document]:
    page: Document = {"IsTruncated": True}
    while page.get("IsTruncated"):
        more = {"ContinuationToken": page["NextContinuationToken"]} if "NextContinuationToken" in page else {}
        page = s3.list_bucket_intelligent_tiering_configurations(Bucket=name, **more)
        yield from page.get("IntelligentTieringConfigurationList", ())


def how_long(lifecycle: Lifecycle, where: Layout) -> str:
    """Say for how long exports are kept, and from when on archived."""
    exports = Objects(f"{where.root}/2", inf)  # the folders of years: Parquet files have a rule of their own
    rules = [rule for rule in lifecycle.rules if covers_all(rule, exports.prefix)]
    expirations = [rule["Expiration"] for rule in rules if "Expiration" in rule]
    days = [expiration["Days"] for expiration in expirations if "Days" in expiration]
    dates = [expiration["Date"] for expiration in expirations if "Date" in expiration]
    kept = f"exports expire after {min(days)} days" if days else "exports are kept for ever"
    kept = f"all exports are deleted on {min(dates):%Y-%m-%d}" if dates else kept
    archived = [after for _, after in lifecycle.archiving(exports)]
    return f"{kept}, and are archived after {min(archived)}" if archived else kept


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("ID", "without a name"))


def _after(days: int) -> str:
    return f" after {days} days" if days else " at once or on a date"
