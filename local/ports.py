"""Ports of 127.0.0.1 for servers that must be told theirs before they start.

Between the choice of a free port and the moment when its server listens, seconds pass in which any other server or
outgoing connection may take it. So the port stays bound, by a socket of this process that does not listen. Linux then
gives it to nobody who asks for any port, but lets a server listen on it that sets SO_REUSEADDR, as servers do
(https://man7.org/linux/man-pages/man7/socket.7.html). It is free again when this process has ended, however it ended.
"""

import atexit
import socket

HOST = "127.0.0.1"


def reserve(port: int = 0) -> int:
    """Keep a port for servers that this process starts, one after the other, until it ends.

    Args:
        port: a certain one, which others may have reserved too; 0 takes one that nobody else has.

    Returns:
        The port.

    Raises:
        OSError: somebody listens on that port.
    """
    held = socket.socket()
    try:
        if port:  # connections that an earlier server has left there are in nobody's way
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on a server may join
    except OSError:
        held.close()
        raise
    atexit.register(held.close)  # which also keeps it until then
    return int(held.getsockname()[1])
