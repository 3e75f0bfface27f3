"""What the DAG's last task does: it asks how the execution ended, and passes that on."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError


def answer_with(dag_file: Any, monkeypatch: pytest.MonkeyPatch, **description: Any) -> None:
    """Have DescribeExecution answer with `description`."""
    client = SimpleNamespace(describe_execution=lambda **asked: asked | description)
    monkeypatch.setattr(dag_file, "_client", lambda _: client)


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_given_a_running_export_then_the_sensor_is_not_done(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    answer_with(dag_file, monkeypatch, status=status)
    assert dag_file.wait_for_export("arn").is_done is False


def test_given_a_successful_export_then_the_sensor_returns_what_matters_of_its_output(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = {
        "status": "COMPLETE",
        "summary_uri": "s3://b/s.json.gz",
        "total_rows": 12,
        "alert": {"message": "x" * 999},
    }
    answer_with(dag_file, monkeypatch, status="SUCCEEDED", output=json.dumps(output))
    answer = dag_file.wait_for_export("arn")
    assert answer.is_done is True
    assert answer.xcom_value == {"status": "COMPLETE", "summary_uri": "s3://b/s.json.gz", "total_rows": "12"}


WINNER = "arn:aws:states:eu-west-1:1:execution:m:winner"


def meet(dag_file: Any, monkeypatch: pytest.MonkeyPatch, asked: str, was_asked: str, **winner: Any) -> None:
    """Have the execution `arn` with the input `asked` find another one at work."""
    output = json.dumps({"status": "BUSY", "reason": "at most one runs", "winner": WINNER})
    answers = {
        "arn": {"status": "SUCCEEDED", "input": asked, "output": output},
        WINNER: {"input": was_asked, **winner},
    }
    client = SimpleNamespace(describe_execution=lambda **asked: asked | answers[asked["executionArn"]])
    monkeypatch.setattr(dag_file, "_client", lambda _: client)


def test_given_another_export_at_work_then_its_outcome_is_waited_for(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    meet(dag_file, monkeypatch, '{"trigger": "dag"}', '{"trigger": "schedule", "force": true}', status="RUNNING")
    with caplog.at_level(logging.INFO):
        assert dag_file.wait_for_export("arn").is_done is False
    assert WINNER in caplog.text
    summary = '{"status": "COMPLETE", "summary_uri": "s3://b/s.json.gz"}'
    meet(dag_file, monkeypatch, '{"trigger": "dag"}', '{"trigger": "manual"}', status="SUCCEEDED", output=summary)
    answer = dag_file.wait_for_export("arn")
    assert (answer.is_done, answer.xcom_value) == (True, {"status": "COMPLETE", "summary_uri": "s3://b/s.json.gz"})


def test_given_another_export_at_work_that_fails_then_this_run_fails_and_says_which(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(dag_file, monkeypatch, "{}", "{}", status="FAILED", error="ExportIncompleteError", cause="disk full")
    with pytest.raises(dag_file.AirflowFailException, match=f"disk full - redrive {WINNER}"):
        dag_file.wait_for_export("arn")


@pytest.mark.parametrize("other", ["{}", '{"max_age_in_days": null}'])
def test_given_an_export_at_work_with_another_input_then_it_counts_because_the_state_machine_yields_only_to_as_much(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    meet(
        dag_file, monkeypatch, '{"include_tables": ["dag"]}', other, status="SUCCEEDED", output='{"status": "COMPLETE"}'
    )
    assert dag_file.wait_for_export("arn").xcom_value == {"status": "COMPLETE"}


def test_given_an_execution_that_waits_for_one_of_less_then_the_sensor_waits_for_it(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(
        [{"status": "RUNNING"}, {"status": "SUCCEEDED", "output": '{"scope": "full", "covers": "all tables"}'}]
    )
    client = SimpleNamespace(describe_execution=lambda **asked: asked | next(answers))
    monkeypatch.setattr(dag_file, "_client", lambda _: client)
    assert dag_file.wait_for_export("arn").is_done is False
    assert dag_file.wait_for_export("arn").xcom_value == {"scope": "full", "covers": "all tables"}


def test_given_a_fresh_export_that_makes_it_superfluous_then_the_reason_is_logged(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    output = '{"status": "ALREADY_EXPORTED", "reason": "one is fresh", "winner": "s3://b/s.json.gz"}'
    answer_with(dag_file, monkeypatch, status="SUCCEEDED", output=output)
    with caplog.at_level(logging.INFO):
        assert dag_file.wait_for_export("arn").is_done is True
    assert "one is fresh" in caplog.text


@pytest.mark.parametrize("output", [None, "null", "[1]", '"text"'], ids=["absent", "null", "list", "text"])
def test_given_an_output_of_another_shape_then_success_is_success(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    answer_with(dag_file, monkeypatch, status="SUCCEEDED", **({} if output is None else {"output": output}))
    assert dag_file.wait_for_export("arn").xcom_value == {}


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_given_an_export_that_ended_otherwise_then_the_task_fails_for_good_with_status_and_reason(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    answer_with(dag_file, monkeypatch, status=status, error="ExportIncompleteError", cause="group runs: disk full")
    with pytest.raises(dag_file.AirflowFailException, match=f"{status}: ExportIncompleteError: group runs: disk full"):
        dag_file.wait_for_export("arn:aws:states:eu-west-1:1:execution:m:e")


def test_given_a_failure_without_a_reason_then_it_still_says_so(dag_file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(dag_file, monkeypatch, status="TIMED_OUT")
    with pytest.raises(dag_file.AirflowFailException, match="TIMED_OUT: no error: no cause"):
        dag_file.wait_for_export("arn")


def test_given_a_hostile_cause_then_it_cannot_forge_a_log_line_nor_flood_the_log(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = "boom\r\n[2026-12-11] INFO - all is well\x1b[2J\u2028" + "x" * 40_000
    answer_with(dag_file, monkeypatch, status="FAILED", error="E\n", cause=cause)
    with pytest.raises(dag_file.AirflowFailException) as failure:
        dag_file.wait_for_export("arn")
    assert str(failure.value).isprintable()
    assert len(str(failure.value)) < 2000


def test_given_an_execution_that_is_redriven_then_a_cleared_task_waits_for_it_again(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["FAILED", "PENDING_REDRIVE", "RUNNING", "SUCCEEDED"])
    client = SimpleNamespace(describe_execution=lambda **_: {"executionArn": "arn", "status": next(answers)})
    monkeypatch.setattr(dag_file, "_client", lambda _: client)
    with pytest.raises(dag_file.AirflowFailException, match="redrive arn"):
        dag_file.wait_for_export("arn")
    assert [dag_file.wait_for_export("arn").is_done for _ in range(3)] == [False, False, True]


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "first line\nForged: second line"}}, "DescribeExecution")


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (client_error("AccessDeniedException"), True),
        (client_error("InvalidExecutionInput"), True),
        (client_error("ThrottlingException"), False),
        (client_error("InternalServerException"), False),
        (EndpointConnectionError(endpoint_url="https://states.eu-west-1.amazonaws.com"), False),
    ],
    ids=["access denied", "invalid input", "throttled", "AWS is ill", "no network"],
)
def test_given_an_error_of_aws_then_only_what_a_retry_can_cure_is_retried(
    dag_file: Any, error: Exception, for_good: bool
) -> None:
    with pytest.raises(dag_file.AirflowException) as failure, dag_file._explained("Asking", "ask again."):
        raise error
    assert isinstance(failure.value, dag_file.AirflowFailException) is for_good
    assert "\n" not in str(failure.value)
    assert str(failure.value).startswith("Asking failed: ")
    assert str(failure.value).endswith("- ask again.")
