"""What the DAG's second task does: it starts an execution, or attaches to the one its earlier try started."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from tests.contract_examples import Example, examples

CONTRACT = Path(__file__).resolve().parents[3] / "docs" / "contracts" / "execution_input.schema.json"
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-metadata-export/database-AbCdEf"
MACHINE_ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders-metadata-export"
RUN_ID = "scheduled__2026-12-11T00:00:00+00:00"
DEFINITION = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})


@pytest.fixture
def machine(aws: SimpleNamespace) -> str:
    """The stack's state machine; moto leaves its executions RUNNING."""
    made = aws.states.create_state_machine(
        name="orders-metadata-export", definition=DEFINITION, roleArn="arn:aws:iam::123456789012:role/machine"
    )
    return str(made["stateMachineArn"])


@pytest.mark.parametrize(
    ("secret_arn", "machine_arn"),
    [
        (SECRET_ARN, MACHINE_ARN),
        (
            "arn:aws-cn:secretsmanager:cn-north-1:1:secret:a/database/database-AbCdEf",
            "arn:aws-cn:states:cn-north-1:1:stateMachine:a/database",
        ),
        (
            "arn:aws-us-gov:secretsmanager:us-gov-west-1:1:secret:x/database-AbCdEf",
            "arn:aws-us-gov:states:us-gov-west-1:1:stateMachine:x",
        ),
    ],
    ids=["aws", "China, and a name that ends like a secret", "GovCloud"],
)
def test_given_the_secret_then_the_state_machine_lies_beside_it(
    dag_file: Any, secret_arn: str, machine_arn: str
) -> None:
    assert dag_file.state_machine_arn(secret_arn) == machine_arn


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param({}, {}, id="none given"),
        pytest.param(
            {"max_age_in_days": None, "include_tables": None, "exclude_tables": None, "force": False},
            {},
            id="empty form",
        ),
        pytest.param({"include_tables": [], "exclude_tables": []}, {}, id="empty lists"),
        pytest.param({"max_age_in_days": 30}, {"max_age_in_days": 30}, id="an age"),
        pytest.param({"max_age_in_days": 0}, {"max_age_in_days": None}, id="0 is everything"),
        pytest.param({"force": True}, {"force": True}, id="force"),
        pytest.param(
            {"include_tables": ["dag_run"], "exclude_tables": ["log"]},
            {"include_tables": ["dag_run"], "exclude_tables": ["log"]},
            id="tables",
        ),
    ],
)
def test_given_the_trigger_form_then_the_input_keeps_the_contract(
    dag_file: Any, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = dag_file.execution_input(params)
    assert made == {"trigger": "dag", **expected}
    jsonschema.validate(made, json.loads(CONTRACT.read_text()))


@pytest.mark.parametrize(
    "example",
    [each for each in examples("execution_input", "valid") if each.document.get("trigger") == "dag"],
    ids=str,
)
def test_given_an_input_of_the_contract_then_the_form_makes_it(dag_file: Any, example: Example) -> None:
    filled_in = {name: value for name, value in example.document.items() if name != "trigger"}
    if filled_in.get("max_age_in_days", "") is None:
        filled_in["max_age_in_days"] = 0
    empty = {name: param.default for name, param in dag_file.PARAMS.items()}
    assert dag_file.execution_input(empty | filled_in) == example.document


def test_given_the_contract_then_the_form_offers_each_field_of_it(dag_file: Any) -> None:
    fields = json.loads(CONTRACT.read_text())["properties"]
    assert set(dag_file.PARAMS) == set(fields) - {"trigger"}
    assert dag_file.PARAMS["max_age_in_days"].schema["maximum"] == fields["max_age_in_days"]["maximum"]


@pytest.mark.parametrize(
    "run_id",
    [RUN_ID, "manual__" + "x" * 300, "with spaces: and/colons", "北京 🚀", ""],
    ids=["scheduled", "long", "forbidden characters", "unicode", "empty"],
)
@pytest.mark.parametrize("attempt", [1, 20])
def test_given_any_run_id_then_the_execution_has_a_name_that_step_functions_takes(
    dag_file: Any, run_id: str, attempt: int
) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", dag_file.execution_name(run_id, attempt))


def test_given_run_ids_that_look_alike_once_sanitised_then_their_names_differ(dag_file: Any) -> None:
    alike = ["a:b", "a/b", "a-b", "a--b", "x" * 90, "x" * 91]
    names = {dag_file.execution_name(run_id, attempt) for run_id in alike for attempt in (1, 2, 11)}
    assert len(names) == len(alike) * 3


def test_given_a_run_then_its_execution_starts_with_its_input(
    dag_file: Any, aws: SimpleNamespace, machine: str
) -> None:
    arn = dag_file.start_export(SECRET_ARN, {"max_age_in_days": 7}, RUN_ID)
    execution = aws.states.describe_execution(executionArn=arn)
    assert execution["stateMachineArn"] == machine
    assert json.loads(execution["input"]) == {"trigger": "dag", "max_age_in_days": 7}


@pytest.mark.usefixtures("machine")
def test_given_a_retry_while_the_first_try_runs_then_it_attaches(dag_file: Any, aws: SimpleNamespace) -> None:
    first = dag_file.start_export(SECRET_ARN, {}, RUN_ID)
    assert dag_file.start_export(SECRET_ARN, {}, RUN_ID) == first
    assert dag_file.start_export(SECRET_ARN, {"force": True}, RUN_ID) == first


@pytest.mark.usefixtures("machine")
def test_given_a_worker_that_dies_once_the_execution_has_started_then_the_retry_attaches_to_it(
    dag_file: Any, aws: SimpleNamespace, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WorkerDies(BaseException):
        """The process ends before the task could return the ARN."""

    def die(*_: Any) -> None:
        raise WorkerDies

    with monkeypatch.context() as dying:
        dying.setattr(dag_file.log, "info", die)  # the line after StartExecution
        with pytest.raises(WorkerDies):
            dag_file.start_export(SECRET_ARN, {}, RUN_ID)
    arn = dag_file.start_export(SECRET_ARN, {}, RUN_ID)
    executions = aws.states.list_executions(stateMachineArn=machine)["executions"]
    assert [execution["executionArn"] for execution in executions] == [arn]


def test_given_two_runs_then_they_have_two_executions(dag_file: Any, machine: str) -> None:
    assert dag_file.start_export(SECRET_ARN, {}, RUN_ID) != dag_file.start_export(SECRET_ARN, {}, RUN_ID + "x")


def test_given_executions_that_failed_then_another_starts_and_a_retry_attaches_to_that(
    dag_file: Any, aws: SimpleNamespace, machine: str
) -> None:
    arns = []
    for _ in range(3):
        arns.append(dag_file.start_export(SECRET_ARN, {}, RUN_ID))
        aws.states.stop_execution(executionArn=arns[-1])
    last = dag_file.start_export(SECRET_ARN, {}, RUN_ID)
    assert len({*arns, last}) == 4
    assert last.endswith("-4")
    assert dag_file.start_export(SECRET_ARN, {}, RUN_ID) == last


class AlreadyThere:
    """A Step Functions client for which every execution exists and has the given status."""

    class exceptions:  # noqa: N801 - boto3's name
        class ExecutionAlreadyExists(Exception):  # noqa: N818 - boto3's name
            pass

    def __init__(self, status: str, output: str = "{}") -> None:
        self.description = {"status": status, "output": output}

    def start_execution(self, **_: Any) -> Any:
        raise self.exceptions.ExecutionAlreadyExists

    def describe_execution(self, **_: Any) -> dict[str, str]:
        return self.description


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_given_an_execution_that_runs_or_succeeded_then_the_task_attaches(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(dag_file, "_client", lambda _: AlreadyThere(status))
    expected = f"{MACHINE_ARN.replace('stateMachine', 'execution')}:{dag_file.execution_name(RUN_ID)}"
    assert dag_file.start_export(SECRET_ARN, {}, RUN_ID) == expected


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_given_a_run_whose_executions_always_failed_then_the_task_ends_in_failure(
    dag_file: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(dag_file, "_client", lambda _: AlreadyThere(status))
    with pytest.raises(dag_file.AirflowFailException, match="trigger a new run"):
        dag_file.start_export(SECRET_ARN, {}, RUN_ID)


def test_given_a_cleared_run_that_had_left_it_to_another_export_then_it_starts_its_own(
    dag_file: Any, aws: SimpleNamespace, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dag_file.start_export(SECRET_ARN, {}, RUN_ID)
    aws.states.stop_execution(executionArn=first)
    yielded = {"status": "SUCCEEDED", "output": json.dumps({"status": "BUSY", "winner": MACHINE_ARN})}
    monkeypatch.setattr(aws.states, "describe_execution", lambda **_: yielded)
    monkeypatch.setattr(dag_file, "_client", lambda _: aws.states)
    assert dag_file.start_export(SECRET_ARN, {}, RUN_ID) == f"{first}-2"


@pytest.mark.usefixtures("aws")
def test_given_no_state_machine_then_the_task_fails_for_good_and_says_what_to_deploy(dag_file: Any) -> None:
    with pytest.raises(dag_file.AirflowFailException, match=rf"{MACHINE_ARN}.*deploy the stack"):
        dag_file.start_export(SECRET_ARN, {}, RUN_ID)
