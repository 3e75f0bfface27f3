"""The emulator starts, stops, and does not outlive its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws import server
from local.aws.errors import PatchError, StartError
from local.aws.patches import replace
from local.aws.settings import Settings
from tests.waiting import wait_until

PARENT = """
import sys, time
from pathlib import Path
from local.aws import server
from local.aws.settings import Settings
print(server.start(Settings(home=Path(sys.argv[1]))).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_given_parent_when_it_dies_then_the_emulator_ends(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        emulator = int(parent.stdout.readline())
        assert server.is_alive(emulator)
        parent.send_signal(number)

    wait_until(lambda: not server.is_alive(emulator))


def test_given_detached_emulator_when_attached_and_stopped_then_it_ends(tmp_path: Path) -> None:
    started = server.start(Settings(home=tmp_path), detached=True)

    server.attach(started.settings, started.pid).stop()

    assert not server.is_alive(started.pid)
    started.stop()  # harmless, and collects the process, which this test is the parent of


def test_given_port_in_use_when_started_then_refused(tmp_path: Path) -> None:
    with server.start(Settings(home=tmp_path / "one")) as running, pytest.raises(StartError, match="is taken"):
        server.start(Settings(home=tmp_path / "two", port=running.port))


def test_given_attribute_that_ministack_does_not_have_when_replaced_then_refused_by_name() -> None:
    with pytest.raises(PatchError, match=r"ministack 1\.5\.33: os\.no_such_attribute does not exist"):
        replace.replace(os, "no_such_attribute", None)


def test_given_another_ministack_when_patched_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "version", lambda _: "9.9.9")

    with pytest.raises(PatchError, match=r"1\.5\.33, but 9\.9\.9 is installed"):
        replace.check_version()
