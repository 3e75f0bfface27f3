"""Whatever PostgreSQL takes comes back from the files as it was: values and types that nobody thought of."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.integration.engine.conftest import Database, Engine
from tests.integration.engine.test_round_trip import assert_equal, load

# PostgreSQL has no NUL in text, and UTF-8 no surrogates.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT | st.sampled_from(["", "NULL", "\\.", "\\N", '"', "\r\n", "\n\\.\n"]),
    "bytea": st.binary(max_size=60),
    "json": JSON.map(json.dumps),
    "jsonb": JSON.map(json.dumps),
    "double precision": st.floats(),
    "real": st.floats(width=32),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "timestamptz": st.datetimes(timezones=st.timezones()).map(str),
    "timestamp": st.datetimes().map(str),
    "uuid": st.uuids().map(str),
    "text[]": st.lists(st.none() | TEXT, max_size=4),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Draw the types of a table's columns, and its rows."""
    types = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))
    row = st.tuples(*(st.none() | VALUES[kind] for kind in types))
    return types, draw(st.lists(row, max_size=6))


@given(table=tables(), names=st.lists(TEXT.filter(lambda name: 0 < len(name.encode()) < 60), min_size=5, unique=True))
@settings(max_examples=40)
def test_any_table_comes_back_as_it_was(
    engine: Engine, database: Database, table: tuple[list[str], list[tuple[Any, ...]]], names: list[str]
) -> None:
    types, rows = table
    columns = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in zip(names, types)]  # noqa: B905
    values = sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.SQL(kind)) for kind in types)
    with database.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS anything, anything_copy")
        connection.execute(sql.SQL("CREATE TABLE anything ({})").format(sql.SQL(", ").join(columns)))
        connection.execute("CREATE TABLE anything_copy (LIKE anything)")
        for row in rows:
            connection.execute(sql.SQL("INSERT INTO anything VALUES ({})").format(values), row)

    engine.forget()  # another example is no retry of the last one
    manifest = engine.export({"anything": "full"})

    load(database, engine, "anything", "anything_copy")
    assert_equal(database, "anything", "anything_copy")
    assert manifest["tables"]["anything"]["rows"] == len(rows)
