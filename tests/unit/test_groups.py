"""Tests that share servers are a group: the servers end with the group, and do not work on until the very end."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST, TESTS, group_of

SERVER = """
import pathlib, pytest

@pytest.fixture(scope="session")
def server():
    yield
    pathlib.Path("ended").touch()
"""
ONE = """
import pathlib, pytest

def test_first(server): pass
@pytest.mark.timeout(1, method="thread")
def test_second(server): assert not pathlib.Path("ended").exists()
"""
TWO = """
import pathlib, time

def test_another():
    time.sleep(1.5)  # the limit of the test before ends no other
    assert pathlib.Path("ended").exists()
"""


def test_given_a_session_s_fixture_then_it_ends_with_the_last_test_of_its_group(tmp_path: Path) -> None:
    files = {"one/conftest.py": SERVER, "one/test_a.py": ONE, "two/test_b.py": TWO}
    for name, text in files.items():
        file = tmp_path / "tests" / "integration" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("conftest.py", "economy.py"):
        shutil.copy(TESTS / name, tmp_path / "tests")

    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "tests"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "3 passed" in ran.stdout, ran.stdout


@pytest.mark.parametrize("group", LONGEST)
def test_given_a_group_that_starts_early_then_there_is_such_a_group(group: str) -> None:
    files = [str(file.relative_to(TESTS.parent)) for file in TESTS.rglob("test_*.py")]
    versions = {f"{kind} {number}" for kind in ("airflow", "end to end") for number in ("2.10.3", "3.3.1")}

    assert group in {group_of(file) for file in files} | versions
