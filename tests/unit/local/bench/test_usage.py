"""A command is run, measured, and never left running."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from local.bench.errors import BenchError
from local.bench.usage import Usage, measure
from tests.waiting import wait_until

MIB = 1024 * 1024
HOLD = "import time; held = bytearray(b'x') * ({size} << 20); time.sleep(1)"


def run(code: str, folder: Path, servers: Mapping[str, int] | None = None) -> Usage:
    command = [sys.executable, "-c", code]
    return measure(command, env=dict(os.environ), cwd=folder, log=folder / "log", servers=servers or {})


def test_given_process_and_child_that_hold_memory_when_measured_then_the_peak_is_of_both_together(
    tmp_path: Path,
) -> None:
    child = HOLD.format(size=60)
    start = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {child!r}])"
    code = f"{start}\n{HOLD.format(size=60)}\nc.wait()"

    usage = run(code, tmp_path)

    assert 120 * MIB < usage.peak_bytes["python"] < 200 * MIB
    assert usage.peak_bytes["java"] == 0


def test_given_forked_child_that_shares_memory_when_measured_then_shared_pages_count_once(tmp_path: Path) -> None:
    code = "import os; held = bytearray(b'x') * (80 << 20)\nimport time\nif os.fork(): os.wait()\nelse: time.sleep(1)"

    assert 80 * MIB < run(code, tmp_path).peak_bytes["python"] < 130 * MIB


def test_given_busy_process_when_measured_then_its_time_and_processor_seconds_are_known(tmp_path: Path) -> None:
    usage = run("import time\nwhile time.process_time() < 0.6: pass\ntime.sleep(0.5)", tmp_path)

    assert usage.wall_seconds >= 0.6
    assert 0.4 < usage.cpu_seconds["python"] < 1.0


def test_given_server_that_works_meanwhile_when_measured_then_its_share_and_that_of_its_children_is_known(
    tmp_path: Path,
) -> None:
    burn, wait = "import time\nwhile time.process_time() < 0.3: pass", "while not {}.exists(): time.sleep(0.1)"
    begun, done = (f"pathlib.Path({str(tmp_path / name)!r})" for name in ("begun", "done"))
    begin, end = f"import pathlib, subprocess, sys, time\n{wait.format(begun)}", f"{done}.touch()\ntime.sleep(60)"
    code = f"{begin}\nsubprocess.run([sys.executable, '-c', {burn!r}])\n{burn}\n{end}"
    wait_for_it = f"import pathlib, time\ntime.sleep(0.5)\n{begun}.touch()\n{wait.format(done)}"
    server = subprocess.Popen([sys.executable, "-c", code])
    try:
        usage = run(wait_for_it, tmp_path, {"server": server.pid})
    finally:
        server.kill()
        server.wait()

    assert usage.cpu_seconds["server"] == pytest.approx(0.6, abs=0.2)
    assert usage.cpu_seconds["python"] < 0.2


def test_given_command_that_fails_when_measured_then_the_error_holds_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"ended with 3:\nno such table: x"):
        run("import sys; print('no such table: x', file=sys.stderr); sys.exit(3)", tmp_path)


def test_given_command_that_leaves_a_child_behind_when_measured_then_the_child_is_killed(tmp_path: Path) -> None:
    code = "import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"

    run(code, tmp_path)

    child = int((tmp_path / "log").read_text())
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
