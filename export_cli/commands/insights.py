"""`insights`: what the exports of weeks say, as one page for people."""

import tempfile
import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from export_cli.errors import NotFoundError
from export_cli.files import partial_file
from export_cli.options import Session, with_session
from export_cli.query.reading import reading, with_cache

_NEEDED = ("dag_run", "task_instance", "slot_pool")
_ADVICE = "Make room there or name another file with --to."


@click.command()
@click.option("--open", "in_browser", is_flag=True, help="Open it in a browser.")
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there. Default: a temporary file.",
)
@click.option("--days", "-d", type=click.IntRange(7, 400), default=90, show_default=True, help="How far to look back.")
@with_cache
@with_session
def insights(
    session: Session, in_browser: bool, file: Path | None, days: int, offline: bool, cache: Path, cache_limit: float
) -> None:  # fmt: skip
    """Make a page of the exports' history: runs and failures, durations and when they broke, tasks, pools, tables.

    One HTML file without script and without anything from outside, to be read, sent or kept.
    """
    screen = session.screen
    with reading(session, cache, cache_limit, offline) as (given, temporary):
        since = (datetime.now(UTC) - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        scope = given.history(f"{since:%Y-%m-%d}")
        if lacking := [table for table in _NEEDED if table not in scope.tables]:
            raise NotFoundError(
                f"No export since {since:%Y-%m-%d} has {' or '.join(lacking)}, which the page is made of."
            )
        with given.database(scope, temporary) as database:
            from export_cli.insights.document import render_insights
            from export_cli.insights.figures import gather

            try:
                found = gather(database, given.target.environment, since, scope.exports[0].started, len(scope.exports))
            finally:  # they may say why it failed
                for note in database.notes:
                    screen.note(note)
            notes = tuple(database.notes)
    # Kept: the browser reads it after this process has ended.
    target = file or Path(tempfile.mkdtemp(prefix="mwaa-metadata-export-")) / f"insights_{found.until:%Y%m%d}.html"
    with partial_file(target, _ADVICE) as written:
        written.write(render_insights(found, notes).encode())
        written.keep()
    opened = in_browser and webbrowser.open(target.absolute().as_uri())
    if screen.as_json:
        screen.document({"file": str(target), "opened": opened, "exports": found.exports})
    screen.line("Opened" if opened else "The page is", str(target))
