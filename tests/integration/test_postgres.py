"""The local PostgreSQL server leaves nothing behind, whenever Ctrl-C comes."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

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


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.1])
def test_given_ctrl_c_while_the_server_starts_then_none_is_left(data_dir: Path, seconds: float) -> None:
    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with pytest.raises(KeyboardInterrupt), postgres.start(data_dir, password="x"):
            signal.pause()  # a machine so quick that the server is up already
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert postgres.find(data_dir) is None
