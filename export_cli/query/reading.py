"""The options of a command that reads exports as tables, and what it reads them with."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from export_runtime.errors import AwsUnavailableError
from export_runtime.figures import counted

from export_cli.errors import InvalidOptionError
from export_cli.exports import Exports
from export_cli.options import Session
from export_cli.query.cache import FOLDER, GIB, Cache, default_folder
from export_cli.query.stores import OfflineStore, RememberingStore, known_target, remember_target
from export_cli.query.versions import Scope, all_exports
from export_cli.target import BUCKET_ADVICE, Target

if TYPE_CHECKING:
    from export_cli.query.database import Database

_EXTRA = "This command needs DuckDB: install the extra, pip install 'mwaa-metadata-export[query]'."
_CACHE_OPTIONS = (
    click.option("--offline", is_flag=True, help="Without network: only what is in the cache."),
    click.option(
        "--cache", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", default=default_folder,
        help=f"Where what was read is kept. Variable: {FOLDER}.",
    ),
    click.option("--cache-limit", type=click.FloatRange(0), default=10, metavar="GIB", show_default=True,
                 help="How much of it stays when the command has ended."),
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What the exports are read with: an environment, where it is, and what is known of it here."""

    session: Session
    target: Target
    cache: Cache
    offline: bool

    def exports(self) -> Exports:
        """Return the exports of the environment."""
        bucket = self.target.where().bucket
        if self.offline:
            return Exports(OfflineStore(bucket, self.cache), self.target.where())
        store = RememberingStore(self.session.aws.client("s3"), bucket, BUCKET_ADVICE, self.cache)
        return Exports(store, self.target.where(), self.target.coverage)

    def history(self, since: str | None) -> Scope:
        """Return all exports that can be read, and tell of the others; see ``all_exports`` for errors."""
        screen = self.session.screen
        with screen.waiting("reading the summaries of all exports"):
            scope, unread = all_exports(self.exports(), since)
        if unread:
            left_out = f"{counted(len(unread), 'export')} cannot be read and is left out"
            screen.note(f"{left_out}, {unread[0].export_id} first: {unread[0].problem}.")
        return scope

    @contextmanager
    def database(self, scope: Scope, temporary: Path, target: Path | None = None) -> Iterator["Database"]:
        """Open a database with the tables of a scope, and close it again.

        Raises:
            InvalidOptionError: DuckDB is not installed.
        """
        try:
            from export_cli.query.bucket import Bucket
            from export_cli.query.database import Database
            from export_cli.query.source import Source
        except ModuleNotFoundError as error:
            raise InvalidOptionError(_EXTRA) from error
        bucket = None if self.offline else Bucket(self.session.aws.client("s3"), self.target.where().bucket)
        opened = Database(scope, Source(self.cache, bucket, self.session.screen, temporary), temporary, target)
        try:
            yield opened
        finally:
            opened.close()


def with_cache(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the cache."""
    for option in reversed(_CACHE_OPTIONS):
        command = option(command)
    return command


@contextmanager
def reading(session: Session, cache: Path, cache_limit: float, offline: bool) -> Iterator[tuple[Reading, Path]]:
    """Give what the exports are read with, and a folder for what is temporary.

    Raises:
        InvalidOptionError: the limit is no number.
        AwsUnavailableError: AWS does not answer; the message says how to do without.
    """
    if not math.isfinite(cache_limit):
        raise InvalidOptionError(f"--cache-limit {cache_limit}: allowed is a number of 0 or more.")
    kept = Cache(cache.absolute(), round(cache_limit * GIB))
    with kept.opened() as temporary:
        try:
            target = known_target(kept, session.choice) if offline else session.target()
            if not offline:
                remember_target(kept, target)
            yield Reading(session, target, kept, offline), temporary
        except AwsUnavailableError as error:
            raise AwsUnavailableError(f"{error} What was read before is there with --offline.") from error
