"""One PostgreSQL, one emulated AWS and one warm engine for all tests of this folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared"), str(ROOT / "glue")]

import pytest  # noqa: E402

from local import paths, postgres  # noqa: E402
from local.aws import runtimes, server  # noqa: E402
from local.aws.settings import Settings  # noqa: E402
from local.postgres import PostgresServer  # noqa: E402
from tests.integration.completeness.databases import Databases  # noqa: E402
from tests.integration.completeness.engine import BUCKET, Aws, Engine  # noqa: E402


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgresServer]:
    by_hand = {"autovacuum": "off"}  # a template would be analyzed meanwhile, and all that is made of it
    with postgres.temporary_server(password="pass'word \\ ünï", version=16, settings=by_hand) as running:
        yield running


@pytest.fixture(scope="session")
def databases(database_server: PostgresServer) -> Databases:
    return Databases(database_server)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home, spark = tmp_path_factory.mktemp("aws"), runtimes.ensure_spark(paths.GLUE_RUNTIME)
    with server.start(Settings(home=home, auth=False, **spark)) as emulator:
        running = Aws(emulator)
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture(scope="session")
def engine(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(aws, tmp_path_factory.mktemp("engine") / "engine.log") as running:
        yield running
