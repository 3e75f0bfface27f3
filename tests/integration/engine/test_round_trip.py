"""What is loaded from the files equals what was in the tables, byte for byte."""

import gzip
from typing import Any

import pytest
from metadata_proof.content import Content, read_content
from psycopg import sql

from tests.integration.engine.conftest import Database, Engine

pytestmark = pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)

HOSTILE_TEXTS = (
    "",
    "NULL",
    "null",
    "\\N",
    "\\.",
    " ",
    '"',
    '""',
    ",",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\\",
    "a\n\\.\nb",
    "'; DROP TABLE log; --",
    "👩‍👩‍👧‍👦 \U0010ffff é",
    "\x01\x7f",
    None,
)
TYPES = {
    "varchar(250)": HOSTILE_TEXTS,
    "text": HOSTILE_TEXTS,
    "json": ('{"a":  [1,\n2], "b": "\\u0041\\\\,\\""}', "null", '"NULL"', '""', None),
    "jsonb": ('{"a": [1, 2], "b": "\\\\,\\"\\n"}', "null", '"NULL"', "1e400", None),
    "bytea": (b"", b"\x00\xff\\.\n,\"'", b"\\x", bytes(range(256)), None),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", None),
    "double precision": ("NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1", None),
    "real": ("NaN", "1e-45", "3.4028235e38", "0.1", None),
    "integer": (-2147483648, 2147483647, 0, None),
    "bigint": (-9223372036854775808, 9223372036854775807, None),
    "smallint": (-32768, 32767, None),
    "numeric": ("NaN", "0.00", "1" * 400 + ".5", None),
    "boolean": (True, False, None),
    "timestamptz": ("infinity", "-infinity", "4713-01-01 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00",
                    "2026-03-29 02:30:00.000001+02", None),
    "timestamp": ("infinity", "4713-01-01 00:00:00 BC", "2026-10-25 02:30:00.123456", None),
    "date": ("infinity", "4713-01-01 BC", "2026-02-28", None),
    "time": ("24:00:00", "00:00:00.000001", None),
    "interval": ("-1 years -2 mons +3 days -04:05:06.7", "0", None),
    "text[]": ('{"a,b",NULL,"NULL","\\"",""}', "{}", None),
}  # fmt: skip


def load(database: Database, engine: Engine, table: str, copy: str) -> None:
    """Load a table's file, its columns by their names in the header, into another table."""
    body = gzip.decompress(engine.body(table))
    columns = [column["name"] for column in engine.manifest()["tables"][table]["columns"]]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER match)").format(
        sql.Identifier(copy), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with database.connect() as connection, connection.cursor().copy(statement) as target:
        target.write(body)


def assert_equal(database: Database, left: str, right: str) -> None:
    """Compare two tables as multisets of their rows' text, which tells -0 from 0 and 1.0 from 1.00."""
    difference = "SELECT t::text FROM {0} t EXCEPT ALL SELECT t::text FROM {1} t"
    for one, other in ((left, right), (right, left)):
        query = sql.SQL(difference).format(sql.Identifier(one), sql.Identifier(other))
        assert database.rows(query.as_string(None)) == []


def content(database: Database, copy: str, entry: Any) -> Content:
    """What is in a table that a file was loaded into, read as a proof reads it."""
    columns = [column["name"] for column in entry["columns"]]
    with database.connect() as connection, connection.transaction():
        return read_content(connection, sql.Identifier("public", copy), columns)


def recorded(entry: Any) -> Content:
    """What the export recorded of a table's content."""
    return Content(entry["rows"], entry["content_checksum"])


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.partition("(")[0].replace(" ", "_"))
def test_hostile_values_of_a_type_come_back_as_they_were(engine: Engine, database: Database, kind: str) -> None:
    # GIVEN a table with every hostile value of the type, alone and among others
    database.execute(
        f"CREATE TABLE alone (value {kind})",
        f'CREATE TABLE among (id int, "group" {kind}, "select,\n""" {kind}, last int)',
    )
    with database.connect() as connection:
        for number, value in enumerate(TYPES[kind]):
            parameter: object = value if isinstance(value, bytes) or value is None else str(value)
            connection.execute("INSERT INTO alone VALUES (%s)", (parameter,))
            connection.execute("INSERT INTO among VALUES (%s, %s, %s, NULL)", (number, parameter, parameter))

    # WHEN it is exported and loaded into the same schema
    manifest = engine.export({"alone": "full", "among": "full"})
    database.execute("CREATE TABLE alone_copy (LIKE alone)", "CREATE TABLE among_copy (LIKE among)")
    for table in ("alone", "among"):
        load(database, engine, table, f"{table}_copy")

        # THEN the rows are equal both ways, and counted
        assert_equal(database, table, f"{table}_copy")
        assert content(database, f"{table}_copy", manifest["tables"][table]) == recorded(manifest["tables"][table])
        assert recorded(manifest["tables"][table]).rows == len(TYPES[kind])


