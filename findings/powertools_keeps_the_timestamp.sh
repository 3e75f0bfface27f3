#!/usr/bin/env bash
# Powertools for AWS Lambda 3.37.0: a timestamp that was set for one set of metrics stays for all that follow in the same
# process, although the flush forgets everything else (metrics, dimensions, metadata). Lambda keeps processes: the metrics
# of later invocations are written into the past, where no alarm that watches the last minutes sees them.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python aws-lambda-powertools==3.37.0

"$python" - <<'PY'
import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

metrics = Metrics(namespace="Orders", service="import")


@metrics.log_metrics
def handler(event, context):
    if event["late"]:
        metrics.set_timestamp(datetime.now(UTC) - timedelta(hours=5))
        metrics.add_dimension("batch", "a")
    metrics.add_metric(name="Imported", unit=MetricUnit.Count, value=1)


def invoked(late):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        handler({"late": late}, None)
    return json.loads(printed.getvalue())


print("aws-lambda-powertools", version("aws-lambda-powertools"))
for name, late in (("an import of five hours ago", True), ("the next invocation, which sets nothing", False)):
    metric = invoked(late)
    age = datetime.now(UTC).timestamp() - metric["_aws"]["Timestamp"] / 1000
    print(f"  {name}: of {age / 3600:.1f} h ago, dimensions {metric['_aws']['CloudWatchMetrics'][0]['Dimensions']}")
    assert 4.9 < age / 3600 < 5.1
    assert ("batch" in metric) is late
PY
