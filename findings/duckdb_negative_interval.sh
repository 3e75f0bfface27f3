#!/usr/bin/env bash
# DuckDB 2.0.1 computes with intervals that are negative, wholly or in one part, but one such row ends a COPY to Parquet:
# the format's INTERVAL has three unsigned fields. The difference of two timestamps can be one. A cast to text goes through.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python duckdb==2.0.1

cd "$folder"
"$python" - <<'PY'
import duckdb

print("DuckDB", duckdb.__version__)
for value in ("timestamp '2026-01-01 12:00' - timestamp '2026-01-02'", "interval '1 month -1 day'"):
    rows = f"SELECT interval '1 second' AS v FROM range(1000) UNION ALL SELECT {value}"
    print(f"  {value} = {duckdb.sql(f'SELECT ({value})::text').fetchall()[0][0]}")
    duckdb.sql(f"COPY (SELECT v::text AS v FROM ({rows})) TO 'text.parquet'")
    assert duckdb.sql("SELECT count(v::interval) FROM 'text.parquet'").fetchall() == [(1001,)]
    try:
        duckdb.sql(f"COPY ({rows}) TO 'interval.parquet'")
    except duckdb.IOException as error:
        print("  ", error)
        assert "negative intervals" in str(error)
    else:
        raise AssertionError("it was written")
PY
