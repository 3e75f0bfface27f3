"""How the suite runs: which tests one process keeps together, and how examples are made up."""

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.economy import economize, keep_what_was_collected

TESTS = Path(__file__).parent
VERSION = re.compile(r"\[(\d+\.\d+\.\d+)")
# What takes longest starts first, in this order; the rest follows as it is found, the many small groups last.
LONGEST = (
    *("engine", "deployment", "completeness", "end to end 3.3.1", "restore", "end to end test_demo.py", "readers"),
    *("airflow 3.3.1", "bench", "report", "faults", "state_machine", "airflow 2.10.3", "cli", "aws"),
    *("object_stores", "pgbouncer"),
)

# The servers of the suite make and remove some hundred thousand small files, for which a disk can take as long as for
# everything else. In memory where there is plenty; TMPDIR decides otherwise. Measured: 3.4 GB at most.
MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 12 * 2**30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# The same examples in every run, and as many seconds as they take: what CI finds does not depend on luck and load.
# Others are tried by `pytest --hypothesis-profile explore`.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("suite", derandomize=True, **PATIENT)
settings.register_profile("explore", max_examples=1000, **PATIENT)
settings.load_profile("suite")


class BySharedServers(LoadScopeScheduling):
    """Gives tests that share servers to one process, which starts them once."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> BySharedServers:
    """Let pytest-xdist schedule by groups. Its own, `--dist loadgroup`, knows none under pytest 9."""
    return BySharedServers(config, log)


def pytest_configure() -> None:
    """Economize, and let what tests start hear Ctrl-C: jobs in the background of a script have it ignored."""
    economize()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long groups begin first, or the last of them would run alone at the end."""
    ranks = {group: rank for rank, group in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


def pytest_collection_finish() -> None:
    """Economize on garbage, too."""
    keep_what_was_collected()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """End the servers of a group with its last test: fixtures of the session would let them work until the very end."""
    if nextitem is None or group_of(item.nodeid) == group_of(nextitem.nodeid):
        return None  # pytest's own runs the test
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=None)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    _forget_sessions()
    return True


def _forget_sessions() -> None:
    """Drop the sessions of AWS that boto3 and the engine keep: they keep the credentials of their first user, too.

    Which group comes next in this process is chance, and its account may know other credentials only.
    """
    if engine := sys.modules.get("metadata_export.aws"):
        engine.s3_client.cache_clear()
        engine._session.cache_clear()
    if boto3 := sys.modules.get("boto3"):
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what not every run of the suite wants."""
    kind = item.path.relative_to(TESTS).parts[0]
    if kind == "faults":
        item.add_marker("fault")
    if kind == "iam":
        item.add_marker("iam")


def group_of(nodeid: str) -> str:
    """Return what a test shares servers with.

    Args:
        nodeid: such as `tests/end_to_end/test_input.py::test_refused[3.3.1-a list]`.
    """
    file = nodeid.partition("::")[0]
    _, kind, *rest = file.split("/")
    chosen = VERSION.search(nodeid)
    if kind == "end_to_end":
        return f"end to end {chosen[1] if chosen else rest[0]}"
    if kind == "integration":
        return f"airflow {chosen[1]}" if rest[0] == "airflow" and chosen else rest[0]
    return file if kind == "unit" else kind
