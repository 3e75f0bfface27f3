"""The emulator's own process: applies the patches, then runs ministack. Started by `server.start`."""

import os
import signal
import sys
import threading

from local.aws import patches, settings
from local.aws.glue import process


def main(argv: list[str]) -> None:
    """Run until SIGTERM, or, with `--end-with-stdin`, until the parent process is gone."""
    if "--end-with-stdin" in argv:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    patches.apply(settings.from_environment())
    from ministack import app

    sys.argv = ["ministack"]
    try:
        app.main()
    finally:
        process.kill_all()


def _end_with_stdin() -> None:
    """The parent holds the other end of the pipe: reading ends when it closes it or dies, in whatever way."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
