"""What an export costs by list prices, and what a month of such exports does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from export_cli.prices import Prices
from export_cli.usage import Usage

DAYS_IN_A_MONTH = 365 / 12
_GB = 1024**3  # S3 bills binary gigabytes
# AWS documented: S3 moves no object below 128 KiB unless the rule says a size.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
_SMALLEST_MOVED = 128 * 1024
NOT_INCLUDED = (
    "CloudWatch (logs, metrics, alarms, dashboard), SNS, data transfer, VPC endpoints or NAT, reading exports back, "
    "and MWAA itself"
)


@dataclass(frozen=True)
class Cost:
    """A line of the bill."""

    what: str
    quantity: str
    amount: float


@dataclass(frozen=True)
class Lifecycle:
    """After how many days objects move and go, as the template's parameters say."""

    standard_ia: int = 30
    glacier: int = 90
    expire: int = 365


def lifecycle(parameters: Mapping[str, str]) -> Lifecycle:
    """Return the lifecycle that a stack's parameters set."""
    known = Lifecycle()
    return Lifecycle(
        int(parameters.get("StandardIaAfterDays") or known.standard_ia),
        int(parameters.get("GlacierAfterDays") or known.glacier),
        int(parameters.get("ExpireAfterDays") or known.expire),
    )


def run_costs(usage: Usage, prices: Prices) -> tuple[Cost, ...]:
    """Return what a run cost."""
    of = prices.of
    hours = sum(run.dpu_seconds for run in usage.runs) / 3600
    transitions = usage.transitions or 0
    return (
        Cost("Glue", f"{len(usage.runs)} runs, {hours:.3f} DPU-hours", hours * of["glue_dpu_hour"]),
        Cost("Step Functions", f"{transitions} transitions", transitions * of["states_transition"]),
        Cost(
            "Lambda",
            f"{usage.lambda_requests} calls, {usage.lambda_gb_seconds:.1f} GB-seconds",
            usage.lambda_gb_seconds * of["lambda_gb_second_arm64"] + usage.lambda_requests * of["lambda_request"],
        ),
        Cost(
            "S3 requests",
            f"{usage.puts} writes, {usage.gets} reads",
            usage.puts * of["s3_put"] + usage.gets * of["s3_get"],
        ),
        # With the bucket key of the template there are fewer.
        Cost("KMS requests", f"{usage.puts} at most", usage.puts * of["kms_request"]),
    )


def month_costs(
    run: Iterable[Cost], objects: Iterable[int], kept: Lifecycle, exports: float, prices: Prices, *, own_key: bool
) -> tuple[Cost, ...]:
    """Return what a month costs when the oldest exports expire as new ones come.

    Args:
        run: what one run costs.
        objects: sizes in bytes of one export's objects.
        kept: when they move and go.
        exports: a month.
        prices: list prices.
        own_key: the stack has a KMS key of its own.
    """
    of = prices.of
    return (
        Cost("runs", f"{exports:.1f} exports", exports * sum(cost.amount for cost in run)),
        *_storage(list(objects), kept, exports, prices),
        Cost("KMS key", str(int(own_key)), own_key * of["kms_key_month"]),
        Cost("secret", "1", of["secret_month"]),
    )


def _storage(objects: list[int], kept: Lifecycle, exports: float, prices: Prices) -> tuple[Cost, ...]:
    of = prices.of
    large = [size for size in objects if size >= _SMALLEST_MOVED]
    small_gb, large_gb = (sum(sizes) / _GB for sizes in ([s for s in objects if s < _SMALLEST_MOVED], large))
    a_day = exports / DAYS_IN_A_MONTH
    standard, infrequent, archived = _days(kept)
    stored = [
        ("Standard", a_day * (small_gb * kept.expire + large_gb * standard), of["s3_standard_gb_month"]),
        ("Standard-IA", a_day * large_gb * infrequent, of["s3_standard_ia_gb_month"]),
        ("Glacier", a_day * large_gb * archived, of["s3_glacier_gb_month"]),
    ]
    moves = (
        exports
        * len(large)
        * ((of["s3_standard_ia_transition"] if infrequent else 0) + (of["s3_glacier_transition"] if archived else 0))
    )
    kinds = tuple(Cost(f"S3 {name}", f"{gigabytes:.2f} GB", gigabytes * price) for name, gigabytes, price in stored)
    return (*kinds, Cost("S3 moves", f"{len(large)} objects an export", moves))


def _days(kept: Lifecycle) -> tuple[int, int, int]:
    standard = min(kept.standard_ia, kept.expire)
    infrequent = max(min(kept.glacier, kept.expire) - standard, 0)
    return standard, infrequent, max(kept.expire - standard - infrequent, 0)
