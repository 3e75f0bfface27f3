"""The README's first command, as a person types it."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from local.paths import ROOT

DEMO = ROOT / ".local" / "demo"


def run_demo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "local", "demo", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def processes_of_the_demo():
    """Command lines of processes that work in the demo's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(DEMO) in command:
            found.append(command)
    return found


@pytest.fixture(scope="module")
def failed_once():
    """A demo in which the Glue run of the group `tasks` is killed once, in Airflow 2: the other tests here have 3."""
    completed = run_demo("--fail", "tasks", "--restore", "--airflow", "2.10.3")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed, json.loads((DEMO / "result.json").read_text())


class TestAGroupThatIsKilled:
    def test_is_retried_alone_and_the_export_completes(self, failed_once):
        runs = failed_once[1]["glue_runs"]

        assert failed_once[1]["summary"]["status"] == "COMPLETE"
        assert [run["state"] for run in runs if run["group"] == "tasks"] == ["FAILED", "SUCCEEDED"]
        assert [run["state"] for run in runs if run["group"] != "tasks"] == ["SUCCEEDED"] * 4

    def test_is_reported_by_one_alert_that_names_group_tables_and_error(self, failed_once):
        alert = failed_once[1]["alerts"][0]

        assert "INCOMPLETE" in alert["subject"]
        assert "tasks" in alert["subject"]
        assert "task_instance" in alert["message"]
        assert "tried once more" in alert["message"]

    def test_is_followed_by_one_notice_of_recovery(self, failed_once):
        alerts = failed_once[1]["alerts"]

        assert len(alerts) == 2
        assert "recovered" in alerts[1]["subject"]

    def test_is_shown_with_states_tables_summary_and_files(self, failed_once):
        printed = failed_once[0].stdout

        for text in ("Retry Failed Groups", "task_instance", "COMPLETE", ".local/demo/s3/", "Subject: "):
            assert text in printed

    def test_asks_the_export_in_sql_and_draws_its_insights(self, failed_once):
        printed, asked = failed_once[0].stdout, failed_once[1]["asked"]

        assert "mwaa-metadata-export query" in printed
        assert asked["insights"] in printed
        assert sum(row["runs"] for row in asked["rows"]) == failed_once[1]["summary"]["tables"]["dag_run"]
        assert "Durations by DAG" in (ROOT / asked["insights"]).read_text()

    def test_comes_back_in_a_second_airflow_in_which_one_new_run_succeeds_and_nothing_else_ran(self, failed_once):
        second, summary = failed_once[1]["restored"], failed_once[1]["summary"]

        assert second["rows"] == summary["tables"]
        assert all(each["exported"] == each["second_airflow"] > 0 for each in second["tables"].values())
        assert set(second["health"].values()) - {""} == {"healthy"}
        assert second["new_run"] == {"dag_id": "demo_orders", "state": "success"}
        assert [dag_id for dag_id, _ in second["ran"]] == ["demo_orders"]
        assert "Two Airflows side by side" in failed_once[0].stdout

    def test_leaves_its_objects_in_the_mirror(self, failed_once):
        result = failed_once[1]

        for detail in result["summary"]["details"].values():
            assert (ROOT / result["mirror"] / detail["key"]).stat().st_size == detail["object_bytes"]

    def test_leaves_no_process(self, failed_once):
        assert processes_of_the_demo() == []


@pytest.mark.parametrize("step", ["", "sam deploy"], ids=["while it starts", "while it works"])
def test_ctrl_c_stops_everything(step):
    demo = subprocess.Popen(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while step not in demo.stdout.readline():
        assert demo.poll() is None
    time.sleep(1)
    os.killpg(demo.pid, signal.SIGINT)
    printed, _ = demo.communicate(timeout=180)

    assert demo.returncode == 130, printed
    assert "everything was stopped" in printed
    assert processes_of_the_demo() == []


def test_an_unknown_version_is_refused_with_the_known_ones():
    completed = run_demo("--airflow", "1.10.15")

    assert completed.returncode == 2
    assert "2.10.3" in completed.stderr
