"""The flow of an export: what is called in which order, what is retried, and who is told."""

import json

import pytest

from tests.contract_examples import base
from tests.contracts import violations
from tests.emulated_account import Account
from tests.state_machine.conftest import GLUE_PERMISSIONS, GROUPS, PERMISSIONS, Stage, create_machine, default_answers

HAPPY_PATH = [
    "Plan Export",
    "Is Export Due?",
    "Prepare Connection",
    "Export Table Groups",
    "Aggregate Results",
    "Is Export Complete?",
]
RERUN = ["Retry Failed Groups", "Aggregate Retried Results"]
RECOVERY = ["Is Recovery Complete?", "Send Recovery Notice", "Export Complete"]
RETRY = ["Send Failure Alert", *RERUN, *RECOVERY]
ONCE_EACH = dict.fromkeys(GROUPS, 1)


def test_given_all_is_well_then_states_follow_the_design_and_nobody_is_told(stage: Stage) -> None:
    export = stage.run(stage.script())

    assert export.states == [*HAPPY_PATH, "Export Complete"]
    assert export.output == {
        "status": "COMPLETE",
        "scope": "full",
        "covers": "all tables; any age",
        "summary_uri": "s3://bucket/summary",
        "total_tables": 3,
        "total_rows": 4,
    }
    assert export.runs == ONCE_EACH
    assert stage.published() == []


def test_given_execution_then_plan_gets_its_input_and_identity(stage: Stage) -> None:
    bucket = stage.script()

    export = stage.run(bucket)

    [event] = export.calls("plan")
    assert event["input"] == {"bucket": bucket}
    assert (event["execution"]["id"], event["execution"]["name"]) == (export.arn, export.arn.rsplit(":", 1)[1])
    assert event["execution"]["start_time"].endswith("Z")


def test_given_plan_then_each_run_gets_its_arguments_as_text(stage: Stage) -> None:
    bucket = stage.script()

    export = stage.run(bucket)

    arguments = export.arguments("runs")

    own = {name: value for name, value in base("job_arguments").items() if name not in arguments}  # of the template
    assert violations("job_arguments", own | arguments) == []
    assert arguments["--S3_OUTPUT_PATH"] == f"s3://{bucket}/exports/env-backups/2026/12/11/"
    assert json.loads(arguments["--EXPORT_TABLES"]) == [{"table": "runs_table", "window": "full"}]
    assert json.loads(arguments["--EXPORT_GROUPS"]) == list(GROUPS)
    assert (arguments["--MAX_AGE_IN_DAYS"], arguments["--CUTOFF"]) == ("null", "null")
    assert (arguments["--CATALOGUED_TABLES"], arguments["--EXCLUDE_TABLES"]) == ("[]", "[]")
    assert (arguments["--INCLUDE_TABLES"], arguments["--WINDOWS"], arguments["--MASK_COLUMNS"]) == ("[]", "{}", "[]")
    assert arguments["--EXECUTION_ARN"] == export.arn
    assert arguments["--GLUE_CONNECTION_NAME"] == "env-metadata-export"
    assert arguments["--MANIFEST_KEY"] == "exports/env-backups/_runs/20261211T143022Z/runs.json"


def test_given_one_group_and_an_age_then_its_arguments_are_still_lists_and_numbers(stage: Stage) -> None:
    bucket = stage.account.bucket()
    plan = default_answers(bucket)["plan"]
    plan["export"] |= {"max_age_in_days": 30, "cutoff": "2026-11-11T14:30:22Z", "mask_columns": ["trigger.kwargs"]}
    plan["export"]["formats"] = ["csv", "parquet"]
    answer = {"return": {**plan, "groups": plan["groups"][:1]}}

    arguments = stage.run(stage.script(bucket=bucket, plan=[answer])).arguments("definitions")

    assert json.loads(arguments["--EXPORT_GROUPS"]) == ["definitions"]
    assert (arguments["--MAX_AGE_IN_DAYS"], arguments["--CUTOFF"]) == ("30", "2026-11-11T14:30:22Z")
    assert arguments["--MASK_COLUMNS"] == '["trigger.kwargs"]'
    assert arguments["--FORMATS"] == '["csv","parquet"]'


