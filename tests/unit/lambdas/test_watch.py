"""Alarms and dashboard watch exactly what the functions emit; with a dimension too many they would watch nothing."""

import json
import re
from typing import Any

import pytest
from aggregate_results import handler as aggregate_results
from aws_lambda_powertools import Metrics
from conduct_drill import handler as conduct_drill
from conduct_drill.errors import NoProofError
from export_runtime import clients
from report_failure import handler as report_failure
from report_failure.glue_runs import GlueRuns

from tests.unit.lambdas.aggregate_results.exports import deliver_all, raw_event
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.report_failure.cases import event as failed_execution
from tests.unit.template.definitions import ROOT, resources, template

ENVIRONMENT = "prod"
Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""namespace, name, dimensions"""


def functions_metrics(monkeypatch: pytest.MonkeyPatch, module: Any, function: str) -> None:
    """Let a handler's metrics have the namespace and the service that the template gives its function."""
    variables = template()["Resources"][function]["Properties"]["Environment"]["Variables"]
    namespace = template()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
    monkeypatch.setattr(module, "metrics", Metrics(namespace=namespace, service=variables["POWERTOOLS_SERVICE_NAME"]))


@pytest.fixture
def emitted(store, context, monkeypatch, capsys) -> set[Metric]:
    """Run the functions that are watched, and return every metric as CloudWatch will know it."""
    functions_metrics(monkeypatch, aggregate_results, "AggregateResultsFunction")
    functions_metrics(monkeypatch, report_failure, "ReportFailureFunction")
    topic = clients.sns().create_topic(Name="alerts")["TopicArn"]
    variables = {
        "ENVIRONMENT_NAME": ENVIRONMENT,
        "EXPORT_BUCKET": BUCKET,
        "BASE_PREFIX": "exports",
        "ALARM_AFTER_HOURS": "36",
    }
    for name, value in {**variables, "GLUE_JOB_NAME": "job", "ALERT_TOPIC_ARN": topic}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(GlueRuns, "_active", lambda self, execution: [])
    deliver_all(store)
    aggregate_results.handler(raw_event(), context)
    report_failure.handler(failed_execution(), context)
    with pytest.raises(NoProofError):
        conduct_drill.handler({"step": "conclude", "export_id": "20261211T143022Z"}, context)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return {metric for line in lines for metric in metrics_of(line)}


