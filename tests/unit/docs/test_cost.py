"""The worked examples of docs/cost.md are what the command line's own arithmetic says."""

import re
from pathlib import Path

import pytest

from export_cli.costing import DAYS_IN_A_MONTH, Cost, Lifecycle, month_costs, run_costs
from export_cli.prices import read_prices
from export_cli.usage import MINIMUM_SECONDS, GlueRun, Usage

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "cost.md"
ROW = re.compile(
    r"^\| (?P<name>\w+).*? \| (?P<seconds>[\d, ]+) \| (?P<mb>\d+) \| \$(?P<run>[\d.]+) \| \$(?P<month>[\d.]+) "
    r"\| \$(?P<storage>[\d.]+) \|$",
    re.MULTILINE,
)
EXAMPLES = [match.groupdict() for match in ROW.finditer(DOCUMENT.read_text())]
TABLES = 65
# About how the bytes of an export are shared: four large tables have nearly all.
SHARES = (0.4, 0.3, 0.2, 0.09)


def used(seconds: list[int]) -> Usage:
    runs = tuple(
        GlueRun(f"group {number}", f"jr_{number}", "SUCCEEDED", each, "G.1X", 2, max(each, MINIMUM_SECONDS) * 2.0)
        for number, each in enumerate(seconds)
    )
    return Usage(runs, transitions=20, lambda_requests=3, lambda_gb_seconds=2.0, puts=TABLES + 20, gets=2 * TABLES)


def total(costs: tuple[Cost, ...], *, of: str = "") -> float:
    return sum(cost.amount for cost in costs if cost.what.startswith(of))


def test_there_are_examples() -> None:
    assert [example["name"] for example in EXAMPLES] == ["small", "medium", "large"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_an_example_is_computed_as_the_command_does(example: dict[str, str]) -> None:
    prices = read_prices(None)
    size = int(example["mb"]) * 1_000_000
    objects = [round(size * share) for share in SHARES] + [round(size * 0.01 / (TABLES - 4))] * (TABLES - 4)

    run = run_costs(used([int(each) for each in example["seconds"].split(",")]), prices)
    month = month_costs(run, objects, Lifecycle(), DAYS_IN_A_MONTH, prices, own_key=True)

    shown = [example[name] for name in ("run", "month", "storage")]
    assert shown == [f"{total(run):.2f}", f"{total(month):.2f}", f"{total(month, of='S3'):.2f}"]
