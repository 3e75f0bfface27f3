"""What comes back: `create` of an export beside `pg_restore` of a dump of the same database, both from local files.

As a program it is the contestant: `python -m local.bench.restoring FOLDER CONNINFO JOBS` restores what `kept` has put
into the folder.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from local.bench import contestants
from local.bench.builds import BUCKET, EXPORT_ID
from local.bench.contestants import Command, Contestant, Outcome
from local.bench.dataset import Dataset
from local.bench.errors import BenchError
from local.bench.services import Services
from local.bench.usage import measure

TARGET = "restored"
JOBS = 2
PLAN = "plan.json"
_COUNT = sql.SQL("SELECT count(*) FROM public.{}")


@dataclass(frozen=True)
class Files:
    """Objects that lie in a folder by the last part of their key."""

    folder: Path

    def size(self, key: str) -> int | None:
        file = self._file(key)
        return file.stat().st_size if file.is_file() else None

    def open(self, key: str) -> IO[bytes]:
        return self._file(key).open("rb")

    def _file(self, key: str) -> Path:
        return self.folder / key.rpartition("/")[2]


def prepare(services: Services, data: Dataset) -> Path:
    """Export and dump a dataset into a folder, and return that."""
    folder = services.home / "to-restore" / data.name
    shutil.rmtree(folder, ignore_errors=True)  # of another engine, or of other rows
    folder.mkdir(parents=True)
    for contestant in (contestants.engine(data), contestants.pg_dump(data, JOBS)):
        command = contestant.command(services, folder)
        measure(command.argv, env=command.env, cwd=folder, log=folder / f"{contestant.key}.log", servers={})
    s3 = services.client("s3")
    manifest_key = f"exports/bench-backups/_runs/{EXPORT_ID}/{data.name}.json"
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=manifest_key)["Body"].read())
    for key in (manifest["schema"]["key"], *(table["key"] for table in manifest["tables"].values())):
        s3.download_file(BUCKET, key, str(folder / key.rpartition("/")[2]))
    services.forget_objects()
    (folder / PLAN).write_text(json.dumps(_plan(manifest)))
    return folder


def entrants(data: Dataset, folder: Path) -> list[Contestant]:
    """Return who restores a dataset that `prepare` has put into a folder."""

    def create(services: Services, _: Path) -> Command:
        argv = [sys.executable, "-m", "local.bench.restoring", str(folder), _emptied(services), str(JOBS)]
        return Command(argv, services.environment)

    def pg_restore(services: Services, _: Path) -> Command:
        tool = str(services.database.bin_dir / "pg_restore")
        argv = [tool, f"-j{JOBS}", "--no-owner", "-d", _emptied(services), str(folder / "dump")]
        return Command(argv, services.environment)

    def outcome(services: Services, _: Path) -> Outcome:
        connection: psycopg.Connection[Any]
        with psycopg.connect(services.database.url(TARGET)) as connection:
            rows = sum(connection.execute(_COUNT.format(sql.Identifier(t))).fetchall()[0][0] for t in data.tables)
        if rows != data.rows:
            raise BenchError(f"{rows:,} rows of {data.name} were restored, which has {data.rows:,}")
        return Outcome(rows, 0, {})

    return [
        Contestant(f"create-{data.rows}", f"restore --mode create --jobs {JOBS}", data, create, outcome),
        Contestant(f"pg_restore-{data.rows}", f"pg_restore -j{JOBS} of pg_dump -Fd -Z1", data, pg_restore, outcome),
    ]


def _emptied(services: Services) -> str:
    services.database.drop_database(TARGET)
    return services.database.create_database(TARGET, template="template0")


def _plan(manifest: dict[str, Any]) -> dict[str, Any]:
    schema = {name: manifest["schema"][name] for name in ("key", "object_bytes", "checksum_sha256")}
    return {
        "format_version": 1,
        "export_id": EXPORT_ID,
        "bucket": BUCKET,
        "airflow_version": None,
        "alembic_heads": manifest["database"]["alembic_heads"],
        "tables": [{"name": name, **table} for name, table in manifest["tables"].items()],
        "whole": True,
        "sequences": manifest["schema"]["sequences"],
        "orphans": {},
        "masked_columns": {},
        "schema": schema,
    }


def main() -> None:
    """Restore."""
    from metadata_restore.create import create
    from metadata_restore.database import Address
    from metadata_restore.fill import Watcher
    from metadata_restore.options import KEEP, Options
    from metadata_restore.plan import RestorePlan

    folder, conninfo, jobs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    plan = RestorePlan.from_json(json.loads((folder / PLAN).read_text()))
    options = Options(paused=False, unfinished=KEEP)
    create(Address(conninfo), Files(folder), plan, options, None, Watcher(), jobs)


if __name__ == "__main__":
    main()