@pytest.mark.parametrize(("winner", "word"), [("s3://x/summary", "ALREADY_EXPORTED"), ("arn:other", "BUSY")])
def test_given_export_that_is_not_due_then_one_function_is_called_and_no_run_starts(
    stage: Stage, winner: str, word: str
) -> None:
    bucket = stage.account.bucket()
    plan = {**default_answers(bucket)["plan"], "due": False, "reason": "there is one", "winner": winner}

    export = stage.run(stage.script(bucket=bucket, plan=[{"return": plan}]))

    assert export.states == ["Plan Export", "Is Export Due?", "Already Exported"]
    assert export.output == {"status": word, "reason": "there is one", "winner": winner}
    assert len(export.calls("plan")) == 1
    assert export.calls("prepare") == export.calls("aggregate") == []
    assert export.runs == dict.fromkeys(GROUPS, 0)


def test_given_another_export_at_work_that_brings_less_then_it_waits_plans_again_and_exports(stage: Stage) -> None:
    """A scheduled run that met a manual export of one table used to end as if the environment were backed up."""
    bucket = stage.account.bucket()
    due = default_answers(bucket)["plan"]
    waits = {**due, "due": False, "wait": True, "reason": "one at a time", "winner": "arn:other", "groups": []}

    export = stage.run(stage.script(bucket=bucket, plan=[{"return": waits}, {"return": waits}, {"return": due}]))

    waiting = ["Plan Export", "Is Export Due?", "Wait For Other Export"]
    assert export.states == [*waiting, *waiting, *HAPPY_PATH, "Export Complete"]
    assert (export.output["status"], export.runs) == ("COMPLETE", ONCE_EACH)
    first, *others = export.calls("plan")
    assert others == [first, first]


def test_given_it_has_waited_long_enough_then_the_execution_fails_and_a_redrive_plans_again(stage: Stage) -> None:
    bucket = stage.account.bucket()
    due = default_answers(bucket)["plan"]
    waits = {**due, "due": False, "wait": True, "reason": "one at a time", "winner": "arn:other", "groups": []}
    gives_up = {"raise": "OtherExportError", "message": "redrive this execution when that one has ended"}

    failed = stage.run(stage.script(bucket=bucket, plan=[{"return": waits}, gives_up, {"return": due}]))

    assert (failed.described["status"], failed.described["error"]) == ("FAILED", "OtherExportError")
    assert failed.runs == dict.fromkeys(GROUPS, 0)
    redriven = failed.redriven()
    assert (redriven.described["status"], redriven.runs) == ("SUCCEEDED", ONCE_EACH)


def test_given_group_that_fails_once_then_siblings_finish_and_only_it_is_retried(stage: Stage) -> None:
    export = stage.run(stage.script({"runs": 1}, job_seconds=0.5))

    assert export.states == [*HAPPY_PATH, *RETRY]
    assert export.runs == ONCE_EACH
    first, retry = export.calls("aggregate")
    assert [(result["group"], result["status"]) for result in first["results"]] == [
        ("definitions", "SUCCEEDED"),
        ("runs", "FAILED"),
        ("logs", "SUCCEEDED"),
    ]
    assert [(result["group"], result["status"]) for result in retry["results"]] == [("runs", "SUCCEEDED")]
    assert (first["attempt"], retry["attempt"]) == ("first", "retry")
    assert retry["groups"] == first["groups"]
    assert stage.published() == [("INCOMPLETE first", "runs"), ("COMPLETE retry", "all well")]


@pytest.mark.parametrize("warnings", [{"row_falls": 2}, {"lacks_fernet_key": True}], ids=str)
def test_given_a_complete_export_with_something_amiss_then_one_warning_is_sent_before_the_end(
    stage: Stage, warnings: dict[str, int | bool]
) -> None:
    export = stage.run(stage.script(warnings=warnings))

    assert export.states == [*HAPPY_PATH, "Send Warning", "Export Complete"]
    assert export.output["status"] == "COMPLETE"
    assert stage.published() == [("COMPLETE first", "all well")]


def test_given_something_amiss_in_a_recovered_export_then_the_notice_is_the_only_other_message(stage: Stage) -> None:
    export = stage.run(stage.script({"runs": 1}, warnings={"catalog_problems": 2}))

    assert export.states == [*HAPPY_PATH, *RETRY]
    assert [subject for subject, _ in stage.published()] == ["INCOMPLETE first", "COMPLETE retry"]


def test_given_group_that_fails_then_its_error_is_the_job_runs(stage: Stage) -> None:
    export = stage.run(stage.script({"logs": 1}))

    [failed] = [result for result in export.calls("aggregate")[0]["results"] if result["status"] == "FAILED"]
    assert failed["error"] == "States.TaskFailed"
    cause = json.loads(failed["cause"])
    assert cause["ErrorMessage"] == "Error Category: UNCLASSIFIED_ERROR; RuntimeError: group logs broke"
    assert cause["Id"].startswith("jr_")


