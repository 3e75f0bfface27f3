"""`cost`: what an export cost, and a month of such exports."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from export_runtime.figures import duration

from export_cli.costing import (
    DAYS_IN_A_MONTH,
    NOT_INCLUDED,
    Cost,
    lifecycle,
    month_costs,
    run_costs,
)
from export_cli.errors import InvalidOptionError
from export_cli.exports import LATEST
from export_cli.options import Session, with_session
from export_cli.prices import Prices, read_prices
from export_cli.screen import Screen
from export_cli.usage import GlueRun, Usage, read_usage


@click.command()
@click.argument("export", default=LATEST)
@click.option(
    "--exports-a-month", type=click.FloatRange(0), default=round(DAYS_IN_A_MONTH, 1), show_default=True, metavar="N",
    help="For the forecast.",
)  # fmt: skip
@click.option(
    "--prices", "own_prices", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="JSON with prices of your own; any name of prices.json.",
)  # fmt: skip
@with_session
def cost(session: Session, export: str, exports_a_month: float, own_prices: Path | None) -> None:
    """Say what an EXPORT cost by its own durations, and forecast a month. Default: latest.

    These are list prices, not your bill: no free tier, no discount, no taxes.
    """
    if not math.isfinite(exports_a_month):
        raise InvalidOptionError(f"--exports-a-month {exports_a_month}: allowed is a number of 0 or more.")
    prices = read_prices(own_prices)
    target = session.target()
    found = session.exports(target).find(export)
    summary = found.read()
    usage = read_usage(session.aws, target.name, summary)
    run = run_costs(usage, prices)
    own_key = not target.parameters.get("ExistingKeyArn")
    kept = lifecycle(target.parameters)
    objects = [table.object_bytes for table in summary.details.values()]
    month = month_costs(run, objects, kept, exports_a_month, prices, own_key=own_key)
    if session.screen.as_json:
        session.screen.document(_document(found.export_id, usage, run, month, prices))
        return
    _print(session.screen, found.export_id, usage, run, month, prices)


def _print(
    screen: Screen, export_id: str, usage: Usage, run: Iterable[Cost], month: Iterable[Cost], prices: Prices
) -> None:
    currency = prices.about["currency"]
    runs = [_run_row(each) for each in usage.runs]
    if runs:
        screen.table(["group", "state", "took ", "workers ", "DPU-hours "], runs)
        screen.blank()
    _table(screen, f"Export {export_id}", run, currency, 5)
    if not usage.runs or usage.transitions is None:
        screen.line(
            "AWS no longer knows its Glue runs or its history: what is missing counts as nothing.", style="yellow"
        )
    screen.blank()
    _table(screen, "A month of such exports", month, currency, 2)
    screen.blank()
    about = prices.about
    screen.line(
        f"List prices of {about['region']}, {about['date']} ({about['source']}). Use --prices for your own.",
        style="dim",
    )
    screen.line(f"Not included: {NOT_INCLUDED}.", style="dim")


def _run_row(run: GlueRun) -> list[str]:
    hours = f"{run.dpu_seconds / 3600:.3f}"
    return [run.group, run.state, duration(run.seconds), f"{run.workers} x {run.worker_type}", hours]


def _table(screen: Screen, title: str, costs: Iterable[Cost], currency: str, decimals: int) -> None:
    listed = list(costs)
    rows = [[each.what, each.quantity, f"{each.amount:,.{decimals}f}"] for each in listed]
    total = ["total", "", f"{sum(each.amount for each in listed):,.{decimals}f}"]
    screen.table(["", "quantity", f"{currency} "], [*rows, total], title=title)


def _document(
    export_id: str, usage: Usage, run: Iterable[Cost], month: Iterable[Cost], prices: Prices
) -> dict[str, Any]:
    run_list, month_list = list(run), list(month)
    return {
        "export_id": export_id,
        "run": {"costs": [asdict(each) for each in run_list], "total": sum(each.amount for each in run_list)},
        "month": {"costs": [asdict(each) for each in month_list], "total": sum(each.amount for each in month_list)},
        "glue_runs": [asdict(each) for each in usage.runs],
        "complete_records": bool(usage.runs) and usage.transitions is not None,
        "prices": {**prices.about, **prices.of},
        "not_included": NOT_INCLUDED,
    }
