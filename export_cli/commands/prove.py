"""`prove`: an export is restored into a PostgreSQL of its own, and compared."""

from collections.abc import Callable

import click
from export_contracts.proof import Proof
from export_contracts.restore_plan import restore_plan
from export_runtime.figures import count, counted
from metadata_proof.errors import ProofError
from metadata_proof.proof import prove as prove_export
from metadata_proof.scratch import scratch_database
from metadata_proof.whole import check_provable, restoring
from metadata_restore.fill import Watcher
from metadata_restore.plan import RestorePlan
from metadata_restore.s3_objects import S3Objects

from export_cli.errors import BAD, OK, LocalError
from export_cli.exports import LATEST
from export_cli.options import Session, with_session
from export_cli.screen import Bar, Screen


@click.command()
@click.argument("export", default=LATEST)
@click.option(
    "--jobs", "-j", type=click.IntRange(1, 16), default=2, show_default=True, help="Connections that restore."
)
@click.option("--record", is_flag=True, help="Keep the proof beside the exports, where list and show find it.")
@with_session
def prove(session: Session, export: str, jobs: int, record: bool) -> int:
    """Prove that an EXPORT restores: into a PostgreSQL of its own on this machine, then compared. Default: latest.

    Compared are every table's rows and content with what the export recorded; constraints must be valid, and sequences
    ahead of their keys. The server and its data are removed again. Exit code 1 when it does not restore.
    """
    target = session.target()
    found = session.exports(target).find(export)
    bucket = target.where().bucket
    plan = RestorePlan.from_json(restore_plan(found.read(), bucket))
    try:
        check_provable(plan)
        with session.screen.progress("restoring", plan.object_bytes) as bar:
            restore = restoring(Watcher(bar.describe, bar.advance), jobs)
            objects = S3Objects(session.aws.client("s3"), bucket)
            made = prove_export(plan, objects, scratch_database, restore, _comparing(bar))
    except ProofError as error:
        raise LocalError(str(error)) from error
    proof = Proof.from_json(made.to_json())
    key = target.where().proof_key(plan.export_id)
    if record:
        session.store(target).write(key, proof.to_bytes(), "application/json")
    if session.screen.as_json:
        session.screen.document(proof.to_json())
    else:
        _show(session.screen, proof, session.store(target).uri(key) if record else None)
    return OK if proof.restorable else BAD


def _comparing(bar: Bar) -> Callable[[str], None]:
    return lambda table: bar.describe(f"comparing {table}")


def _show(screen: Screen, proof: Proof, uri: str | None) -> None:
    for problem in proof.problems:
        screen.line("bad", problem)
    for note in proof.notes:
        screen.line(note, style="yellow")
    if proof.restorable:
        facts = f"{counted(proof.tables, 'table')}, {count(proof.rows)} rows, {count(proof.constraints)} constraints"
        screen.line("ok", f"export {proof.export_id} restores: {facts};",
                    f"the content of {count(proof.contents)} is what was exported")  # fmt: skip
    else:
        screen.line("bad", f"export {proof.export_id} is not proven to restore")
    if uri:
        screen.line(f"Recorded: {uri}", style="dim")