def test_given_group_that_keeps_failing_then_execution_fails_and_redrive_reruns_only_it(stage: Stage) -> None:
    failed = stage.run(stage.script({"runs": 2}))
    assert (failed.described["status"], failed.described["error"]) == ("FAILED", "States.TaskFailed")
    assert failed.runs == {"definitions": 1, "runs": 0, "logs": 1}
    assert [subject for subject, _ in stage.published()] == ["INCOMPLETE first"]

    redriven = failed.redriven()

    assert (redriven.described["status"], redriven.described["redriveCount"]) == ("SUCCEEDED", 1)
    assert redriven.runs == ONCE_EACH
    assert redriven.states == [*HAPPY_PATH, *RETRY]
    assert len(redriven.calls("plan")) == 1
    assert [call["attempt"] for call in redriven.calls("aggregate")] == ["first", "retry"]
    assert [subject for subject, _ in stage.published()] == ["COMPLETE retry"]


def test_given_retry_with_two_groups_when_one_fails_again_then_redrive_keeps_what_succeeded(stage: Stage) -> None:
    """The uncaught Map aborts a sibling that still runs; one that has succeeded is not run again."""
    failed = stage.run(stage.script({"definitions": 2, "runs": 1}, last_failure_after_a_sibling=["definitions"]))
    assert failed.described["status"] == "FAILED"
    assert json.loads(failed.described["cause"])["ErrorMessage"].endswith("RuntimeError: group definitions broke")
    assert failed.runs == {**ONCE_EACH, "definitions": 0}

    redriven = failed.redriven()

    assert redriven.described["status"] == "SUCCEEDED"
    assert redriven.runs == ONCE_EACH


def test_given_group_that_only_the_verification_fails_then_redrive_reruns_exactly_it(stage: Stage) -> None:
    """Its runs succeed, so a redrive finds no failed iteration of the Map: the aggregation has it run again."""
    failed = stage.run(stage.script(needed_runs={"runs": 3}))
    assert (failed.described["status"], failed.described["error"]) == ("FAILED", "ExportIncompleteError")
    assert json.loads(failed.described["cause"])["errorMessage"] == "still incomplete: runs"
    assert failed.runs == {**ONCE_EACH, "runs": 2}
    assert failed.summaries == {"20261211T143022Z": "INCOMPLETE"}

    redriven = failed.redriven()

    assert redriven.described["status"] == "SUCCEEDED"
    assert redriven.runs == {**ONCE_EACH, "runs": 3}
    assert redriven.summaries == {"20261211T143022Z": "COMPLETE"}
    assert redriven.states == [*HAPPY_PATH, "Send Failure Alert", *RERUN, "Is Recovery Complete?", *RERUN, *RECOVERY]
    assert [call.get("redriven") for call in redriven.calls("aggregate")] == [None, False, True, False]
    assert [subject for subject, _ in stage.published()] == ["INCOMPLETE first", "COMPLETE retry"]


def test_given_retry_and_redrive_then_each_run_of_a_group_is_told_the_same_so_that_it_finds_what_is_whole(
    stage: Stage,
) -> None:
    redriven = stage.run(stage.script(needed_runs={"runs": 3})).redriven()

    told = [
        {name: value for name, value in arguments.items() if name != "--JOB_RUN_ID"}
        for arguments in redriven.all_arguments("runs")
    ]
    assert len(told) == 3
    assert told[0] == told[1] == told[2]
    assert told[0]["--MANIFEST_KEY"] == "exports/env-backups/_runs/20261211T143022Z/runs.json"


def test_given_each_redrive_fails_the_verification_then_each_runs_the_group_once_more(stage: Stage) -> None:
    export = stage.run(stage.script(needed_runs={"runs": 4}))

    for redrives, status in ((1, "FAILED"), (2, "SUCCEEDED")):
        export = export.redriven()
        assert (export.described["status"], export.runs["runs"]) == (status, 2 + redrives)


def test_given_redrive_of_a_failed_run_when_the_verification_fails_then_the_execution_fails_again(stage: Stage) -> None:
    """That redrive has had the group run, so it is not for the aggregation to have it run again."""
    failed = stage.run(stage.script({"runs": 2}, needed_runs={"runs": 2}))
    assert failed.described["error"] == "States.TaskFailed"

    first = failed.redriven()
    assert (first.described["error"], first.runs["runs"]) == ("ExportIncompleteError", 1)

    second = first.redriven()
    assert (second.described["status"], second.runs) == ("SUCCEEDED", {**ONCE_EACH, "runs": 2})


