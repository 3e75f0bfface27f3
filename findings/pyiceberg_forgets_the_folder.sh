#!/usr/bin/env bash
# PyIceberg 0.12.0 adds Parquet files that lie in Hive's folders (`export_id=...`, the column is not in the files) to a table
# that is partitioned by that column without a word: every file gets the partition NULL. A filter on the partition then
# finds nothing, and the rows of two folders can no longer be told apart. delta-rs 1.6.6 reads the folder's name.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python "pyiceberg[sql-sqlite,pyarrow]==0.12.0" pyarrow==25.0.1 deltalake==1.6.6

"$python" - "$folder" <<'PY'
import os
import sys

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.schema import PrimitiveType
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import IdentityTransform

folder = sys.argv[1]
exports = ("20261211T143022Z", "20261212T143022Z")
files = []
for number, export in enumerate(exports):
    path = f"{folder}/dag_run/export_id={export}"
    os.makedirs(path)
    files.append(f"{path}/part-0.parquet")
    pq.write_table(pa.table({"id": pa.array([10 * number + 1, 10 * number + 2], pa.int32())}), files[-1])

catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
catalog.create_namespace("n")
table = catalog.create_table("n.dag_run", schema=pa.schema([("id", pa.int32()), ("export_id", pa.string())]))
with table.update_spec() as spec:
    spec.add_field("export_id", IdentityTransform())
table.add_files(files)
partitions = table.inspect.partitions().to_pylist()
found = [table.scan(row_filter=f"export_id == '{export}'").to_arrow().num_rows for export in exports]
everything = table.scan().to_arrow().to_pylist()
print("Iceberg partitions:", [(each["partition"], each["record_count"]) for each in partitions])
print("Iceberg rows of each export:", found, "of all:", everything)
assert [(each["partition"], each["record_count"]) for each in partitions] == [({"export_id": None}, 4)]
assert found == [0, 0]
assert [(row["id"], row["export_id"]) for row in everything] == [(n, None) for n in (1, 2, 11, 12)]

by = deltalake.Schema([deltalake.Field("export_id", PrimitiveType("string"))])
deltalake.convert_to_deltalake(f"{folder}/dag_run", partition_by=by, partition_strategy="hive")
rows = deltalake.DeltaTable(f"{folder}/dag_run").to_pyarrow_table().to_pylist()
print("Delta rows:", rows)
assert sorted((row["id"], row["export_id"]) for row in rows) == [
    (1, exports[0]), (2, exports[0]), (11, exports[1]), (12, exports[1])
]
PY
