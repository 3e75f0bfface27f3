"""`doctor` on lifecycle rules and storage classes: what no run could read soon, or cannot read now."""

from typing import Any

import pytest

from tests.unit.cli.environment import checks, must_fail
from tests.unit.cli.made import BUCKET, LAYOUT

UPLOADS = {"ID": "Uploads", "Prefix": "exports/", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
SCRIPT = "assets/glue/script.py"


def rule(days: int | str, storage: str = "GLACIER", **chosen: Any) -> dict[str, Any]:
    """Return a rule that moves, after days or at a date, what a filter chooses."""
    when = {"Days": days} if isinstance(days, int) else {"Date": days}
    return {"ID": "Move", "Filter": chosen or {"Prefix": ""}, "Transitions": [{**when, "StorageClass": storage}]}


def tier(days: int, status: str = "Enabled", **chosen: Any) -> dict[str, Any]:
    """Return a configuration that archives, within Intelligent-Tiering, what nobody reads for so many days."""
    tiers = [{"Days": days, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]
    return {"Id": "Tiers", "Status": status, "Tierings": tiers} | ({"Filter": chosen} if chosen else {})


ARCHIVING = {
    "all": rule(90),
    "at once": rule(0),
    "on a date": rule("2027-01-01T00:00:00Z"),
    "deep": rule(200, "DEEP_ARCHIVE"),
    "by prefix": rule(90, Prefix="assets/"),
    "this environment": rule(90, Prefix="assets/prod/"),
    "a part of it": rule(90, Prefix="assets/prod/0a"),
    "by prefix and size": rule(90, And={"Prefix": "assets/", "ObjectSizeGreaterThan": 500}),
    "by size": rule(90, ObjectSizeGreaterThan=200_000),
    "small ones": rule(90, And={"Prefix": "", "ObjectSizeLessThan": 100_000}),
    "the older form": {"ID": "Move", "Prefix": "as", "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}]},
    "later than another class": {
        "ID": "Move",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
    },
}
HARMLESS = {
    "read at once": rule(90, "GLACIER_IR"),
    "infrequent access": rule(90, "STANDARD_IA"),
    "Intelligent-Tiering without archive tiers": rule(0, "INTELLIGENT_TIERING"),
    "exports after a redrive": rule(14, Prefix="exports/"),
    "another environment": rule(0, Prefix="assets/other/"),
    "a longer name": rule(0, Prefix="assets/prod2/"),
    "tagged ones": rule(0, Tag={"Key": "archive", "Value": "yes"}),
    "tagged ones below a prefix": rule(0, And={"Prefix": "assets/", "Tags": [{"Key": "archive", "Value": "yes"}]}),
    "larger than any package": rule(90, ObjectSizeGreaterThan=10_000_000),
    "switched off": rule(0) | {"Status": "Disabled"},
    "old versions": {
        "ID": "Old",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER"}],
    },
}


class Lifecycles:
    """S3 of the fixture, with a lifecycle as S3 returns it: moto forgets sizes."""

    def __init__(self, s3: Any, *rules: dict[str, Any], small: str = "all_storage_classes_128K") -> None:
        """Give these rules; what is not said about small objects is S3's default."""
        self._s3, self._small = s3, small
        self.tierings: list[dict[str, Any]] = []
        self._rules = [{"Status": "Enabled"} | each for each in rules]

    def __getattr__(self, name: str) -> Any:
        """Return what the fixture has."""
        return getattr(self._s3, name)

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Return them."""
        assert Bucket == BUCKET
        return {"Rules": self._rules, "TransitionDefaultMinimumObjectSize": self._small}

    def list_bucket_intelligent_tiering_configurations(self, Bucket: str, **more: str) -> dict[str, Any]:  # noqa: N803
        """Return one of them a page, as it may come."""
        assert Bucket == BUCKET
        page = int(more.get("ContinuationToken", 0))
        rest = {"NextContinuationToken": str(page + 1), "IsTruncated": page + 1 < len(self.tierings)}
        return {"IntelligentTieringConfigurationList": self.tierings[page : page + 1]} | rest


@pytest.mark.parametrize("archiving", ARCHIVING.values(), ids=ARCHIVING)
def test_given_a_rule_that_archives_script_or_packages_then_the_bucket_fails(sound, fakes, run, archiving):
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, archiving)
    must_fail(run, "bucket", "lifecycle rule Move archives the Glue job's script and packages", "the prefix exports/")


@pytest.mark.parametrize("harmless", HARMLESS.values(), ids=HARMLESS)
def test_given_a_rule_that_leaves_what_is_needed_readable_then_the_bucket_passes(sound, fakes, run, harmless):
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, harmless)
    assert checks(run("doctor", "--json"))["bucket"]["verdict"] == "pass"


@pytest.mark.parametrize(
    ("tierings", "verdict"),
    [
        ([tier(90)], "fail"),
        ([tier(700, Prefix="x/"), tier(90, Prefix="assets/")], "fail"),
        ([tier(90, Prefix="exports/")], "pass"),
        ([tier(90, Tag={"Key": "k", "Value": "v"})], "pass"),
        ([tier(90, "Disabled")], "pass"),
    ],
    ids=["all", "on the second page", "exports", "tagged", "switched off"],
)
def test_given_intelligent_tiering_then_its_archive_tiers_decide(sound, fakes, run, tierings, verdict):
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, rule(0, "INTELLIGENT_TIERING"))
    fakes["s3"].tierings = tierings
    found = checks(run("doctor", "--json"))["bucket"]
    assert found["verdict"] == verdict
    if verdict == "fail":
        assert "archives the Glue job's script and packages below assets/prod/ after 90 days" in found["detail"]


@pytest.mark.parametrize(
    "early",
    [rule(1, Prefix="exports/"), rule(13, Prefix=f"{LAYOUT.root}/_runs/"), rule(3, Prefix=LAYOUT.latest_key)],
    ids=["exports", "manifests", "pointer"],
)
def test_given_a_rule_that_archives_exports_before_a_redrive_then_the_bucket_fails(sound, fakes, run, early):
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, early, small="varies_by_storage_class")
    must_fail(run, "bucket", "needed to redrive, compare and verify", "14 days or more")


def test_given_exports_that_are_archived_later_then_it_says_when(sound, fakes, run):
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, rule(90, Prefix="exports/"))
    assert "and are archived after 90" in checks(run("doctor", "--json"))["bucket"]["detail"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (rule(60, Prefix="exports/"), "archives exports after 60 days, the stack's parameter GlacierAfterDays says 90"),
        (
            {"ID": "Move", "Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 100}},
            "deletes exports after 100 days, the stack's parameter ExpireAfterDays says 365",
        ),
    ],
    ids=["archived", "deleted"],
)
def test_given_the_stacks_own_bucket_then_its_rules_are_what_the_parameters_say(sound, fakes, run, changed, said):
    parameters = fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"]
    parameters += [{"ParameterKey": "GlacierAfterDays", "ParameterValue": "90"}]
    parameters += [{"ParameterKey": "ExpireAfterDays", "ParameterValue": "365"}]
    fakes["s3"] = Lifecycles(fakes["s3"], UPLOADS, changed)
    must_fail(run, "bucket", said, "mwaa-metadata-export repair -e prod --yes")

    parameters += [{"ParameterKey": "ExistingBucketName", "ParameterValue": BUCKET}]
    assert checks(run("doctor", "--json"))["bucket"]["verdict"] == "pass"


class Heads:
    """S3 of the fixture, whose script is described as a test wants it."""

    def __init__(self, s3: Any, **described: str) -> None:
        """Describe it so."""
        self._s3, self._described = s3, described

    def __getattr__(self, name: str) -> Any:
        """Return what the fixture has."""
        return getattr(self._s3, name)

    def head_object(self, Bucket: str, Key: str, **more: Any) -> dict[str, Any]:  # noqa: N803 - AWS' names
        """Describe an object."""
        found: dict[str, Any] = self._s3.head_object(Bucket=Bucket, Key=Key, **more)
        return found | self._described if Key == SCRIPT else found


@pytest.mark.parametrize(
    ("described", "verdict"),
    [
        ({"StorageClass": "GLACIER"}, "fail"),
        ({"StorageClass": "DEEP_ARCHIVE"}, "fail"),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, "fail"),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="false", expiry-date="..."'}, "pass"),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "ARCHIVE_ACCESS"}, "fail"),
        ({"StorageClass": "INTELLIGENT_TIERING"}, "pass"),
        ({"StorageClass": "GLACIER_IR"}, "pass"),
        ({"StorageClass": "STANDARD_IA"}, "pass"),
    ],
    ids=str,
)
def test_given_the_storage_class_of_the_script_then_it_is_readable_or_not(sound, fakes, run, described, verdict):
    fakes["s3"] = Heads(fakes["s3"], **described)
    found = checks(run("doctor", "--json"))["Glue job"]
    assert found["verdict"] == verdict
    if verdict == "fail":
        assert f"its script s3://{BUCKET}/{SCRIPT} is archived" in found["detail"]
        assert found["fix"].endswith(": mwaa-metadata-export publish -e prod")


def test_given_an_archived_pointer_then_list_goes_on_and_says_so(made, run):
    made.export()
    body = made.body(LAYOUT.latest_key)
    made.s3.put_object(Bucket=BUCKET, Key=LAYOUT.latest_key, Body=body, StorageClass="GLACIER")
    assert "latest.json" in run("list").out
    result = run("show", "latest")
    assert (result.code, "aws s3api restore-object" in result.err) == (1, True)
