"""`cost`: what an export cost, and a month of such exports."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from export_runtime.errors import ExportError
from export_runtime.figures import duration

from export_cli.costing import (
    DAYS_IN_A_MONTH,
    NOT_INCLUDED,
    Cost,
    lifecycle,
    month_costs,
    run_costs,
)
from export_cli.errors import AWS, OK, InvalidOptionError
from export_cli.exports import LATEST
from export_cli.fleet import all_environments, targets
from export_cli.login import login_advice
from export_cli.options import Session, with_session
from export_cli.prices import Prices, read_prices
from export_cli.screen import Screen
from export_cli.target import Target
from export_cli.usage import GlueRun, Usage, read_usage


@dataclass(frozen=True)
class Bill:
    """What an export of an environment cost, and a month of such exports."""

    environment: str
    export_id: str
    usage: Usage
    run: tuple[Cost, ...]
    month: tuple[Cost, ...]

    @property
    def run_total(self) -> float:
        """What the export cost."""
        return sum(each.amount for each in self.run)

    @property
    def month_total(self) -> float:
        """What a month of such exports costs."""
        return sum(each.amount for each in self.month)


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
@all_environments
@with_session
def cost(
    session: Session, export: str, exports_a_month: float, own_prices: Path | None, everywhere: bool
) -> int | None:
    """Say what an EXPORT cost by its own durations, and forecast a month. Default: latest.

    These are list prices, not your bill: no free tier, no discount, no taxes.
    """
    if not math.isfinite(exports_a_month):
        raise InvalidOptionError(f"--exports-a-month {exports_a_month}: allowed is a number of 0 or more.")
    prices = read_prices(own_prices)
    if everywhere:
        return _cost_of_all(session, export, exports_a_month, prices)
    bill = _bill(session, session.target(), export, exports_a_month, prices)
    if session.screen.as_json:
        session.screen.document(_document(bill, prices))
        return OK
    _print(session.screen, bill.export_id, bill.usage, bill.run, bill.month, prices)
    return OK


def _bill(session: Session, target: Target, export: str, exports_a_month: float, prices: Prices) -> Bill:
    found = session.exports(target).find(export)
    summary = found.read()
    usage = read_usage(session.aws, target.name, summary)
    run = run_costs(usage, prices)
    own_key = not target.parameters.get("ExistingKeyArn")
    kept = lifecycle(target.parameters)
    objects = [table.object_bytes for table in summary.details.values()]
    month = month_costs(run, objects, kept, exports_a_month, prices, own_key=own_key)
    return Bill(target.environment, found.export_id, usage, run, month)


def _cost_of_all(session: Session, export: str, exports_a_month: float, prices: Prices) -> int:
    """Print what every environment costs, the dearest first, and return the exit code."""
    bills, unknown = [], {}
    with session.screen.waiting("reading what all environments cost"):
        for target in targets(session):
            try:
                bills.append(_bill(session, target, export, exports_a_month, prices))
            except ExportError as error:
                if login_advice(error, None):
                    raise
                unknown[target.environment] = str(error)
    bills.sort(key=lambda bill: -bill.month_total)
    if session.screen.as_json:
        known = [{"environment": bill.environment, **_document(bill, prices)} for bill in bills]
        session.screen.document({"environments": known, "unknown": unknown})
    currency = prices.about["currency"]
    rows = [[bill.environment, bill.export_id, f"{bill.run_total:,.5f}", f"{bill.month_total:,.2f}"] for bill in bills]
    total = [f"{sum(bill.run_total for bill in bills):,.5f}", f"{sum(bill.month_total for bill in bills):,.2f}"]
    columns = [" environment", "export", f"an export, {currency} ", f"a month, {currency} "]
    session.screen.table(columns, [*rows, ["total", "", *total]], drop=("export",))
    for environment, problem in unknown.items():
        session.screen.line("unknown", f"{environment}: {problem}")
    return AWS if unknown else OK


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


def _document(bill: Bill, prices: Prices) -> dict[str, Any]:
    usage = bill.usage
    return {
        "export_id": bill.export_id,
        "run": {"costs": [asdict(each) for each in bill.run], "total": bill.run_total},
        "month": {"costs": [asdict(each) for each in bill.month], "total": bill.month_total},
        "glue_runs": [asdict(each) for each in usage.runs],
        "complete_records": bool(usage.runs) and usage.transitions is not None,
        "prices": {**prices.about, **prices.of},
        "not_included": NOT_INCLUDED,
    }
