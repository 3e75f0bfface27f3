"""A database made from the file of the schema has Airflow's own schema, in every version."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from metadata_export.schema.document import read_schema
from metadata_export.schema.entries import file_text
from metadata_export.source import releasing

from tests.integration.completeness.databases import CHOSEN, UPGRADED, Databases
from tests.integration.completeness.reading import source_of
from tests.schema_dumps import dumped_schema, run_psql, sequence_states


@pytest.mark.parametrize("kind", [*CHOSEN, UPGRADED])
def test_given_a_schema_of_airflow_when_a_database_is_made_from_its_file_then_pg_dump_sees_no_difference(
    kind: str, databases: Databases, tmp_path: Path
) -> None:
    server, (url, _) = databases.server, databases.aged(kind)
    name = unquote(urlsplit(url).path[1:])
    source = source_of(url)
    with releasing(source.connect()) as connection:
        source.begin(connection)
        schema = read_schema(connection)
    (tmp_path / "schema.sql").write_bytes(file_text(kind, schema.entries))

    copy = f"{name} copy"
    server.create_database(copy, template="template0")
    run_psql(server, copy, tmp_path / "schema.sql")

    assert schema.left_out == ()
    assert dumped_schema(server, copy) == dumped_schema(server, name)
    assert sequence_states(server, copy) == sequence_states(server, name)
    assert sum(entry.kind == "table" for entry in schema.entries) > 40
    server.drop_database(copy)
