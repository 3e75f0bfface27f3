"""A TCP proxy in front of PostgreSQL (or PgBouncer) that a test stops in the middle of a COPY.

It reads the messages of the protocol that the server sends, so that "in the middle" is a number of copied bytes and not
a matter of time. https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
BLOCK_BYTES = 64 * 1024
COPY_DATA = b"d"
WAIT_SECONDS = 120.0


@dataclass
class Trap:
    """What happens to every connection once it has copied so many bytes.

    Args:
        after_bytes: of COPY data.
        error: SQLSTATE and message that the client gets instead of the rest; None: the connection waits.
    """

    after_bytes: int
    error: tuple[str, str] | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a connection is in it.

        Raises:
            TimeoutError: none came.
        """
        if not self.reached.wait(seconds):
            raise TimeoutError(f"no connection has copied {self.after_bytes} bytes within {seconds:.0f} s")


class Proxy:
    """Forwards connections to a port of this machine, which may change for later connections."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._trap: Trap | None = None
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        self._listener.close()

    @contextlib.contextmanager
    def stalled(self, after_bytes: int) -> Iterator[Trap]:
        """Let connections that have copied so many bytes wait until the block is left."""
        self._trap = trap = Trap(after_bytes)
        try:
            yield trap
        finally:
            self._trap = None
            trap.released.set()

    def fail_copy(self, after_bytes: int, sqlstate: str, message: str) -> Trap:
        """Let the next COPY end with an error of the server, in its words, after so many bytes."""
        self._trap = Trap(after_bytes, (sqlstate, message))
        return self._trap

    def clear(self) -> None:
        """Forget what was set."""
        self._trap = None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BLOCK_BYTES)  # the server must notice that nobody reads
        try:
            server.connect((HOST, self.target_port))
        except OSError:
            client.close()
            return
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        try:
            self._answer(server, client)
        except OSError:
            pass
        finally:
            _close(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        """Forward what the server sends, message by message."""
        messages, copied = _Messages(), 0
        while data := server.recv(BLOCK_BYTES):
            whole = messages.feed(data)
            copied += sum(len(message) for message in whole if message[:1] == COPY_DATA)
            client.sendall(b"".join(whole))
            trap = self._trap
            if trap is None or copied < trap.after_bytes:
                continue
            trap.reached.set()
            if trap.error is not None:
                self._trap = None
                client.sendall(_error(*trap.error))
                time.sleep(1)  # a close with unread data would take the error with it
                return
            trap.released.wait()


class _Messages:
    """Cuts a stream of the server into its messages: a type, the length of what follows it, and that."""

    def __init__(self) -> None:
        self._rest = b""
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        data, found = self._rest + data, []
        if self._first and data[:1] in (b"N", b"S"):  # the answer to SSLRequest: one byte
            found.append(data[:1])
            data = data[1:]
        self._first = False
        start = 0
        while len(data) - start >= 5:
            end = start + 1 + int(struct.unpack_from("!I", data, start + 1)[0])
            if end > len(data):
                break
            found.append(data[start:end])
            start = end
        self._rest = data[start:]
        return found


def _error(sqlstate: str, message: str) -> bytes:
    """Return ErrorResponse, and ReadyForQuery in a failed transaction."""
    fields = {"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": message}
    body = b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body + b"Z" + struct.pack("!I", 5) + b"E"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(BLOCK_BYTES):
            target.sendall(data)
    _close(source, target)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
