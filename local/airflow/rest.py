"""A small client of Airflow's REST API: v1 with a password (Airflow 2), v2 with a token (Airflow 3)."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from local.airflow.errors import ApiError, LocalAirflowError, NoAnswerError

TIMEOUT_SECONDS = 30
EVERY_DAG = "~"
"""where the API wants the id of a DAG"""


class AirflowApi:
    """Calls the API at `base_url` as `username`; logs in at the first call."""

    def __init__(self, base_url: str, major: int, username: str, password: str) -> None:
        self._base_url = base_url
        self._login = (username, password)
        self._authorization: str | None = None
        self.major = major
        self.prefix = "/api/v1" if major == 2 else "/api/v2"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that `method` on `path` (below the API's prefix) answers.

        Raises:
            ApiError: the API refused the request.
            NoAnswerError: the server cannot be reached, or takes too long.
        """
        if self._authorization is None:
            self._authorization = self._authorize()
        return self._send(method, self.prefix + path, body, {"Authorization": self._authorization})

    def health(self) -> dict[str, str]:
        """Return the status of each component, empty while the server does not answer."""
        try:
            answer = self._send("GET", "/health" if self.major == 2 else "/api/v2/monitor/health", None, {})
        except LocalAirflowError:
            return {}
        return {name: part.get("status") or "" for name, part in answer.items()}

    def warm_up(self) -> None:
        """Have the server build what tasks talk to: Airflow 3 does that at the first request, for up to 6 s.

        A task gives its first request 5 s, waits, and tries again.
        """
        if self.major == 3:
            self._send("GET", "/execution/health", None, {})

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that are parsed and active."""
        return {dag["dag_id"] for dag in self.call("GET", "/dags?limit=100")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Return the text of each error in a DAG file, by file."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def trigger(
        self, dag_id: str, *, conf: Mapping[str, Any] | None = None, note: str | None = None, date: str | None = None
    ) -> str:
        """Start a run, for the logical `date` when one is given, and return its id."""
        body: dict[str, Any] = {"conf": dict(conf or {}), "note": note}
        if self.major == 3 or date:
            body["logical_date"] = date
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, or of EVERY_DAG."""
        return list(self.call("GET", f"/dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances?limit=100"
        return list(self.call("GET", path)["task_instances"])

    def annotate(self, dag_id: str, run_id: str, task_id: str, note: str) -> None:
        """Write a note to a task instance."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}"
        # Airflow 2 has a resource of its own for this, Airflow 3 a field.
        self.call("PATCH", f"{path}/setNote" if self.major == 2 else path, {"note": note})

    def _authorize(self) -> str:
        if self.major == 2:
            return "Basic " + base64.b64encode(":".join(self._login).encode()).decode()
        username, password = self._login
        answer = self._send("POST", "/auth/token", {"username": username, "password": password}, {})
        return f"Bearer {answer['access_token']}"

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the URL is http, ours
            self._base_url + path, data, {**kind, **headers}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise ApiError(method, path, error.code, error.read().decode(errors="replace")[:1000]) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"Airflow at {self._base_url} does not answer: {error}") from error
        return json.loads(text) if text else None
