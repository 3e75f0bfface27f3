"""The local PostgreSQL server leaves nothing behind, whenever Ctrl-C comes."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import postgres


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A cluster whose server does not run; outside of pytest's folders, which the server's user may not enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        made = Path(folder) / "data"
        postgres.start(made, password="x").stop()
        yield made
        postgres.stop(made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.03, 0.1])
def test_given_an_interruption_while_the_server_starts_then_none_is_left(
    data_dir: Path, seconds: float, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.default_int_handler)
    interruption = threading.Timer(seconds, os.kill, (os.getpid(), number))
    interruption.start()
    try:
        with pytest.raises(KeyboardInterrupt), postgres.start(data_dir, password="x"):
            signal.pause()  # a machine so quick that the server is up already
    finally:
        interruption.join()
        signal.signal(number, before)
    assert postgres.find(data_dir) is None
