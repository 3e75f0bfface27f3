"""Is anybody else using this machine? Other work distorts a turn: wait for its end, and know how much there was."""

import time
from dataclasses import dataclass

import psutil

IDLE_PERCENT = 15.0  # busy time of all cores together that a desktop or a server with nothing to do shows
IDLE_SECONDS = 2


@dataclass(frozen=True)
class Busy:
    """Processor seconds of the whole machine (what the hypervisor took included), and of this process."""

    machine: float
    own: float


def busy() -> Busy:
    """Return what was used since the machine and this process began."""
    times = psutil.cpu_times()
    machine = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    own = psutil.Process().cpu_times()
    return Busy(machine, own.user + own.system)


def others_since(before: Busy, measured: float) -> float:
    """Return the processor seconds since `before` of everybody but this process and what it measured."""
    now = busy()
    return max(0.0, round((now.machine - before.machine) - (now.own - before.own) - measured, 2))


def wait(patience_seconds: float) -> bool:
    """Wait until the machine has been idle for two seconds, and return whether it was within `patience_seconds`."""
    deadline = time.monotonic() + patience_seconds
    idle = 0
    while idle < IDLE_SECONDS:
        if time.monotonic() > deadline:
            return False
        idle = idle + 1 if psutil.cpu_percent(interval=1.0) < IDLE_PERCENT else 0
    return True
