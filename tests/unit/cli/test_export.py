"""`export`: the input that it sends, what it shows, and how it ends."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from export_cli import following
from tests.contract_examples import examples
from tests.documents import manifest, table
from tests.unit.cli.made import ARN, HOSTILE, LAYOUT, MACHINE

BEGAN = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
COMPLETE = {"status": "COMPLETE", "summary_uri": "s3://prod-exports/s", "total_tables": 65, "total_rows": 12345}


def event(number: int, kind: str, before: int = 0, **details: Any) -> dict[str, Any]:
    """Return an event of a history."""
    moment = BEGAN + timedelta(seconds=number)
    return {"id": number, "previousEventId": before, "type": kind, "timestamp": moment, **details}


def entered(number: int, name: str, before: int = 0) -> dict[str, Any]:
    """Return the event of a state that is entered."""
    return event(number, "TaskStateEntered", before, stateEnteredEventDetails={"name": name})


def scheduled(number: int, before: int, group: str | None = None) -> dict[str, Any]:
    """Return the event of a task that starts: a Glue run of a group, or a function."""
    parameters = json.dumps({"Arguments": {"--EXPORT_GROUP": group}}) if group else "{}"
    details = {"resourceType": "glue" if group else "lambda", "parameters": parameters}
    return event(number, "TaskScheduled", before, taskScheduledEventDetails=details)


def failed(number: int, before: int, cause: str) -> dict[str, Any]:
    """Return the event of a task that failed."""
    return event(number, "TaskFailed", before, taskFailedEventDetails={"error": "States.TaskFailed", "cause": cause})


HISTORY = [
    entered(1, "Plan Export"),
    scheduled(2, 1),
    event(3, "TaskSucceeded", 2),
    entered(4, "Export Group", 3),
    entered(5, "Export Group", 3),
    scheduled(6, 4, "runs"),
    scheduled(7, 5, "tasks"),
    event(8, "TaskSubmitted", 7),
    event(9, "TaskSubmitted", 6),
    failed(10, 8, json.dumps({"ErrorMessage": f"disk full {HOSTILE}"})),
    event(11, "TaskSucceeded", 9),
]


class StepFunctions:
    """One execution, which ends when its history has been read so often."""

    def __init__(self, status: str = "SUCCEEDED", output: Any = None, looks: int = 2) -> None:
        """End like this."""
        self.status, self.output, self.looks = status, output, looks
        self.started: list[dict[str, Any]] = []
        self.error, self.cause, self.more = "ExportIncompleteError", "x", dict[str, Any]()

    def start_execution(self, **request: Any) -> dict[str, Any]:
        """Start it."""
        self.started.append(request)
        return {"executionArn": ARN}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Describe it."""
        if executionArn != ARN:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": "no"}}, "DescribeExecution")  # type: ignore[typeddict-item]
        self.looks -= 1
        about: dict[str, Any] = {"executionArn": ARN, "startDate": BEGAN, "status": "RUNNING"}
        if self.looks <= 0:
            about |= {"status": self.status, "stopDate": BEGAN + timedelta(seconds=90)}
            about |= {"output": json.dumps(self.output)} if self.output else {"error": self.error, "cause": self.cause}
        return about | self.more

    def redrive_execution(self, executionArn: str) -> None:  # noqa: N803 - AWS' name
        """Let it go on, and end well."""
        self.redriven, self.status, self.output, self.looks = executionArn, "SUCCEEDED", COMPLETE, 2

    def get_paginator(self, name: str) -> "StepFunctions":
        """Return what has pages."""
        self.paginated = name
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """Return the history so far, on two pages; or the executions."""
        if self.paginated == "list_executions":
            older = {"executionArn": "arn:older", "startDate": BEGAN - timedelta(days=1)}
            return [{"executions": [{"executionArn": ARN, "startDate": BEGAN}, older]}]
        seen = HISTORY if self.looks <= 0 else HISTORY[:8]
        return [{"events": seen[:5]}, {"events": seen[5:]}]


