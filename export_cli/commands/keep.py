"""`keep` and `release`: an export that the bucket's lifecycle does not take."""

import click
from export_runtime.figures import counted, size

from export_cli.errors import OK, InvalidOptionError, NotFoundError
from export_cli.exports import Export, Exports
from export_cli.keeping import Keeper, bucket_rules, find_kept
from export_cli.options import Session, with_session


@click.command()
@click.argument("export")
@with_session
def keep(session: Session, export: str) -> int:
    """Keep an EXPORT where the lifecycle that deletes exports does not reach, until you release it.

    It is copied inside S3, below kept/, and its checksums are compared. To look at it: --base-prefix kept.
    """
    target = session.target()
    store, where = session.store(target), target.where()
    found = session.exports(target).find(export)
    summary = found.read()
    keeper = Keeper(session.aws, store, where)
    keeper.refuse_deleting_rule(bucket_rules(session.aws, where.bucket))
    try:
        with session.screen.progress("copying", summary.object_bytes) as bar:
            kept = keeper.keep(found, summary, bar.advance)
    except BaseException:  # Ctrl-C too
        remove = session.ours(f"release {found.export_id}", target)
        session.screen.note(f"What was copied so far stays, and is paid for. Keep it again, or remove it: {remove}")
        raise
    uri = store.uri(kept.summary_key)
    if session.screen.as_json:
        session.screen.document({"export_id": found.export_id, "summary": uri, "was_there": kept.was_there})
    done = "was kept before" if kept.was_there else f"kept: {counted(kept.objects, 'object')}, {size(kept.size)}"
    session.screen.line("ok", f"{found.export_id} {done}; summary {uri}")
    session.screen.line(
        f"To look at it: {session.ours(f'show {found.export_id} --base-prefix kept', target)}", style="dim"
    )
    return OK


@click.command()
@click.argument("export")
@click.option("--yes", is_flag=True, help="Also when it is the only copy.")
@with_session
def release(session: Session, export: str, yes: bool) -> int:
    """Delete the copy of an EXPORT that `keep` has made, or begun. The export itself is left to the lifecycle."""
    target = session.target()
    store, where = session.store(target), target.where()
    kept = find_kept(store, where, export)
    if not yes and not _is_there(session.exports(target), kept):
        raise InvalidOptionError(
            f"What is kept of export {kept.export_id} is the only copy: the export itself is gone. To delete it all "
            "the same, say --yes."
        )
    removed = Keeper(session.aws, store, where).release(kept)
    if session.screen.as_json:
        session.screen.document({"export_id": kept.export_id, "objects": removed})
    session.screen.line("ok", f"{kept.export_id} is not kept any more: {counted(removed, 'object')} deleted")
    return OK


def _is_there(exports: Exports, kept: Export) -> bool:
    try:
        exports.find(kept.export_id)
    except NotFoundError:
        return False
    return True
