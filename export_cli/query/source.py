"""Gives the files of the tables: from the cache, else from S3, with progress."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from export_runtime.figures import counted, size

from export_cli.files import local
from export_cli.query.bucket import Bucket
from export_cli.query.cache import ADVICE, Cache
from export_cli.query.filesystem import ExportFiles
from export_cli.query.loading import is_kept, kept_file, load, lost_values
from export_cli.query.ranges import RangedObject
from export_cli.query.versions import Version
from export_cli.query.views import EXPORT_ID
from export_cli.screen import Bar, Screen

TABLES = "tables"  # below the temporary folder: what a query may read


@dataclass(frozen=True)
class Source:
    """Where the rows of tables come from."""

    cache: Cache
    bucket: Bucket | None
    screen: Screen
    temporary: Path

    def files(
        self, files: ExportFiles, number: int, table: str, versions: Sequence[Version], notes: list[str]
    ) -> dict[str, list[str]]:
        """Return the names of the files of a table by export id: Parquet in S3 where there is any, else the cache.

        Args:
            files: where those in S3 are registered.
            number: of the table.
            table: its name, for people.
            versions: of it.
            notes: gets what a reader should know.

        Raises:
            NotFoundError, UnreadableSummaryError, LocalError, AwsCallError, AwsUnavailableError: see ``load``.
        """
        unzipped = self._load(number, table, [version for version in versions if version.entry.parquet is None])
        lost = lost_values(list(unzipped.values()))
        nulled = {name: lost.get(path, {}) for name, path in unzipped.items()}
        names = {name: [path] for name, path in unzipped.items()}
        for version in versions:
            if parquet := version.entry.parquet:
                objects = [RangedObject(self.cache, self.bucket, file) for file in parquet.files]
                register = partial(files.register, number, version.export_id)
                names[version.export_id] = [register(part, each.size, each.open) for part, each in enumerate(objects)]
                nulled[version.export_id] = dict(parquet.nulled)
        notes += [
            f"{table} of {name}: {counted(lost, 'value')} of {column} shown as NULL: no reader can hold such."
            for name, found in sorted(nulled.items())
            for column, lost in found.items()
        ]
        return names

    def _load(self, number: int, table: str, versions: Sequence[Version]) -> dict[str, str]:
        entries = {version.export_id: version.entry for version in versions}
        missing = [entry for entry in entries.values() if not is_kept(kept_file(self.cache, entry))]
        total = sum(entry.object_bytes for entry in missing)
        with self.screen.progress(table, total) if missing else nullcontext(Bar()) as bar:
            bar.describe(f"{table}, {size(total)} in {counted(len(missing), 'object')}")
            return {
                name: self._linked(number, name, load(self.cache, self.bucket, entry, self.temporary, bar))
                for name, entry in entries.items()
            }

    def _linked(self, number: int, export_id: str, path: Path) -> str:
        """Return a second name of a file, in a folder that says its export: DuckDB makes a column of that.

        The file stays readable even when another command makes room in the cache.
        """
        link = self.temporary / TABLES / str(number) / f"{EXPORT_ID}={export_id}" / "0.parquet"
        with local(link, ADVICE):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(path)
        return str(link)