def metrics_of(line: dict[str, Any]) -> set[Metric]:
    """Return the metrics that CloudWatch reads from one line of the embedded format."""
    return {
        (directive["Namespace"], metric["Name"], frozenset((name, line[name]) for name in names))
        for directive in line["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def resolved(text: str) -> str:
    """Return a text of the template with the environment's name, and a 1 for every other reference."""
    text = text.replace("${MwaaEnvironmentName}", ENVIRONMENT).replace("${!", "$(")
    return re.sub(r"\$\{[\w:.]+\}", "1", text)


def chosen(value: Any, conditions: tuple[str, ...]) -> str:
    """Return what Fn::If and Fn::Sub make of a value of the template where these conditions hold, and no other."""
    if isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return chosen(yes if condition in conditions else no, conditions)
    if isinstance(value, dict) and "Fn::Sub" in value:
        text, values = value["Fn::Sub"] if isinstance(value["Fn::Sub"], list) else (value["Fn::Sub"], {})
        for name, each in values.items():
            text = text.replace(f"${{{name}}}", chosen(each, conditions))
        return str(text)
    return "1" if isinstance(value, dict) else str(value)


def dashboard(*conditions: str) -> list[dict[str, Any]]:
    """Return the dashboard's widgets where these conditions hold, and no other."""
    [found] = resources("AWS::CloudWatch::Dashboard").values()
    body = chosen(found["Properties"]["DashboardBody"], conditions)
    body = re.sub(r"\$\{(\w+)\.Arn\}", r"\1", body)  # an alarm by its logical id
    return list(json.loads(resolved(body))["widgets"])


def widgets() -> list[dict[str, Any]]:
    """Return the dashboard's widgets that show metrics."""
    return [widget["properties"] for widget in dashboard("Drills") if widget["type"] == "metric"]


def shown(widget: dict[str, Any]) -> list[Metric]:
    """Return the metrics of a widget; a dot repeats what the line before has there."""
    found: list[Metric] = []
    before: list[str] = []
    for entry in widget["metrics"]:
        values = [value for value in entry if isinstance(value, str)]
        if not values:
            continue
        before = [before[place] if value == "." else value for place, value in enumerate(values)]
        found.append((before[0], before[1], frozenset(zip(before[2::2], before[3::2], strict=True))))
    return found


def expressions() -> list[str]:
    """Return the dashboard's expressions."""
    entries = [entry for widget in widgets() for entry in widget["metrics"]]
    return [
        value["expression"] for entry in entries for value in entry if isinstance(value, dict) and "expression" in value
    ]


def alarms() -> dict[str, dict[str, Any]]:
    """Return the alarms by name."""
    return {
        resolved(alarm["Properties"]["AlarmName"]["Fn::Sub"]): alarm["Properties"]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
    }


@pytest.mark.parametrize("name", ["no-complete-export", "unproven"])
def test_given_an_alarm_on_what_functions_tell_then_its_metric_is_the_one_that_is_emitted(emitted, name):
    alarm = alarms()[f"prod-metadata-export-{name}"]
    values = {d["Name"]: ENVIRONMENT if isinstance(d["Value"], dict) else d["Value"] for d in alarm["Dimensions"]}
    assert (alarm["Namespace"], alarm["MetricName"], frozenset(values.items())) in emitted


def test_given_the_dashboard_then_every_metric_on_it_is_emitted(emitted):
    watched = {metric for widget in widgets() for metric in shown(widget)}
    assert len(watched) >= 8
    assert watched - emitted == set()


@pytest.mark.parametrize("held", [(), ("Replicates",), ("Drills",), ("Drills", "Replicates")], ids=" and ".join)
def test_given_the_dashboard_then_it_shows_every_alarm_that_the_stack_has(held):
    shown = [widget["properties"] for widget in dashboard(*held) if widget["type"] == "alarm"]
    alarms = resources("AWS::CloudWatch::Alarm").items()
    there = {name for name, alarm in alarms if alarm.get("Condition") in (None, *held)}
    assert [set(widget["alarms"]) for widget in shown] == [there]


@pytest.mark.parametrize("held", [(), ("Drills",)], ids=str)
def test_given_a_stack_without_drills_then_no_tile_waits_for_a_proof_and_none_leaves_a_gap(held):
    """The tile stayed empty where the parameter DrillSchedule was none."""
    found = dashboard(*held)
    proofs = [w for w in found if "ProvenRestorableAge" in json.dumps(w)]
    assert len(proofs) == len(held)
    assert {row: sum(w["width"] for w in found if w["y"] == row) for row in {w["y"] for w in found}} == dict.fromkeys(
        (0, 2, 6, 12), 24
    )


def test_given_exports_with_parquet_then_the_dashboard_leads_to_the_workgroup():
    [without, leading] = (
        [w["properties"] for w in dashboard(*held) if w["type"] == "text"] for held in ((), ("WritesParquet",))
    )
    [group] = resources("AWS::Athena::WorkGroup").values()
    name = resolved(group["Properties"]["Name"]["Fn::Sub"])
    assert f"#/workgroups/details/{name})" in leading[0]["markdown"]
    assert "Athena" not in without[0]["markdown"]


def test_given_the_search_for_groups_then_it_finds_the_dimensions_that_are_emitted(emitted):
    [search] = [expression for expression in expressions() if expression.startswith("SEARCH")]
    schema, name, environment = re.match(
        r"SEARCH\('\{([\w,]+)\} MetricName=\"(\w+)\" environment=\"(\w+)\"'", search
    ).groups()
    namespace, *names = schema.split(",")
    found = {metric for metric in emitted if metric[1] == name}
    assert found
    for metric in found:
        assert metric[0] == namespace
        assert {dimension for dimension, _ in metric[2]} == set(names)
        assert ("environment", environment) in metric[2]


def test_given_expressions_then_each_id_they_use_is_defined_and_unique():
    for widget in widgets():
        options = [value for entry in widget["metrics"] for value in entry if isinstance(value, dict)]
        ids = [option["id"] for option in options if "id" in option]
        assert len(ids) == len(set(ids))
        for option in options:
            text = re.sub(r"'[^']*'", "", option.get("expression", ""))
            assert set(re.findall(r"\b[a-z]\w*\b", text)) <= set(ids)


@pytest.mark.parametrize("name", alarms())
def test_given_an_alarm_then_topic_and_key_let_cloudwatch_use_them_for_it(name):
    alarm = alarms()[name]
    assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}]
    [topic] = resources("AWS::SNS::TopicPolicy").values()
    key = resources("AWS::KMS::Key")["ExportKey"]
    policies = (topic["Properties"]["PolicyDocument"], key["Properties"]["KeyPolicy"])
    statements = [s for policy in policies for s in policy["Statement"] if "Service" in s["Principal"]]
    assert [statement["Action"] for statement in statements] == ["sns:Publish", ["kms:Decrypt", "kms:GenerateDataKey"]]
    for statement in statements:
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        pattern = statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].rpartition(":alarm:")[2]
        assert re.fullmatch(resolved(pattern).replace("*", ".*"), name)


@pytest.mark.parametrize("name", alarms())
def test_given_an_alarm_then_it_says_what_it_means_and_what_to_do_within_cloudwatchs_limit(name):
    description = resolved(alarms()[name]["AlarmDescription"]["Fn::Sub"])
    assert "What to do:" in description
    assert len(description) + 200 < 1024  # names are longer than here


def test_given_no_data_at_all_then_the_alarm_on_exports_fires_after_its_hours():
    alarm = alarms()["prod-metadata-export-no-complete-export"]
    hours = {"Ref": "AlarmAfterHours"}
    assert (alarm["TreatMissingData"], alarm["Period"]) == ("breaching", 3600)
    assert alarm["EvaluationPeriods"] == alarm["DatapointsToAlarm"] == hours
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Sum", "LessThanThreshold", 1)
    assert alarm["OKActions"] == [{"Ref": "AlertTopic"}]
    # Period times EvaluationPeriods may be a week at most (PutMetricAlarm).
    assert template()["Parameters"]["AlarmAfterHours"]["MaxValue"] * 3600 <= 604_800


def test_given_a_proof_that_is_too_old_then_the_alarm_fires_and_days_that_tell_nothing_change_nothing():
    alarm = alarms()["prod-metadata-export-unproven"]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Minimum", "GreaterThanThreshold")
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == ({"Ref": "AlarmAfterDaysUnproven"}, "ignore")
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, 1)
    assert alarm["OKActions"] == [{"Ref": "AlertTopic"}]


def test_given_the_saved_query_then_it_looks_at_every_log_group_and_stands_in_the_docs():
    [query] = resources("AWS::Logs::QueryDefinition").values()
    groups = query["Properties"]["LogGroupNames"]
    # Those of a restore are there where it is allowed only.
    always = {name for name, group in resources("AWS::Logs::LogGroup").items() if "Condition" not in group}
    assert {group["Ref"] for group in groups} == always
    assert query["Properties"]["QueryString"] in (ROOT / "docs" / "operate.md").read_text()
