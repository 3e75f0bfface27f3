"""The process of a job run: own process group, files for its output, and it never outlives the emulator."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 5.0
_END_WITH_PARENT = (
    "import ctypes, os, sys\n"
    "try: ctypes.CDLL(None).prctl(1, 9)\n"  # Linux: PR_SET_PDEATHSIG, SIGKILL; kept across exec
    "except (AttributeError, OSError): pass\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)

_processes: dict[str, subprocess.Popen[bytes]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Command:
    """What to run, where, with which environment, and the files for stdout, stderr and, while it runs, its pid."""

    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    output: Path
    error: Path
    pid_file: Path


def run(run_id: str, command: Command, timeout: float, is_stopping: Callable[[], bool]) -> int | None:
    """Run a command to its end, and kill its process group then, so that no JVM or child stays behind.

    Args:
        run_id: by which `stop` finds it.
        command: what to run. Must not be called from a thread that ends earlier than the command.
        timeout: seconds.
        is_stopping: whether somebody has asked it to stop before `stop` could find it.

    Returns:
        the exit code, negative for a signal, or None after the time-out.
    """
    with command.output.open("wb") as output, command.error.open("wb") as error:
        process = subprocess.Popen(
            [command.argv[0], "-S", "-E", "-c", _END_WITH_PARENT, *command.argv],
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error,
            start_new_session=True,
        )
    command.pid_file.write_text(str(process.pid))
    with _lock:
        _processes[run_id] = process
    if is_stopping():
        stop(run_id)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        command.pid_file.unlink(missing_ok=True)
        _kill_group(process)
        with _lock:
            _processes.pop(run_id, None)


def stop(run_id: str) -> None:
    """Ask a run to end: SIGTERM to its group, and SIGKILL after some seconds. Does nothing when it is not running."""
    with _lock:
        process = _processes.get(run_id)
    if process is None:
        return
    _signal_group(process, signal.SIGTERM)
    timer = threading.Timer(STOP_SECONDS, _kill_if_running, (process,))
    timer.daemon = True
    timer.start()


def kill_all() -> None:
    """Kill every run: the emulator ends."""
    with _lock:
        processes = list(_processes.values())
    for process in processes:
        _kill_group(process)


def _kill_if_running(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal_group(process, signal.SIGKILL)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
