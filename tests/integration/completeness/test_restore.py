"""The restore that docs/restore.md describes, by its own commands."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from tests.integration.completeness.conftest import CHOSEN
from tests.integration.completeness.databases import Databases
from tests.integration.completeness.engine import BUCKET, ROOT, Aws, Engine, group_arguments
from tests.integration.completeness.live_catalog import read_live_catalog
from tests.integration.completeness.loading import rows_as_text

DOCUMENT = ROOT / "docs" / "restore.md"


@pytest.mark.parametrize("version", CHOSEN)
def test_given_an_export_when_loaded_by_the_documented_commands_then_every_exported_row_is_there(
    version: str, databases: Databases, aws: Aws, engine: Engine, tmp_path: Path
) -> None:
    # GIVEN the files of an export of everything, in a folder
    source, _ = databases.aged(version)
    export = engine.export(group_arguments(aws.connect_to(source), cutoff=None))
    for table in export.tables.values():
        aws.client("s3").download_file(BUCKET, table["key"], str(tmp_path / Path(table["key"]).name))

    # WHEN the commands of the document are run for a freshly migrated database
    target = databases.empty(version)
    [commands] = re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    done = subprocess.run(
        ["bash", "-c", commands],
        cwd=tmp_path,
        env=libpq_environment(target, databases.server.bin_dir),
        capture_output=True,
        text=True,
        check=False,
    )

    # THEN they say how many tables they restored, and every row of each is there
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"restored {len(export.tables)} tables"
    with psycopg.connect(source) as left, psycopg.connect(target) as right:
        for table in export.tables:
            assert rows_as_text(right, table) == rows_as_text(left, table), table
        assert sum(table["rows"] for table in export.tables.values()) > 500

        # AND Airflow can give out new numbers
        number = "INSERT INTO log (dttm, event) VALUES (now(), 'after the restore') RETURNING id"
        assert right.execute(number).fetchone() > right.execute("SELECT max(id) - 1 FROM log").fetchone()
        assert "log" in read_live_catalog(right).columns
        taken, given = right.execute("SELECT max(id), nextval('ab_user_id_seq') FROM ab_user").fetchone() or (0, 0)
        assert given > (taken or 0)


def libpq_environment(url: str, bin_dir: Path) -> dict[str, str]:
    """Return the variables with which psql connects to a database."""
    parts = urlsplit(url)
    return {
        "PATH": os.pathsep.join([str(bin_dir), os.environ["PATH"]]),
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path[1:]),
    }
