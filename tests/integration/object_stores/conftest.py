"""The object stores that the suite runs on, one after the other, each called by the clients of the product."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared"), str(ROOT / "glue")]

from export_runtime import clients  # noqa: E402
from export_runtime.store import ObjectStore  # noqa: E402
from metadata_export import aws  # noqa: E402
from metadata_export.storage import Store  # noqa: E402

from local.aws import server  # noqa: E402
from local.aws.settings import REGION, Settings  # noqa: E402
from tests.integration.object_stores import seaweedfs  # noqa: E402
from tests.integration.object_stores.differences import BACKENDS, DIFFERENCES  # noqa: E402
from tests.real_account import is_asked_for, real_account  # noqa: E402

BUCKET = "exports"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


@dataclass(frozen=True)
class Backend:
    """A bucket of an object store."""

    bucket: str

    def engine(self) -> Store:
        """Return the bucket as the engine sees it, by a client of its own."""
        return Store(aws.s3_client.__wrapped__(boto3.Session().region_name), self.bucket)

    def functions(self) -> ObjectStore:
        """Return the bucket as the functions see it, by a client of its own."""
        return ObjectStore(clients.s3.__wrapped__(), self.bucket)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test on every store, and expect the known differences: one that is gone fails too."""
    if "backend" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__.removeprefix("test_given_")
    known = {row.backend: row.mark() for row in DIFFERENCES if name in row.tests}
    names = ("AWS",) if is_asked_for() else BACKENDS
    metafunc.parametrize("backend", [pytest.param(each, marks=known.get(each, ())) for each in names], indirect=True)


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One store with a bucket."""
    with STARTED[request.param](tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture(scope="module")
def rivals(backend: Backend) -> list[Store]:
    """The bucket, by several clients of the engine."""
    return [backend.engine() for _ in range(6)]


@pytest.fixture(scope="module")
def store(rivals: list[Store]) -> Store:
    return rivals[0]


@pytest.fixture(scope="module")
def objects(backend: Backend) -> ObjectStore:
    return backend.functions()


@pytest.fixture
def prefix() -> str:
    """A folder of this test alone."""
    return f"conformance/{uuid.uuid4().hex}/"


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}dag_run_143022.csv.gz"


def unfinished(store: Store, prefix: str) -> list[str]:
    """Return the keys of the unfinished uploads below a prefix."""
    answer = store.s3.list_multipart_uploads(Bucket=store.bucket, Prefix=prefix)
    return [each["Key"] for each in answer.get("Uploads", [])]


@contextmanager
def _account(endpoint: str | None) -> Iterator[Backend]:
    """Have the clients of the product call an endpoint, or moto in this process."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ACCOUNT.items():
            environment.setenv(name, value)
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        if endpoint:
            environment.setenv("AWS_ENDPOINT_URL", endpoint)
        made = Backend(BUCKET)
        made.engine().s3.create_bucket(Bucket=BUCKET)
        yield made


@contextmanager
def _moto(_: Path) -> Iterator[Backend]:
    with mock_aws(), _account(None) as made:
        yield made


@contextmanager
def _emulated_aws(folder: Path) -> Iterator[Backend]:
    with server.start(Settings(folder)) as running, _account(running.endpoint) as made:
        yield made


@contextmanager
def _seaweedfs(folder: Path) -> Iterator[Backend]:
    with seaweedfs.running(folder) as url, _account(url) as made:
        yield made


@contextmanager
def _aws(_: Path) -> Iterator[Backend]:
    with real_account() as account:
        yield Backend(account.bucket())


STARTED: dict[str, Callable[[Path], "contextmanager[Backend]"]] = {
    "moto": _moto,
    "emulated AWS": _emulated_aws,
    "SeaweedFS": _seaweedfs,
    "AWS": _aws,
}
