#!/usr/bin/env bash
# DuckDB 2.0.0 and 2.0.1 move a TRY_CAST that is a column of the result into the reader of CSV, which then has a column of
# that type: a value that does not fit ends the query. The same TRY_CAST gives NULL as soon as anything is around it (a
# comparison, an aggregate), over Parquet, and as TRY(CAST(... AS ...)).
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"

for version in 2.0.0 2.0.1; do
  install_python "duckdb==$version"
  FOLDER="$folder" "$python" - <<'PY'
import os
from pathlib import Path

import duckdb

print("DuckDB", duckdb.__version__)
rows = Path(os.environ["FOLDER"], "rows.csv")
rows.write_text("text\n17\n18.5 and more\n")
csv = f"read_csv('{rows}', columns = {{'text': 'VARCHAR'}}, header = true, auto_detect = false)"
parquet = f"'{rows.with_suffix('.parquet')}'"
duckdb.sql(f"COPY (FROM {csv}) TO {parquet} (FORMAT parquet)")


def read(expression, source):
    try:
        return [value for (value,) in duckdb.sql(f"SELECT {expression} FROM {source}").fetchall()]
    except duckdb.ConversionException as error:
        return str(error).splitlines()[0]


for expression, source, expected in (
    ("TRY_CAST(text AS INTEGER)", csv, "Conversion Error: CSV Error on Line: 3"),
    ("TRY_CAST(text AS INTEGER) IS NULL", csv, [False, True]),
    ("count(TRY_CAST(text AS INTEGER))", csv, [1]),
    ("TRY(CAST(text AS INTEGER))", csv, [17, None]),
    ("TRY_CAST(text AS INTEGER)", parquet, [17, None]),
):
    found = read(expression, source)
    print(f"  {expression:35} {'csv' if source == csv else 'parquet':8} {found}")
    assert found == expected
PY
done