@pytest.fixture
def machine(made: Any, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., StepFunctions]:
    """Give a function that makes the state machine."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0)

    def make(**how: Any) -> StepFunctions:
        fakes["stepfunctions"] = StepFunctions(**how)
        return fakes["stepfunctions"]

    return make


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["-d", "7"], {"max_age_in_days": 7}),
        (["--everything"], {"max_age_in_days": None}),
        (["-i", "dag", "-i", "xcom"], {"include_tables": ["dag", "xcom"]}),
        (["-x", "log"], {"exclude_tables": ["log"]}),
        (
            ["-x", "other-team", "-x", "Other Team", "-x", "ünï"],
            {"exclude_tables": ["other-team", "Other Team", "ünï"]},
        ),
        (["-x", 'a,b "c"'], {"exclude_tables": ['a,b "c"']}),
    ],
    ids=str,
)
def test_given_options_then_they_are_the_execution_input(machine, run, arguments, given):
    client = machine(output=COMPLETE)
    assert run("export", *arguments).code == 0
    [started] = client.started
    assert json.loads(started["input"]) == {"trigger": "manual"} | given
    assert started["stateMachineArn"] == MACHINE
    assert len(started["name"]) <= 80


def options(document: dict[str, Any]) -> list[str]:
    """Return the options that ask for an execution input."""
    given = []
    if "max_age_in_days" in document:
        age = document["max_age_in_days"]
        given += ["--everything"] if age is None else ["-d", str(age)]
    for option, name in (("-i", "include_tables"), ("-x", "exclude_tables")):
        given += [word for table in document.get(name, ()) for word in (option, table)]
    return given


def can_be_said(document: Any) -> bool:
    """Say whether options can ask for an input, which are numbers and lists of text."""
    tables = {"include_tables": [], "exclude_tables": []}
    if not isinstance(document, dict) or not document.keys() <= {*tables, "max_age_in_days"}:
        return False
    lists = (tables | document)["include_tables"], (tables | document)["exclude_tables"]
    names_only = all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists)
    return names_only and type(document.get("max_age_in_days", 1)) is int


ASKED_FOR = [each for each in examples("execution_input", "valid") if can_be_said(each.document)]
WRONG = [each for each in examples("execution_input", "invalid") if can_be_said(each.document)]


def test_given_the_examples_then_some_are_of_the_command():
    assert len(ASKED_FOR) > 3
    assert len(WRONG) > 8


@pytest.mark.parametrize("example", ASKED_FOR, ids=str)
def test_given_an_input_of_the_contract_then_options_say_it(machine, run, example):
    client = machine(output=COMPLETE)
    assert run("export", *options(example.document)).code == 0
    [started] = client.started
    assert json.loads(started["input"]) == {"trigger": "manual"} | {
        name: value for name, value in example.document.items() if value != []
    }


@pytest.mark.parametrize("example", WRONG, ids=str)
def test_given_options_against_the_contract_then_nothing_is_started_and_the_field_is_named(machine, run, example):
    client = machine()
    result = run("export", *options(example.document))
    assert (result.code, result.out, client.started) == (2, "", [])
    said = " ".join(result.err.split())
    assert [name for name in example.names if name not in said] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "0", "-i", "a" * 64], ["max_age_in_days is 0", "include_tables has 'aaaa"]),
        (["-d", "4000"], ["allowed is a whole number from 1 to 3650"]),
        (["-i", "dag", "-x", "dag"], ["both have dag"]),
        (["-i", "session"], ["never exported"]),
        (["-i", HOSTILE * 20], ["include_tables has"]),
        (["-x", "\udcff"], ["exclude_tables has '\\udcff'"]),
        (["--everything", "-d", "3"], ["exclude each other"]),
        (["-d", "x"], ["not a valid integer"]),
        (["--nonsense"], ["No such option"]),
    ],
    ids=str,
)
def test_given_wrong_options_then_nothing_is_started_and_everything_wrong_is_named(machine, run, arguments, words):
    client = machine()
    result = run("export", *arguments)
    assert (result.code, result.out, client.started) == (2, "", [])
    assert all(word in result.err for word in words)
    assert "\x1b" not in result.err


def test_given_an_execution_then_each_step_is_shown_once_with_its_group_and_reason(machine, made, run):
    machine(output=COMPLETE, looks=4)
    tables = {"dag_run": table("runs", 5, object_bytes=900), "xcom": table("runs", 1, object_bytes=100)}
    content = json.dumps(manifest(group="runs", tables=tables).to_json())
    made.put(LAYOUT.manifest_key(BEGAN, "runs"), content.encode())
    result = run("export")
    steps = [line for line in result.out.splitlines() if line[:2] == "14"]
    assert steps == [
        "14:30:24 · Plan Export started",
        "14:30:25 ✓ Plan Export succeeded",
        "14:30:28 · Export Group: runs started",
        "14:30:29 · Export Group: tasks started",
        "14:30:32 ✗ Export Group: tasks failed - States.TaskFailed: disk full x [31m '\"<b>",
        "14:30:33 ✓ Export Group: runs succeeded - 2 tables, 6 rows, 1 kB",
    ]
    assert "COMPLETE after 1 min 30 s" in result.out
    assert "65 tables, 12,345 rows: s3://prod-exports/s" in result.out


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({"output": COMPLETE}, 0, "COMPLETE"),
        (
            {"output": COMPLETE | {"scope": "partial", "covers": "only dag; last 7 days"}},
            0,
            "Partial (only dag; last 7 days): no backup of the environment.",
        ),
        ({"output": {"status": "ALREADY_EXPORTED", "reason": "is there", "winner": "s3://x"}}, 0, "is there s3://x"),
        (
            {"output": {"status": "BUSY", "reason": "one at a time", "winner": ARN}},
            7,
            f"Nothing was started: one at a time\nFollow it: mwaa-metadata-export export --execution {ARN} -e prod",
        ),
        ({"status": "FAILED"}, 1, "ExportIncompleteError: x\nLast complete export: There is no COMPLETE and full"),
        ({"status": "TIMED_OUT"}, 1, "TIMED_OUT"),
        ({"status": "ABORTED"}, 1, "ABORTED"),
        ({"output": "text"}, 1, "SUCCEEDED"),
    ],
    ids=["complete", "partial", "already", "busy", "failed", "timed out", "aborted", "another machine"],
)  # fmt: skip
def test_given_an_outcome_then_the_exit_code_says_it(machine, run, how, code, words):
    machine(**how)
    result = run("export")
    assert result.code == code
    assert words in result.out
    machine(**how)
    document = run("export", "--json")
    assert (document.code, document.json["execution_arn"]) == (code, ARN)
    assert document.json["export_id"] == "20261211T143022Z"


def test_given_it_waits_for_another_export_then_that_is_shown_once_with_the_reason(machine, run, monkeypatch):
    def waits(number: int, before: int) -> dict[str, Any]:
        details = {"name": "Wait For Other Export", "input": json.dumps({"reason": f"one at a time {HOSTILE}"})}
        return event(number, "WaitStateEntered", before, stateEnteredEventDetails=details)

    plan = [entered(1, "Plan Export"), scheduled(2, 1), event(3, "TaskSucceeded", 2)]
    again = [entered(5, "Plan Export", 4), scheduled(6, 5), event(7, "TaskSucceeded", 6)]
    history = [*plan, waits(4, 3), *again, waits(8, 7), entered(9, "Prepare Connection", 8), scheduled(10, 9)]
    monkeypatch.setattr("tests.unit.cli.test_export.HISTORY", history)
    machine(output=COMPLETE)
    steps = [line for line in run("export").out.splitlines() if line[:2] == "14"]
    assert steps == [
        "14:30:24 · Plan Export started",
        "14:30:25 ✓ Plan Export succeeded",
        "14:30:26 · Wait For Other Export waiting - one at a time x [31m '\"<b>",
        "14:30:32 · Prepare Connection started",
    ]


def test_given_ctrl_c_then_the_following_ends_and_says_that_the_export_goes_on(machine, run, monkeypatch):
    machine(looks=99)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following.time, "sleep", interrupt)
    result = run("export")
    assert result.code == 130
    assert "The export goes on" in result.err
    assert f"mwaa-metadata-export export --execution {ARN}" in result.err


def test_given_an_execution_then_it_is_followed_and_nothing_is_started(machine, run):
    client = machine(output=COMPLETE)
    assert run("export", "--execution", ARN).code == 0
    assert client.started == []
    assert run("export", "--execution", ARN.replace("run-1", "run-2")).code == 4


@pytest.mark.parametrize("arn", ["garbage", ARN.replace(":execution:", ":stateMachine:"), f"{ARN}\n"])
def test_given_what_is_no_execution_then_it_is_refused(machine, run, arn):
    machine()
    result = run("export", "--execution", arn)
    assert result.code == 2
    assert "is not an execution's ARN" in result.err


def test_given_an_execution_and_no_follow_then_its_status_is_what_it_is(machine, run):
    machine(status="FAILED", looks=0)
    answer = run("export", "--execution", ARN, "--no-follow", "--json").json
    assert answer == {"execution_arn": ARN, "status": "FAILED"}


def test_given_no_follow_then_it_ends_at_once(machine, run):
    machine(looks=99)
    assert run("export", "--no-follow", "--json").json == {"execution_arn": ARN, "status": "RUNNING"}
    assert ARN in run("export", "--no-follow").out


GLUE = json.dumps({"Id": "jr_1", "ErrorMessage": f"disk full {HOSTILE}", "Arguments": {"--EXPORT_GROUP": "tasks"}})
STACK = json.dumps({"errorMessage": "still INCOMPLETE", "errorType": "ExportIncompleteError", "stackTrace": ["a", "b"]})


@pytest.mark.parametrize(
    ("error", "cause", "said", "unsaid"),
    [
        ("ExportIncompleteError", STACK, "ExportIncompleteError: still INCOMPLETE", "stackTrace"),
        ("States.TaskFailed", GLUE, "disk full x", "Arguments"),
        ("InvalidExportInputError", "field x", "A redrive would have the same input.", "export redrive"),
        ("SameSecondError", "another's", "Start a new one: mwaa-metadata-export export -e prod", "export redrive"),
    ],
)
def test_given_a_failure_then_reason_age_of_the_last_good_one_and_commands_are_told(
    made, machine, run, error, cause, said, unsaid
):
    good = made.export(timedelta(hours=9))
    made.put(LAYOUT.summary_key(BEGAN), made.body(LAYOUT.summary_key(good.started)))
    machine(status="FAILED", looks=0)
    client = machine(status="FAILED", looks=0)
    client.error, client.cause = error, cause
    result = run("export", "--execution", ARN, "--region", "eu-central-1")
    assert result.code == 1
    assert said in result.out
    assert unsaid not in result.out
    assert f"Last complete export: {good.export_id}, 9 h ago" in result.out
    assert "mwaa-metadata-export show 20261211T143022Z -e prod --region eu-central-1" in result.out
    assert ("redrive 20261211T143022Z -e prod" in result.out) is (
        error not in ("InvalidExportInputError", "SameSecondError")
    )
    assert "\x1b" not in result.out


@pytest.mark.parametrize("reference", [[], ["20261211T143022Z"]], ids=["the newest", "by its id"])
def test_given_a_failed_execution_then_redrive_lets_it_go_on_and_shows_only_what_happens_then(machine, run, reference):
    client = machine(status="FAILED", looks=0)
    result = run("redrive", *reference)
    assert (result.code, client.redriven) == (0, ARN)
    assert "COMPLETE after" in result.out
    assert "Plan Export started" not in result.out


FOLLOW = f"mwaa-metadata-export export --execution {ARN} -e prod --region eu-central-1"


@pytest.mark.parametrize(
    ("how", "more", "arguments", "code", "said"),
    [
        ({"status": "RUNNING"}, {}, [], 7, f"is at work. Follow it: {FOLLOW}"),
        ({"output": COMPLETE}, {}, [], 2, "there is nothing to redrive"),
        ({"status": "FAILED"}, {"error": "TableNotInDatabaseError"}, [], 2, "would have the same input"),
        ({"status": "FAILED"}, {"error": "SameSecondError"}, [], 2, "would have the same name"),
        (
            {"status": "FAILED"},
            {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": "it is too old"},
            [],
            2,
            "it is too old. Start a new export.",
        ),
        ({}, {}, ["20200101T000000Z"], 4, "There is no execution of export 20200101T000000Z"),
        ({}, {}, ["latest"], 2, "'latest' is no id of an export"),
    ],
    ids=["running", "succeeded", "a mistake", "the same second", "too old", "not there", "no id"],
)
def test_given_what_cannot_be_redriven_then_it_is_said_why(machine, run, how, more, arguments, code, said):
    client = machine(**how, looks=0)
    client.more = more
    result = run("redrive", *arguments)
    assert (result.code, hasattr(client, "redriven")) == (code, False)
    assert said in result.err
