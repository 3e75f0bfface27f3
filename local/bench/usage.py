"""Runs a command and measures what it and the servers it talks to use: time, processor, memory.

Memory is sampled 20 times a second over the whole process tree: of Python processes the proportional set size (PSS:
pages that forked workers share are counted once), of Java and others the resident set size.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local.bench import idle_machine
from local.bench.errors import BenchError

SAMPLE_SECONDS = 0.05
TIME_LIMIT_SECONDS = 1800
KINDS = ("python", "java", "other")


@dataclass(frozen=True)
class Usage:
    """What one run of a command took.

    Args:
        wall_seconds: from start to exit of the process.
        cpu_seconds: user and system, by kind of process (KINDS), and of each watched server by its name.
        peak_bytes: the most that the processes of a kind held together at one moment, by kind.
        others_cpu_seconds: what everybody else on this machine used meanwhile.
    """

    wall_seconds: float
    cpu_seconds: dict[str, float]
    peak_bytes: dict[str, int]
    others_cpu_seconds: float


@dataclass
class _Samples:
    root: psutil.Process
    watched: Mapping[str, psutil.Process]
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    before: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        self.before = {name: _cpu_of_server(server) for name, server in self.watched.items()}

    def take(self) -> None:
        memory = dict.fromkeys(KINDS, 0)
        for process in _tree(self.root):
            with contextlib.suppress(psutil.Error, OSError):
                kind = _kind(process)
                times = process.cpu_times()
                self.cpu[kind, process.pid] = times.user + times.system
                memory[kind] += _pss(process.pid) if kind == "python" else process.memory_info().rss
        self.peak = {kind: max(self.peak[kind], memory[kind]) for kind in KINDS}

    def cpu_seconds(self) -> dict[str, float]:
        own = {kind: sum(spent for (of, _), spent in self.cpu.items() if of == kind) for kind in KINDS}
        servers = {name: _cpu_of_server(server) - self.before[name] for name, server in self.watched.items()}
        return {name: round(spent, 2) for name, spent in {**own, **servers}.items()}


def measure(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, servers: Mapping[str, int]
) -> Usage:
    """Run a command to its end and return what it used; nothing of it is left running, whatever happens.

    Args:
        command: program and arguments.
        env: its whole environment.
        cwd: its working folder.
        log: file for its output.
        servers: name -> pid of servers whose processor time is measured too.

    Raises:
        BenchError: it failed or took longer than TIME_LIMIT_SECONDS; holds the end of its output.
    """
    before = idle_machine.busy()
    with log.open("wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        samples = _Samples(psutil.Process(process.pid), {name: psutil.Process(pid) for name, pid in servers.items()})
        try:
            samples.begin()
            wall_seconds = _follow(process, samples, begin)
        finally:
            _end(process)
    if process.returncode != 0:
        raise BenchError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` ended with {process.returncode}:\n{_tail(log)}"
        )
    cpu_seconds = samples.cpu_seconds()
    return Usage(
        round(wall_seconds, 3), cpu_seconds, samples.peak, idle_machine.others_since(before, sum(cpu_seconds.values()))
    )


def _follow(process: subprocess.Popen[bytes], samples: _Samples, begin: float) -> float:
    while True:
        samples.take()
        try:
            process.wait(SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            if time.perf_counter() - begin > TIME_LIMIT_SECONDS:
                raise BenchError(f"a contestant took longer than {TIME_LIMIT_SECONDS} s: choose fewer --rows") from None
            continue
        return time.perf_counter() - begin


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group, which holds what the command started (Java outlives its Python by a moment)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tree(root: psutil.Process) -> Iterable[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _kind(process: psutil.Process) -> str:
    name = process.name()
    return next((kind for kind in ("python", "java") if name.startswith(kind)), "other")


def _cpu_of_server(server: psutil.Process) -> float:
    """Return a server's processor seconds: its own, of its children that ended, and of its living children."""
    spent = 0.0
    for process in _tree(server):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
