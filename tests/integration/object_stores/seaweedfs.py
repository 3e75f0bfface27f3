"""SeaweedFS: an S3 that other people wrote, on 127.0.0.1, with data that goes when it stops.

https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API
"""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import ports
from tests.waiting import wait_until

WEED = Path(sys.executable).with_name("weed")
SERVERS = ("master", "volume", "filer", "s3")
OPTIONS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-s3",
    "-s3.iam=false",
    "-s3.port.iceberg=0",  # no catalogues beside it
    "-s3.port.lance=0",
    "-master.telemetry=false",  # or it reports to its makers
    "-master.electionTimeout=1s",  # of ten, until it serves
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=20",
    "-volume.minFreeSpace=1MiB",
)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run it, and return the URL of its S3.

    Args:
        folder: for data and log; there already, and empty.
    """
    chosen = {f"{server}.{kind}": ports.reserve() for server in SERVERS for kind in ("port", "port.grpc")}
    command = [WEED, "-logtostderr", "server", f"-dir={folder}", *OPTIONS]
    command += [f"-{name}={port}" for name, port in chosen.items()]
    url = f"http://127.0.0.1:{chosen['s3.port']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment())
    try:
        wait_until(lambda: _is_healthy(process, url), "SeaweedFS answers")
        yield url
    finally:
        process.kill()  # it takes a quarter of a minute to say goodbye, and nobody wants its data
        process.wait()
        for port in chosen.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # wherever it is told to put what is temporary
                socket.unlink()


def _environment() -> dict[str, str]:
    """This process's, without credentials: it would take them for its administrator's, and refuse all others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _is_healthy(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, f"SeaweedFS ended with {process.returncode}"
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:  # noqa: S310 - our own URL
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
