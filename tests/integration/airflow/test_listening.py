"""What of Airflow listens, and where."""

import socket
from pathlib import Path

import pytest

from tests.integration.airflow.conftest import Running

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at /proc")
def test_given_airflow_then_it_listens_on_the_loopback_address_only(running: Running) -> None:
    assert _listening(set(running.airflow.pids.values())) == {
        ("127.0.0.1", int(running.airflow.url.rpartition(":")[2]))
    }


def _listening(sessions: set[int]) -> set[tuple[str, int]]:
    """Return address and port of each TCP socket on which a process of the sessions listens (see proc_pid_net(5))."""
    inodes = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) in sessions:
                inodes |= {str(link.readlink()).strip("socket:[]") for link in (stat.parent / "fd").iterdir()}
        except OSError:
            continue  # it has ended meanwhile
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                words = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
                found.add((socket.inet_ntop(family, words), int(port, 16)))
    return found
