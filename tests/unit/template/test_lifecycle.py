"""What the bucket's lifecycle does to each kind of object, with and without Parquet."""

import re
from typing import Any

import pytest

from .definitions import resources

ENVIRONMENT = "exports/prod-backups"
PARAMETERS = {
    "BasePrefix": "exports",
    "MwaaEnvironmentName": "prod",
    "StandardIaAfterDays": "30",
    "GlacierAfterDays": "90",
    "ExpireAfterDays": "365",
}
NOTHING = object()
EXPORTED = {"STANDARD_IA": 30, "GLACIER": 90, "expires": 365, "old versions": 30}
READABLE = {"STANDARD_IA": 30, "expires": 365, "old versions": 30}
LARGE = 1 << 20


def resolved(value: Any, writes_parquet: bool) -> Any:
    """A part of the template as CloudFormation makes it."""
    if isinstance(value, list):
        return [found for each in value if (found := resolved(each, writes_parquet)) is not NOTHING]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        assert condition == "WritesParquet"
        return resolved(yes if writes_parquet else no, writes_parquet)
    if "Ref" in value:
        return NOTHING if value["Ref"] == "AWS::NoValue" else PARAMETERS[value["Ref"]]
    if "Fn::Sub" in value:
        return re.sub(r"\$\{(\w+)\}", lambda match: PARAMETERS[match[1]], value["Fn::Sub"])
    return {name: resolved(each, writes_parquet) for name, each in value.items()}


def rules(formats: str) -> list[dict[str, Any]]:
    configured = resources("AWS::S3::Bucket")["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    return list(resolved(configured, formats == "csv,parquet"))


def after_days(formats: str, key: str, size: int = LARGE) -> dict[str, int]:
    """Say when S3 moves and deletes an object: of several rules the earlier day counts."""
    found: dict[str, int] = {}

    def note(what: str, days: Any) -> None:
        found[what] = min(int(days), found.get(what, int(days)))

    for rule in rules(formats):
        if not key.startswith(rule.get("Prefix", "")) or size <= int(rule.get("ObjectSizeGreaterThan", -1)):
            continue
        for each in rule.get("Transitions", ()):
            note(each["StorageClass"], each["TransitionInDays"])
        if "ExpirationInDays" in rule:
            note("expires", rule["ExpirationInDays"])
        if "NoncurrentVersionExpiration" in rule:
            note("old versions", rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
    return found


@pytest.mark.parametrize(
    "key",
    [
        f"{ENVIRONMENT}/2026/12/11/log_143022.csv.gz",
        f"{ENVIRONMENT}/latest.json",
        f"{ENVIRONMENT}/_runs/20261211T143022Z/tasks.json",
        "exports/test-backups/2026/12/11/log_143022.csv.gz",
        "exports/test-backups/latest.json",
    ],
)
def test_without_parquet_everything_below_the_prefix_is_moved_and_deleted(key: str) -> None:
    assert after_days("csv", key) == EXPORTED


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"{ENVIRONMENT}/2026/12/11/log_143022.csv.gz", EXPORTED),
        (f"{ENVIRONMENT}/latest.json", READABLE),
        (f"{ENVIRONMENT}/_runs/20261211T143022Z/tasks.json", READABLE),
        (f"{ENVIRONMENT}/parquet/_columns.json", READABLE),
        (f"{ENVIRONMENT}/parquet/log/export_id=20261211T143022Z/part-0.parquet", READABLE),
        ("exports/test-backups/2026/12/11/log_143022.csv.gz", READABLE),
        ("exports/test-backups/parquet/log/export_id=20261211T143022Z/part-0.parquet", READABLE),
        ("exports/test-backups/latest.json", READABLE),
        ("exports/prod-athena/42.csv", READABLE | {"expires": 7, "old versions": 1}),
    ],
)
def test_with_parquet_everything_is_deleted_and_only_what_athena_does_not_read_is_archived(
    key: str, expected: dict[str, int]
) -> None:
    assert after_days("csv,parquet", key) == expected


@pytest.mark.parametrize("formats", ["csv", "csv,parquet"])
@pytest.mark.parametrize("key", ["assets/prod/script.py", "kept/prod/20261211T143022Z/log_143022.csv.gz"])
def test_what_is_outside_of_the_prefix_stays(key: str, formats: str) -> None:
    assert {"expires", "STANDARD_IA", "GLACIER"}.isdisjoint(after_days(formats, key))


def test_nothing_is_archived_that_s3_would_not_move_by_itself() -> None:
    small = after_days("csv,parquet", f"{ENVIRONMENT}/2026/12/11/log_143022.csv.gz", 128 * 1024 - 1)
    assert small == READABLE
