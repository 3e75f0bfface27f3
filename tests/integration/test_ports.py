"""A port that was chosen for a server is still free when the server comes to listen, whatever happens meanwhile."""

import contextlib
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports, postgres
from local.paths import ROOT

# https://man7.org/linux/man-pages/man2/IP_LOCAL_PORT_RANGE.2const.html: Linux 6.3; Python has no name for it.
IP_LOCAL_PORT_RANGE = 51
WINDOW = 40
CHOOSERS, CHOICES = 2, 400
CHOOSE = f"""
import sys
from local import ports
sys.stdin.readline()
print(*(ports.reserve() for _ in range({CHOICES})), flush=True)
sys.stdin.readline()
"""


def within(low: int, high: int) -> socket.socket:
    """A socket whose own port the kernel chooses between these two."""
    made = socket.socket()
    try:
        made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=I", high << 16 | low))
    except OSError:
        made.close()
        pytest.skip("this kernel cannot narrow the range of outgoing connections: Linux 6.3 is needed")
    return made


@contextlib.contextmanager
def outgoing_connections(low: int, high: int) -> Iterator[set[int]]:
    """Open connections from ports between these two until none is left; gives the ports that they got."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.create_server((ports.HOST, 0), backlog=2 * WINDOW))
        taken: set[int] = set()
        with contextlib.suppress(OSError):
            while True:
                client = opened.enter_context(within(low, high))
                client.connect(server.getsockname())
                taken.add(client.getsockname()[1])
        yield taken


def is_free(port: int) -> bool:
    """Whether a server can listen on a port."""
    try:
        socket.create_server((ports.HOST, port)).close()  # sets SO_REUSEADDR, as servers do
    except OSError:
        return False
    return True


def is_unused(port: int) -> bool:
    """Whether nobody has a port, not even one who does not listen."""
    with socket.socket() as other:
        try:
            other.bind((ports.HOST, port))
        except OSError:
            return False
        return True


def test_given_outgoing_connections_from_every_port_around_then_a_server_still_gets_its_own() -> None:
    port = ports.reserve()

    with outgoing_connections(port - WINDOW, port + WINDOW) as taken:
        assert len(taken) > WINDOW
        assert port not in taken
        with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
            with postgres.start(Path(folder) / "data", port=port, password="x") as server:
                assert server.port == port
            assert is_free(port)


def test_given_others_that_ask_for_any_port_then_none_of_them_gets_it() -> None:
    port = ports.reserve()

    for reuse in (0, 1):
        with within(port, port) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            with pytest.raises(OSError, match="in use"):
                other.bind((ports.HOST, 0))


def test_given_processes_that_choose_at_the_same_time_then_each_gets_other_ports() -> None:
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", CHOOSE]
        pipe = subprocess.PIPE
        started = [
            stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
            for _ in range(CHOOSERS)
        ]
        for process in started:
            print(file=process.stdin, flush=True)
        chosen = [port for process in started for port in (process.stdout or ()).readline().split()]
        assert len(chosen) == CHOOSERS * CHOICES
        assert len(set(chosen)) == len(chosen)


def test_given_a_process_that_is_killed_then_its_port_is_free_again() -> None:
    code = "from local import ports\nprint(ports.reserve(), flush=True)\nimport signal\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        held = not is_unused(port)
        owner.kill()

    assert held
    assert is_unused(port)


def test_given_a_port_on_which_somebody_listens_then_it_is_refused() -> None:
    with socket.create_server((ports.HOST, 0)) as server, pytest.raises(OSError, match="in use"):
        ports.reserve(server.getsockname()[1])


def test_given_a_reserved_port_then_it_can_be_asked_for_by_its_number() -> None:
    port = ports.reserve()

    assert ports.reserve(port) == port
    assert is_free(port)
