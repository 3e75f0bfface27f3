"""How to restore, beside what."""

from dataclasses import dataclass

FAIL = "fail"
KEEP = "keep"


@dataclass(frozen=True)
class Options:
    """What the person decides.

    Args:
        paused: all DAGs come back paused.
        unfinished: FAIL: unfinished runs and task instances come back as failed; KEEP: as they were, and Airflow goes
            on with them.
        without_orphans: leave out rows that refer to a row which does not exist.
        replace: empty the tables that have rows.
        while_running: although Airflow's components are running.
        lock_seconds: how long to try to lock the tables.
    """

    paused: bool = True
    unfinished: str = FAIL
    without_orphans: bool = False
    replace: bool = False
    while_running: bool = False
    lock_seconds: float = 60
