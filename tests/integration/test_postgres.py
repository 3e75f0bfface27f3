"""The local PostgreSQL server leaves nothing behind, whenever Ctrl-C comes."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import postgres
from local.paths import ROOT

# In a process of its own: an interruption that comes too early or too late would end the test run.
COMMAND = """
import signal, sys
from pathlib import Path
from local import postgres
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)
print("ready", flush=True)
with postgres.start(Path(sys.argv[1]), password="x"):
    signal.pause()
"""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A cluster whose server does not run; outside of pytest's folders, which the server's user may not enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        made = Path(folder) / "data"
        postgres.start(made, password="x").stop()
        yield made
        postgres.stop(made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.01, 0.1])
def test_given_an_interruption_while_the_server_starts_then_none_is_left(
    data_dir: Path, seconds: float, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", COMMAND, str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(number)
        _, said = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in said
    assert postgres.find(data_dir) is None
