"""Kills running Glue runs. It hits real processes: nothing in the product knows of it."""

import contextlib
import os
import signal
import threading
from typing import Any

import psutil

from local.console import Note


class KillGroupOnce(threading.Thread):
    """Waits for the Glue run of one table group and kills its process (SIGKILL), once.

    Args:
        glue: boto3 Glue client.
        job: name of the Glue job.
        group: table group whose run is killed.
        note: told when it has happened.
    """

    def __init__(self, glue: Any, job: str, group: str, note: Note) -> None:
        super().__init__(daemon=True, name=f"kill-{group}")
        self._glue, self._job, self._group, self._note = glue, job, group, note
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.3):
            for run in self._glue.get_job_runs(JobName=self._job)["JobRuns"]:
                if run.get("Arguments", {}).get("--EXPORT_GROUP") == self._group and kill_glue_run(run["Id"]):
                    self._note(f"killed the Glue run of the group {self._group} ({run['Id'][:15]}...)")
                    return

    def stop(self) -> None:
        """Give up waiting."""
        self._stopped.set()


def kill_glue_run(run_id: str) -> bool:
    """Kill the process group of a Glue run (SIGKILL) and return whether it had a process."""
    for process in psutil.process_iter(["pid", "cmdline"]):
        command = process.info["cmdline"] or []
        if run_id in command and "--JOB_RUN_ID" in command:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(process.info["pid"]), signal.SIGKILL)
                return True
    return False
