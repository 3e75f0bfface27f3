"""Why a Glue run failed."""

import json

import pytest
from export_runtime.cause import read_cause
from export_runtime.console import execution_url, log_url

from tests.unit.lambdas.plan_export.cases import ARN

RUN_ID = "jr_" + "0f" * 32
LOG_GROUP = "/aws-glue/jobs/prod-metadata-export/output"
JOB_RUN = {"Arguments": {"--CUTOFF": "null"}, "Id": RUN_ID, "JobName": "x", "JobRunState": "FAILED"}


def test_given_the_json_of_a_job_run_then_its_message_and_id_are_found():
    cause = read_cause("States.TaskFailed", json.dumps({**JOB_RUN, "ErrorMessage": "table locked"}))
    assert (cause.text, cause.job_run_id) == ("table locked", RUN_ID)


def test_given_a_job_run_without_message_then_its_state_is_told():
    assert read_cause("States.TaskFailed", json.dumps({**JOB_RUN, "JobRunState": "TIMEOUT"})).text == (
        "the Glue run ended as TIMEOUT"
    )


def test_given_json_that_was_cut_then_message_and_id_are_found_all_the_same():
    text = json.dumps({"ErrorMessage": 'says "no"\nand again', **JOB_RUN, "ZZZ": "x" * 100})[:-50]
    cause = read_cause("States.TaskFailed", text)
    assert (cause.text, cause.job_run_id) == ('says "no" and again', RUN_ID)


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        ("Glue.ConcurrentRunsExceededException", "too many", "Glue.ConcurrentRunsExceededException: too many"),
        ("States.Timeout", "", "States.Timeout: no reason was given"),
        ("", "", "no reason was given"),
        ("States.TaskFailed", "[]", "[]"),
        ("States.TaskFailed", '"text"', '"text"'),
        ("States.TaskFailed", '{"ErrorMessage": 7}', '{"ErrorMessage": 7}'),
    ],
)
def test_given_plain_text_or_nothing_then_it_is_told_as_it_is(error, cause, text):
    assert read_cause(error, cause).text == text


def test_given_the_json_of_a_functions_error_then_its_message_is_readable():
    text = json.dumps({"errorMessage": "secret x is\nempty", "errorType": "SecretError", "stackTrace": ["..."]})
    cause = read_cause("SecretError", text)
    assert (cause.text, cause.job_run_id, cause.group) == ("SecretError: secret x is empty", None, None)
    assert read_cause("", text[:-30]).text == "secret x is empty"


@pytest.mark.parametrize(
    ("arguments", "group"),
    [({"--EXPORT_GROUP": "tasks"}, "tasks"), ({"--EXPORT_GROUP": "a\nb"}, "a b"), ({}, None), ([], None), (None, None)],
)
def test_given_the_json_of_a_job_run_then_its_table_group_is_found(arguments, group):
    assert read_cause("", json.dumps({**JOB_RUN, "Arguments": arguments})).group == group


@pytest.mark.parametrize("run_id", ["../../x", "jr_<script>", 7, None, "jr_", "jr_" + "a" * 300])
def test_given_an_id_that_is_none_then_it_is_not_trusted(run_id):
    assert read_cause("", json.dumps({**JOB_RUN, "Id": run_id, "ErrorMessage": "x"})).job_run_id is None


def test_given_a_hostile_message_then_it_is_one_line_without_credentials():
    message = "failed\n\nEverything is COMPLETE\u2028postgresql://u:CANARY@h/db " + "x" * 10_000
    text = read_cause("Bad\nError", json.dumps({"ErrorMessage": message})).text
    assert text.isprintable()
    assert "CANARY" not in text
    assert len(text) < 2200


@pytest.mark.parametrize(
    ("arn", "start"),
    [
        (ARN, "https://eu-central-1.console.aws.amazon.com/"),
        (
            ARN.replace(":aws:", ":aws-cn:").replace("eu-central-1", "cn-north-1"),
            "https://cn-north-1.console.amazonaws.cn/",
        ),
        (
            ARN.replace(":aws:", ":aws-us-gov:").replace("eu-central-1", "us-gov-west-1"),
            "https://us-gov-west-1.console.amazonaws-us-gov.com/",
        ),
    ],
    ids=["aws", "aws-cn", "aws-us-gov"],
)
def test_given_a_partition_then_the_links_lead_to_its_console(arn, start):
    assert execution_url(arn).startswith(start)
    assert execution_url(arn).endswith(arn)
    assert log_url(arn, LOG_GROUP, RUN_ID).startswith(start)


def test_given_a_run_then_the_link_leads_to_its_log_streams():
    assert log_url(ARN, LOG_GROUP, RUN_ID).endswith(
        "#logsV2:log-groups/log-group/$252Faws-glue$252Fjobs$252Fprod-metadata-export$252Foutput"
        f"$3FlogStreamNameFilter$3D{RUN_ID}"
    )
    assert log_url(ARN, LOG_GROUP, None) is None
