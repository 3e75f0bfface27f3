"""One emulator for all tests of this folder; those marked `on_aws` can run on a real account instead."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import paths
from local.aws import runtimes
from local.aws.injection.client import Faults
from tests.emulated_account import Account, emulated_account
from tests.real_account import is_asked_for, real_account


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    if is_asked_for():
        with real_account() as real:
            yield real
        return
    spark = runtimes.ensure_spark(paths.GLUE_RUNTIME)
    with emulated_account(tmp_path_factory.mktemp("aws"), **spark) as running:
        yield running


@pytest.fixture(autouse=True)
def only_what_can_run_on_aws(request: pytest.FixtureRequest) -> None:
    if is_asked_for() and request.node.get_closest_marker("on_aws") is None:
        pytest.skip("asks the emulator")


@pytest.fixture
def faults(account: Account) -> Iterator[Faults]:
    made = Faults(account.aws.endpoint)
    yield made
    made.remove()


def once(account: Account, service: str) -> Any:
    """A client that asks once."""
    return account.aws.client(service, retries={"total_max_attempts": 1})


def code_of(call: Any) -> str:
    """Return the code of the error that a call raises, or nothing."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
