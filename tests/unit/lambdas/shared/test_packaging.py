"""What the layer brings."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PIN = re.compile(r"^([a-z0-9-]+)==([^\s\\]+)", re.M)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@pytest.fixture(scope="module")
def requirements() -> str:
    """Give the layer's requirements."""
    return (ROOT / "lambdas" / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def lock() -> str:
    """Give the project's lock file."""
    return (ROOT / "requirements.lock").read_text()


def test_given_the_layer_then_its_versions_are_those_of_the_lock_file(requirements, lock):
    pins = dict(PIN.findall(requirements))
    assert pins.keys() == {"aws-lambda-powertools", "aws-xray-sdk", "jmespath", "typing-extensions", "wrapt"}
    locked = dict(PIN.findall(lock))
    assert pins == {name: locked[name] for name in pins}


def test_given_the_layer_then_its_hashes_are_in_the_lock_file(requirements, lock):
    hashes = HASH.findall(requirements)
    assert len(hashes) == len(PIN.findall(requirements))
    assert set(hashes) <= set(HASH.findall(lock))


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("requirements.txt", {"psycopg", "psycopg-binary", "isal"}),
        ("requirements-fernet.txt", {"cryptography", "cffi", "pycparser"}),
    ],
)
def test_given_the_glue_wheels_then_their_versions_are_those_of_the_lock_file(lock, file, named):
    pins = dict(PIN.findall((ROOT / "glue" / file).read_text()))
    locked = dict(PIN.findall(lock))
    assert pins.keys() >= named
    assert pins == {name: locked[name] for name in pins}
