"""What the real engine has exported comes back: by the restore's engine, and by hand as docs/restore.md says."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from export_contracts.exported_schema import exported_schema
from export_contracts.exported_table import ExportedTable
from export_contracts.restore_plan import restore_plan
from export_contracts.summary import Summary
from metadata_restore.database import Address
from metadata_restore.fill import Watcher, fill
from metadata_restore.options import KEEP, Options
from metadata_restore.plan import RestorePlan
from metadata_restore.s3_objects import S3Objects

from local import postgres
from tests.contracts import violations
from tests.documents import summary
from tests.integration.completeness.databases import CHOSEN, UPGRADED, Databases
from tests.integration.completeness.engine import BUCKET, ROOT, Aws, Engine, Export, group_arguments
from tests.integration.completeness.loading import rows_as_text

DOCUMENT = ROOT / "docs" / "restore.md"


@pytest.mark.parametrize("version", [*CHOSEN, UPGRADED])
def test_given_an_export_when_restored_by_engine_and_by_hand_then_every_exported_row_is_there(
    version: str, databases: Databases, aws: Aws, engine: Engine, tmp_path: Path
) -> None:
    # GIVEN an export of everything, and its files in a folder
    source, _ = databases.aged(version)
    with psycopg.connect(source) as connection:  # the aged rows bring their numbers along
        connection.execute("SELECT setval('log_id_seq', max(id)) FROM log")
        connection.execute("SELECT setval('ab_user_id_seq', max(id)) FROM ab_user")
    export = engine.export(group_arguments(aws.connect_to(source), cutoff=None))
    plan = restore_plan(_summary_of(export, version), BUCKET)
    assert violations("restore_plan", plan) == []
    [schema] = [manifest["schema"] for manifest in export.manifests.values() if "schema" in manifest]
    for key in (schema["key"], *(table["key"] for table in export.tables.values())):
        aws.client("s3").download_file(BUCKET, key, str(tmp_path / Path(key).name))
    (tmp_path / "export_summary_143022.json.gz").write_bytes(gzip.compress(json.dumps(plan).encode()))

    # WHEN the engine fills a migrated database
    filled = databases.empty(version)
    objects = S3Objects(aws.client("s3"), BUCKET)
    as_exported = Options(paused=False, unfinished=KEEP)
    outcome = fill(Address(filled), objects, RestorePlan.from_json(plan), as_exported, None, Watcher())

    # AND the commands of the document make a database of their own
    by_hand = databases.server.create_database(f"{version} by hand")
    [commands] = re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    shell = ["bash", "-c", commands]
    environment = libpq_environment(by_hand, postgres.binary_dir(18))
    done = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    # THEN both have every row, and Airflow's versions
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"restored {len(export.tables)} tables\n"
    assert outcome.rows == {name: table["rows"] for name, table in export.tables.items()}
    assert sum(outcome.rows.values()) > 500
    with psycopg.connect(source) as left, psycopg.connect(filled) as right, psycopg.connect(by_hand) as other:
        for table in (*export.tables, *plan["alembic_heads"]):
            assert rows_as_text(right, table) == rows_as_text(left, table), table
            if table != "dag":
                assert rows_as_text(other, table) == rows_as_text(left, table), table
        assert other.execute("SELECT DISTINCT is_paused FROM dag").fetchall() == [(True,)]

        # AND every number that is given out is new
        for restored in (right, other):
            for table in ("log", "ab_user"):
                query = f"SELECT nextval('{table}_id_seq') - max(id) FROM {table}"
                assert restored.execute(query.encode()).fetchall() == [(1,)]


def _summary_of(export: Export, version: str) -> Summary:
    """Return the summary of an export of which nothing is missing."""
    first = next(manifest for manifest in export.manifests.values() if "schema" in manifest)
    details = {
        name: ExportedTable.from_json(table, name, group)
        for group, manifest in export.manifests.items()
        for name, table in manifest["tables"].items()
    }
    heads = {table: tuple(found) for table, found in first["database"]["alembic_heads"].items()}
    schema = exported_schema(first["schema"], "schema")
    return summary(details=details, alembic_heads=heads, airflow_version=version, schema=schema)


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
