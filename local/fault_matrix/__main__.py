"""`make faults`: every fault on the running stack, and the matrix of what came of it."""

import signal
import sys
from collections.abc import Sequence

import pytest

from local.fault_matrix.matrix import Matrix
from local.paths import ROOT, stack_paths


def main(argv: Sequence[str]) -> int:
    """Run the scenarios and return pytest's exit code; `argv` goes to pytest (`-k corrupted`, say)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain `kill` cleans up like Ctrl-C
    tests = str(ROOT / "tests" / "faults")
    return int(pytest.main([tests, "--tb=short", *argv], plugins=[Matrix(stack_paths("faults").result)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
