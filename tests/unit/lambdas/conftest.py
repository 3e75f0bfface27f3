"""Unit tests of the functions: no network, AWS in process (moto) or scripted (botocore's Stubber)."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]
# Read when the handlers are imported; the values of a function in AWS come from template.yaml.
os.environ.update(
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_EC2_METADATA_DISABLED="true",
    MOTO_EC2_LOAD_DEFAULT_AMIS="false",  # half a second for every test with EC2
    POWERTOOLS_TRACE_DISABLED="true",
    POWERTOOLS_SERVICE_NAME="unit-test",
    POWERTOOLS_METRICS_NAMESPACE="MwaaMetadataExport",
    GLUE_LOG_GROUP="/aws-glue/jobs/prod-metadata-export/output",
    ROW_FALL_PERCENT="50",
    CATALOG_DATABASE="",
    DRILL_SCHEDULE="cron(0 9 ? * SUN *)",
    KEEP_FERNET_KEY="false",
)

import pytest  # noqa: E402
from aws_lambda_powertools import Logger  # noqa: E402
from export_runtime import clients  # noqa: E402
from export_runtime.store import ObjectStore  # noqa: E402
from moto import mock_aws  # noqa: E402

BUCKET = "exports-bucket"


@pytest.fixture(autouse=True)
def no_network(socket_disabled: None) -> None:
    """Fail every test that opens a socket."""


@pytest.fixture
def aws() -> Iterator[None]:
    """Give AWS in this process, empty. Clients are kept between tests: to make one takes longer than most tests."""
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None):
    """Give an S3 client and the export bucket."""
    client = clients.s3()
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


@pytest.fixture
def store(s3) -> ObjectStore:
    """Give the export bucket."""
    return ObjectStore(s3, BUCKET)


@dataclass
class Context:
    """What Lambda passes beside the event."""

    function_name: str = "unit-test"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:unit-test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    remaining: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's timeout."""
        return self.remaining


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[Logger], Callable[[], list[dict[str, Any]]]]:
    """Give a function that catches a function's log and returns a function that returns its lines."""

    def catch(logger: Logger) -> Callable[[], list[dict[str, Any]]]:
        stream = io.StringIO()
        monkeypatch.setattr(logger.registered_handler, "stream", stream)
        return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]

    return catch


@pytest.fixture
def context() -> Context:
    """Give a Lambda context."""
    return Context()
