"""A proxy in front of PostgreSQL that loses a COMMIT, or its answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@contextmanager
def losing_the_commit(
    url: str,
    arrives: bool,
    connections: int = 99,
    after: bytes = b"",
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """Give the URL of a proxy that ends the connection on which a COMMIT comes.

    Args:
        arrives: the server gets the COMMIT.
        connections: so many are taken.
        after: what the connection must have sent before, for its COMMIT to be the one.
        meanwhile: happens when the server has ended the connection, before the client has lost it.
    """
    port = urlsplit(url).port or 0
    listener = socket.create_server(("127.0.0.1", 0))
    link = _Link(port, arrives, after, meanwhile)
    threads: list[threading.Thread] = []

    def accept() -> None:
        with listener, suppress(OSError):
            for _ in range(connections):
                client, _ = listener.accept()
                threads.append(threading.Thread(target=link.serve, args=(client,)))
                threads[-1].start()

    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield url.replace(f":{port}/", f":{listener.getsockname()[1]}/") + "?sslmode=disable"
    finally:
        _end(listener)
        for thread in threads:
            thread.join(30)


@dataclass(frozen=True)
class _Link:
    port: int
    arrives: bool
    after: bytes
    meanwhile: Callable[[], None]

    def serve(self, client: socket.socket) -> None:
        lost = threading.Event()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            back = threading.Thread(target=_answer, args=(server, client, lost))
            back.start()
            with suppress(OSError):
                self._forward(client, server, lost)
            _end(server, socket.SHUT_WR)
            back.join()  # the server has ended it, and the transaction with it
            if lost.is_set():
                self.meanwhile()

    def _forward(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        due = not self.after
        while not lost.is_set() and (data := client.recv(1 << 16)):
            due = due or self.after in data
            if due and b"COMMIT" in data:
                lost.set()
            if self.arrives or not lost.is_set():
                server.sendall(data)


def _answer(server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
    with suppress(OSError):
        while data := server.recv(1 << 16):
            if not lost.is_set():
                client.sendall(data)
    if not lost.is_set():
        _end(client)


def _end(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with suppress(OSError):
        connection.shutdown(how)
