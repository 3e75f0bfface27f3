"""Waiting for a local Airflow that takes long to answer."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.airflow import rest, server
from local.airflow.errors import LocalAirflowError

HEALTHY = ", ".join(
    f'"{part}": {{"status": "healthy"}}' for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
)
ANSWERS = {
    "/api/v2/monitor/health": f"{{{HEALTHY}}}",
    "/execution/health": "{}",
    "/auth/token": '{"access_token": "x"}',
    "/api/v2/importErrors": '{"import_errors": []}',
    "/api/v2/dags?limit=100": '{"dags": [{"dag_id": "one"}]}',
}


class WebServer(ThreadingHTTPServer):
    """Answers as Airflow 3 does, but gives no answer to the first request for each path in `silent`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.silent = set(ANSWERS)
        self.closing = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        """Answer, or keep the caller waiting."""
        if self.path in self.server.silent:
            self.server.silent.discard(self.path)
            self.server.closing.wait()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWERS[self.path].encode())

    def do_POST(self) -> None:
        """Answer, or keep the caller waiting."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    with WebServer() as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield started
        started.closing.set()
        started.shutdown()
        thread.join()


@pytest.fixture
def airflow(web_server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> server.LocalAirflow:
    monkeypatch.setattr(rest, "TIMEOUT_SECONDS", 0.3)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "one.py").touch()
    url = f"http://127.0.0.1:{web_server.server_port}"
    return server.LocalAirflow("3.0.6", tmp_path, tmp_path, url, "admin", "secret")


def test_given_a_web_server_whose_first_answers_take_too_long_then_it_is_waited_for(
    airflow: server.LocalAirflow, web_server: WebServer
) -> None:
    said: list[str] = []
    server.wait_until_ready(airflow, progress=said.append)
    assert web_server.silent == set()
    assert said == ["waiting for the web server"] * 2  # until it is warm, and until the DAGs are parsed


def test_given_a_web_server_that_never_answers_then_it_is_said_who_was_waited_for(
    airflow: server.LocalAirflow, web_server: WebServer
) -> None:
    web_server.closing.set()
    web_server.shutdown()
    web_server.server_close()
    with pytest.raises(LocalAirflowError, match="still waiting for the web server"):
        server.wait_until_ready(airflow, timeout_seconds=0.5, progress=lambda _: None)