def test_an_empty_table_is_a_file_with_the_header_alone(engine: Engine, database: Database) -> None:
    database.execute('CREATE TABLE nothing (id int, "a,b" text)')
    manifest = engine.export({"nothing": "full"})
    assert gzip.decompress(engine.body("nothing")) == b'id,"a,b"\n'
    assert manifest["tables"]["nothing"]["rows"] == 0
    assert manifest["tables"]["nothing"]["csv_bytes"] == 9


def test_a_table_of_1600_columns_comes_back_as_it_was(engine: Engine, database: Database) -> None:
    columns = ", ".join(f"c{number} int" for number in range(1600))
    database.execute(f"CREATE TABLE wide ({columns})", "INSERT INTO wide (c0, c1599) VALUES (1, 2), (3, NULL)")
    engine.export({"wide": "full"})
    database.execute("CREATE TABLE wide_copy (LIKE wide)")
    load(database, engine, "wide", "wide_copy")
    assert database.rows("SELECT c0, c1, c1599 FROM wide_copy ORDER BY c0") == [(1, None, 2), (3, None, None)]


@pytest.mark.slow
def test_values_of_100_megabytes_come_back_as_they_were(engine: Engine, database: Database) -> None:
    size = 100_000_000
    database.execute(
        "CREATE TABLE huge (id int, kind text, t text, j jsonb, b bytea)",
        f"INSERT INTO huge (id, t) VALUES (1, repeat('x', {size}))",
        f"INSERT INTO huge (id, j) VALUES (2, to_jsonb(repeat('y', {size})))",
        f"INSERT INTO huge (id, b) VALUES (3, convert_to(repeat('z', {size}), 'UTF8'))",
    )
    engine.export({"huge": "full"})
    database.execute("CREATE TABLE huge_copy (LIKE huge)")
    load(database, engine, "huge", "huge_copy")
    left = "SELECT id, md5(t), md5(j::text), md5(b) FROM {} ORDER BY id"
    assert database.rows(left.format("huge")) == database.rows(left.format("huge_copy"))


def test_dropped_and_generated_columns_are_not_in_the_file(engine: Engine, database: Database) -> None:
    database.execute(
        "CREATE TABLE changed (a int, b int, c int GENERATED ALWAYS AS (a * 2) STORED, d int)",
        "ALTER TABLE changed DROP COLUMN b",
        "INSERT INTO changed (a, d) VALUES (1, 2)",
    )
    engine.export({"changed": "full"})
    assert gzip.decompress(engine.body("changed")) == b"a,d\n1,2\n"


def test_the_text_of_values_does_not_depend_on_settings_of_role_or_database(engine: Engine, database: Database) -> None:
    # GIVEN a database whose settings write values in another way
    database.execute(
        "CREATE TABLE settings (t timestamptz, i interval, f float8, b bytea)",
        "INSERT INTO settings VALUES ('2026-03-01 12:00:00+00', '-1 day 2 hours', 0.1::float8 + 0.2, 'abc')",
        *(
            f"ALTER DATABASE {database.name} SET {setting}"
            for setting in ("TimeZone = 'Asia/Kolkata'", "DateStyle = 'German'", "extra_float_digits = -5",
                            "bytea_output = 'escape'", "IntervalStyle = 'iso_8601'", "client_encoding = 'LATIN1'")
        ),
    )  # fmt: skip
    engine.export({"settings": "full"})
    expected = b"t,i,f,b\n2026-03-01 12:00:00+00,-1 days +02:00:00,0.30000000000000004,\\x616263\n"
    assert gzip.decompress(engine.body("settings")) == expected


def test_rows_hidden_by_a_policy_are_an_error_not_a_loss(engine: Engine, database: Database) -> None:
    database.execute(
        "CREATE TABLE secret_rows (id int)",
        "INSERT INTO secret_rows VALUES (1)",
        "ALTER TABLE secret_rows ENABLE ROW LEVEL SECURITY",
        f"DROP ROLE IF EXISTS reader_{database.name}",
        f"CREATE ROLE reader_{database.name} LOGIN PASSWORD 'reader'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{database.name}",
    )
    reader = database.source(username=f"reader_{database.name}", password="reader")
    try:
        with pytest.raises(Exception, match="row-level security"):
            engine.export({"secret_rows": "full"}, source=reader)
    finally:
        database.execute(f"DROP OWNED BY reader_{database.name}", f"DROP ROLE reader_{database.name}")
