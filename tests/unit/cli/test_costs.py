"""`cost`: from the runs' own durations, by prices that may be replaced."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from export_contracts.summary import Summary

from export_cli.costing import Lifecycle, month_costs
from export_cli.prices import read_prices
from tests.unit.cli.test_export import HISTORY

GB = 1024**3


class Pages:
    """A client with one paginator."""

    def __init__(self, pages: list[dict[str, Any]] | ClientError) -> None:
        """Give these pages, or this error."""
        self.pages = pages

    def get_paginator(self, _: str) -> "Pages":
        """Return what has pages."""
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """Return them."""
        if isinstance(self.pages, ClientError):
            raise self.pages
        return self.pages


def run_of(export_id: str, group: str, seconds: int, **changes: Any) -> dict[str, Any]:
    """Return a Glue run."""
    arguments = {"--EXPORT_ID": export_id, "--EXPORT_GROUP": group}
    about = {"Id": f"jr_{group}", "JobRunState": "SUCCEEDED", "ExecutionTime": seconds, "Arguments": arguments}
    return about | {"WorkerType": "G.2X", "NumberOfWorkers": 3, "StartedOn": datetime.now(UTC)} | changes


@pytest.fixture
def used(made: Any, fakes: dict[str, Any]) -> Summary:
    """Give an export with its Glue runs and its history, and one of another."""
    summary = made.export()
    own = summary.export_id
    runs = [run_of(own, "tasks", 100), run_of(own, "runs", 20), run_of("20200101T000000Z", "runs", 9999)]
    fakes["glue"] = Pages([{"JobRuns": runs}])
    fakes["stepfunctions"] = Pages([{"events": HISTORY}])
    return summary


def lines(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lines of a bill by what they are for."""
    return {line["what"]: line for line in document["costs"]}


def test_given_runs_then_glue_costs_dpu_hours_with_a_minute_at_least(used, run):
    document = run("cost", "--json").json
    hours = (100 + 60) * 3 * 2 / 3600
    assert lines(document["run"])["Glue"]["amount"] == pytest.approx(hours * 0.44)
    assert [each["group"] for each in document["glue_runs"]] == ["runs", "tasks"]
    assert document["run"]["total"] == pytest.approx(sum(line["amount"] for line in document["run"]["costs"]))


def test_given_glue_says_what_it_bills_then_that_counts(used, fakes, run):
    fakes["glue"].pages = [{"JobRuns": [run_of(used.export_id, "runs", 100, DPUSeconds=36.0)]}]
    assert lines(run("cost", "--json").json["run"])["Glue"]["amount"] == pytest.approx(0.0044)


def test_given_a_history_then_transitions_and_calls_are_counted(used, run):
    found = lines(run("cost", "--json").json["run"])
    assert found["Step Functions"]["quantity"] == "3 transitions"
    assert found["Lambda"]["quantity"].startswith("1 calls, 0.2 GB-seconds")


def test_given_a_run_of_long_ago_then_aws_does_not_know_it_any_more_and_that_is_said(used, fakes, run):
    fakes["glue"].pages = [{"JobRuns": []}]
    gone = {"Error": {"Code": "ExecutionDoesNotExist", "Message": "gone"}}
    fakes["stepfunctions"].pages = ClientError(gone, "GetExecutionHistory")  # type: ignore[arg-type]
    assert run("cost", "--json").json["complete_records"] is False
    assert "AWS no longer knows" in run("cost").out


def test_given_a_job_that_is_gone_then_the_runs_are_unknown_and_that_is_said(used, fakes, run):
    gone = {"Error": {"Code": "EntityNotFoundException", "Message": "gone"}}
    fakes["glue"].pages = ClientError(gone, "GetJobRuns")  # type: ignore[arg-type]
    assert run("cost", "--json").json["complete_records"] is False


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_given_no_finite_number_of_exports_then_it_is_refused(used, run, number):
    result = run("cost", "--exports-a-month", number, "--json")
    assert (result.code, result.out) == (2, "")
    assert "--exports-a-month" in result.err


def test_given_older_runs_then_no_more_pages_are_read(used, fakes):
    from export_cli.aws import Aws
    from export_cli.usage import read_usage

    def pages() -> Any:
        yield {"JobRuns": [run_of("old", "runs", 1, StartedOn=used.started - timedelta(days=9))]}
        raise AssertionError("read on")

    fakes["glue"].pages = pages()
    assert read_usage(Aws(None, None), "job", used).runs == ()


def test_given_output_for_people_then_it_says_that_these_are_list_prices_and_what_is_missing(used, run):
    out = run("cost").out
    for words in (
        "DPU-hours",
        "A month of such exports",
        "List prices of us-east-1, 2026-11-22",
        "Not included: CloudWatch",
    ):
        assert words in out


def test_given_prices_of_ones_own_then_they_count_and_are_named(used, run, tmp_path: Path):
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"glue_dpu_hour": 1, "region": "eu-central-1", "currency": "EUR"}))
    result = run("cost", "--prices", str(file))
    assert "EUR" in result.out
    assert f"List prices of eu-central-1, 2026-11-22 ({file})" in result.out
    document = run("cost", "--prices", str(file), "--json").json
    assert lines(document["run"])["Glue"]["amount"] == pytest.approx(960 / 3600)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"glue": 1}',
        '{"glue_dpu_hour": -1}',
        '{"glue_dpu_hour": "1"}',
        '{"glue_dpu_hour": NaN}',
        '{"region": 1}',
    ],
)
def test_given_prices_that_are_none_then_they_are_refused(used, run, tmp_path: Path, text):
    file = tmp_path / "prices.json"
    file.write_text(text)
    result = run("cost", "--prices", str(file))
    assert (result.code, result.out) == (2, "")
    assert str(file) in result.err


def test_given_the_prices_then_each_has_a_date_a_region_and_a_source():
    prices = read_prices(None)
    assert all(prices.about[name] for name in ("date", "region", "source", "currency"))
    assert all(value > 0 for value in prices.of.values())


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (Lifecycle(30, 90, 365), (30, 60, 275)),
        (Lifecycle(30, 90, 60), (30, 30, 0)),
        (Lifecycle(30, 90, 10), (10, 0, 0)),
    ],
    ids=["usual", "gone before Glacier", "gone before all"],
)
def test_given_a_lifecycle_then_a_month_costs_the_days_in_each_class(kept, expected):
    prices = read_prices(None)
    month = {cost.what: cost for cost in month_costs([], [GB, 1000], kept, 365 / 12, prices, own_key=True)}
    standard, infrequent, archived = expected
    small = 1000 / GB * kept.expire
    assert month["S3 Standard"].amount == pytest.approx((standard + small) * 0.023)
    assert month["S3 Standard-IA"].amount == pytest.approx(infrequent * 0.0125)
    assert month["S3 Glacier"].amount == pytest.approx(archived * 0.0036)


def test_given_an_existing_key_then_it_costs_nothing_more():
    prices = read_prices(None)
    month = {cost.what: cost for cost in month_costs([], [], Lifecycle(), 30, prices, own_key=False)}
    assert month["KMS key"].amount == 0