def test_given_aggregation_that_breaks_after_the_retry_then_redrive_repeats_only_it(stage: Stage) -> None:
    answers = [{"return": "aggregate"}, {"raise": "AwsCallError", "message": "denied"}, {"return": "aggregate"}]

    redriven = stage.run(stage.script({"runs": 1}, aggregate=answers)).redriven()

    assert (redriven.described["status"], redriven.runs) == ("SUCCEEDED", ONCE_EACH)


@pytest.mark.parametrize("function", ["plan", "prepare", "aggregate"])
def test_given_function_that_raises_then_execution_fails_with_its_error_and_cause(stage: Stage, function: str) -> None:
    answer = {"raise": "InvalidInputError", "message": "field x must be y"}

    export = stage.run(stage.script(**{function: [answer]}))

    assert (export.described["status"], export.described["error"]) == ("FAILED", "InvalidInputError")
    assert json.loads(export.described["cause"])["errorMessage"] == "field x must be y"
    assert len(export.calls(function)) == 1, "a terminal error is not retried"
    assert export.runs == (ONCE_EACH if function == "aggregate" else dict.fromkeys(GROUPS, 0))


@pytest.mark.parametrize("function", ["plan", "prepare", "aggregate"])
def test_given_lambda_is_busy_or_the_function_is_too_slow_or_dies_then_the_call_is_retried(
    stage: Stage, function: str
) -> None:
    bucket = stage.account.bucket()
    passing = [
        {"raise": error} for error in ("Lambda.TooManyRequestsException", "Sandbox.Timedout", "Runtime.ExitError")
    ]

    export = stage.run(
        stage.script(bucket=bucket, **{function: [*passing, {"return": default_answers(bucket)[function]}]})
    )

    assert export.described["status"] == "SUCCEEDED"
    assert len(export.calls(function)) == 4


def test_given_cause_that_is_plain_text_then_it_is_reported_as_it_is(
    stage: Stage, account: Account, substitutions: dict[str, str]
) -> None:
    machine = create_machine(account, substitutions, *PERMISSIONS)  # may not start runs

    export = stage.run(stage.script(), machine)

    assert {result["error"] for result in export.calls("aggregate")[0]["results"]} == {"Glue.AWSGlueException"}
    assert "glue:StartJobRun" in export.calls("aggregate")[0]["results"][0]["cause"]
    assert export.described["error"] == "Glue.AWSGlueException"


def test_given_run_that_takes_longer_than_its_state_may_then_its_group_has_failed_without_a_cause(
    stage: Stage, account: Account, substitutions: dict[str, str]
) -> None:
    states = account.client("stepfunctions")
    machine = create_machine(account, substitutions, *PERMISSIONS, *GLUE_PERMISSIONS)
    definition = states.describe_state_machine(stateMachineArn=machine)["definition"]
    states.update_state_machine(stateMachineArn=machine, definition=definition.replace("14400", "1"))

    export = stage.run(stage.script(job_seconds=60), machine)

    results = export.calls("aggregate")[0]["results"]
    assert [(result["error"], result["cause"]) for result in results] == [("States.Timeout", "")] * len(GROUPS)
    assert export.described["error"] == "States.Timeout"


def test_given_too_many_concurrent_runs_then_the_group_waits_for_room(
    stage: Stage, account: Account, substitutions: dict[str, str]
) -> None:
    glue, job = account.client("glue"), substitutions["GlueJobName"]
    described = glue.get_job(JobName=job)["Job"]
    narrow = account.client("glue").create_job(
        Name="narrow", Role=described["Role"], Command=described["Command"], ExecutionProperty={"MaxConcurrentRuns": 2}
    )["Name"]
    machine = create_machine(account, {**substitutions, "GlueJobName": narrow}, *PERMISSIONS, *GLUE_PERMISSIONS)

    export = stage.run(stage.script(), machine)

    assert export.runs == ONCE_EACH


def test_given_sns_refuses_the_alert_then_the_failed_group_is_retried_nevertheless(
    stage: Stage, account: Account, substitutions: dict[str, str]
) -> None:
    machine = create_machine(account, substitutions, "lambda:InvokeFunction", *GLUE_PERMISSIONS)

    export = stage.run(stage.script({"runs": 1}), machine)

    assert export.runs == ONCE_EACH
    assert export.described["error"] == "SNS.AuthorizationErrorException"
    assert stage.published() == []
