"""Stopping all of Airflow: what renamed itself, what has a process group of its own, and what lost its parent."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.airflow import processes
from local.airflow.processes import Component
from tests.waiting import wait_until

# Plays the command `airflow`: starts a child in a process group of its own, as Airflow does for a task, and then
# ignores SIGTERM, ends at once, or waits.
FAKE = """#!{python}
import os, signal, subprocess, sys, time
child = subprocess.Popen([{python!r}, "-c", "import time; time.sleep(600)"], process_group=0)
with open(sys.argv[2], "w") as file:
    file.write(str(child.pid))
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] != "crashing":
    time.sleep(600)
"""


@pytest.fixture
def fake_airflow(tmp_path: Path) -> Path:
    file = tmp_path / "airflow"
    file.write_text(FAKE.format(python=sys.executable))
    file.chmod(0o700)
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    processes.stop(folder)


def start(fake_airflow: Path, home: Path, kind: str) -> list[int]:
    """Start one component of the given kind; return its process id and its child's."""
    file = home / "child"
    component = Component(kind, (kind, str(file)))
    pids = processes.start([component], airflow=fake_airflow, home=home, logs=home, variables={"PATH": "/usr/bin:/bin"})
    wait_until(lambda: file.exists() and file.read_text(), "the child's id")
    return [pids[kind], int(file.read_text())]


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if processes._alive(pid)]


@pytest.mark.parametrize("kind", ["obedient", "stubborn"])
def test_given_a_component_with_a_child_in_another_group_then_stop_ends_both(
    fake_airflow: Path, home: Path, kind: str
) -> None:
    pids = start(fake_airflow, home, kind)
    assert running(pids) == pids
    assert processes.is_running(home)
    assert processes.stop(home) == [kind]
    assert running(pids) == []
    assert not processes.is_running(home)


def test_given_a_component_that_crashed_then_it_is_named_and_stop_ends_the_child_it_left(
    fake_airflow: Path, home: Path
) -> None:
    component, child = start(fake_airflow, home, "crashing")
    wait_until(lambda: processes.ended({"crashing": component}), "the component ends")
    assert running([child]) == [child]
    processes.stop(home)
    assert running([child]) == []


def test_given_another_process_then_it_can_stop_what_this_one_started(fake_airflow: Path, home: Path) -> None:
    pids = start(fake_airflow, home, "obedient")
    code = f"import pathlib; from local.airflow import processes; print(processes.stop(pathlib.Path({str(home)!r})))"
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['obedient']"
    assert running(pids) == []


def test_given_a_number_that_belongs_to_somebody_else_by_now_then_that_process_is_left_alone(
    fake_airflow: Path, home: Path
) -> None:
    pids = start(fake_airflow, home, "obedient")
    file = home / processes.STATE_FILE
    state = file.read_text()
    file.write_text(json.dumps({**json.loads(state), "started": {"obedient": 1}}))
    assert not processes.is_running(home)
    processes.stop(home)
    assert running(pids) == pids
    file.write_text(state)


def test_given_nothing_started_then_stop_says_so(home: Path) -> None:
    assert processes.stop(home) == []
