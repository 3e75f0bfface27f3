"""The proxy cuts the server's stream into messages, wherever the network cuts it."""

import struct

import pytest

from local.fault_matrix.proxy import _error, _Messages

READY = b"Z" + struct.pack("!I", 5) + b"I"
ROW = b"d" + struct.pack("!I", 4 + 7) + b"a,b,c\r\n"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("answer_to_ssl", [b"", b"N"], ids=["plain", "after SSLRequest"])
def test_given_a_stream_in_pieces_then_whole_messages_come_out(size: int, answer_to_ssl: bytes) -> None:
    stream = answer_to_ssl + READY + ROW + ROW + READY
    messages = _Messages()

    found = [each for start in range(0, len(stream), size) for each in messages.feed(stream[start : start + size])]

    assert b"".join(found) == stream
    assert found.count(ROW) == 2


def test_given_an_error_then_it_is_two_messages_with_its_sqlstate() -> None:
    error, ready = _Messages().feed(_error("53100", "No space left on device"))

    assert b"C53100\0" in error
    assert b"MNo space left on device\0" in error
    assert ready == b"Z" + struct.pack("!I", 5) + b"E"
