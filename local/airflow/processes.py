"""Starts and stops Airflow's components: each in a session of its own, written down in a file.

Airflow's processes rename themselves, which overwrites the arguments and the environment that others can see, and
running tasks get process groups of their own. What stays is the session: everything a component starts is in it.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.airflow.errors import LocalAirflowError

STATE_FILE = "processes.json"
GRACE_SECONDS = 2.0  # the scheduler waits for its running tasks; what they do is not worth more
KILL_SECONDS = 60.0  # a busy machine takes its time to remove what was killed
_children: dict[int, subprocess.Popen[bytes]] = {}  # kept: an ended child is a zombie until its parent asks for it


@dataclass(frozen=True)
class Component:
    """A part of Airflow that runs as a process."""

    name: str
    arguments: Sequence[str]
    niceness: int = 0


@dataclass(frozen=True)
class _Process:
    """What /proc tells of a process; `started`, in clock ticks since boot, tells it from a later one of the same id."""

    pid: int
    session: int
    started: int


def start(
    components: Sequence[Component], *, airflow: Path, home: Path, logs: Path, variables: Mapping[str, str]
) -> dict[str, int]:
    """Start the components, in this order and without waiting for any; return their process ids by name."""
    pids: dict[str, int] = {}
    started: dict[str, int | None] = {}
    for component in components:
        with (logs / f"airflow-{component.name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["nice", "-n", str(component.niceness), str(airflow), *component.arguments],
                env=variables,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _children[process.pid] = process
        pids[component.name] = process.pid
        seen = _read(process.pid)
        started[component.name] = seen.started if seen else None
        # Written after each start: whatever happens now, `stop` finds what has been started.
        (home / STATE_FILE).write_text(json.dumps({"pids": pids, "started": started}))
    return pids


def ended(pids: Mapping[str, int]) -> list[str]:
    """Return the names of those that have ended."""
    return [name for name, pid in pids.items() if not _alive(pid)]


def stop(home: Path) -> list[str]:
    """Stop all components started over `home`, with all that they started, and return their names.

    Raises:
        LocalAirflowError: a process survives SIGKILL.
    """
    try:
        state = json.loads((home / STATE_FILE).read_text())
    except FileNotFoundError:
        return []
    sessions = {pid for name, pid in state["pids"].items() if not _is_foreign(pid, state["started"][name])}
    _signal(sessions, signal.SIGTERM)
    _wait_for(sessions, GRACE_SECONDS)
    members = _members(sessions)  # also of a leader that has ended: its number stays taken while it has members
    _signal(members, signal.SIGKILL)
    if left := _wait_for(members, KILL_SECONDS):
        raise LocalAirflowError(f"processes {left} of the Airflow in {home} do not end: end them by hand")
    (home / STATE_FILE).unlink()
    return list(state["pids"])


def is_running(home: Path) -> bool:
    """Tell whether something that was started over `home` still runs."""
    try:
        state = json.loads((home / STATE_FILE).read_text())
    except FileNotFoundError:
        return False
    pids = state["pids"].items()
    return any(_alive(pid) and not _is_foreign(pid, state["started"][name]) for name, pid in pids)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_for(pids: Iterable[int], seconds: float) -> list[int]:
    """Wait until none of `pids` runs; return those that still do when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if _alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _alive(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is None
    if _has_proc():
        return _read(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_foreign(pid: int, started: int | None) -> bool:
    """Tell whether `pid` is by now another process than the one that was started."""
    seen = _read(pid)
    return seen is not None and seen.started != started


def _members(sessions: set[int]) -> set[int]:
    """Return the processes of the sessions, their leaders included."""
    entries = Path("/proc").glob("[0-9]*") if _has_proc() else ()
    processes = (_read(int(entry.name)) for entry in entries)
    leaders = {pid for pid in sessions if _alive(pid)}
    return leaders | {process.pid for process in processes if process and process.session in sessions}


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _read(pid: int) -> _Process | None:
    """Read `/proc/<pid>/stat` (see proc_pid_stat(5)); None when the process has ended, a zombie included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else _Process(pid=pid, session=int(fields[3]), started=int(fields[19]))
