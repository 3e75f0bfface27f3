"""`doctor` on bucket and key, which may be the owner's: each thing that an export needs and may lack."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.cli.environment import ALARMS, checks, client, encrypt_bucket, key_policy, must_fail, set_lifecycle
from tests.unit.cli.made import BUCKET

UPLOADS = {"ID": "Uploads", "Prefix": "exports/", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
ENCRYPT = f": aws s3api put-bucket-encryption --bucket {BUCKET} --server-side-encryption-configuration"
DENY = f": aws s3api put-bucket-policy --bucket {BUCKET} --policy"
ABORT = f": aws s3api put-bucket-lifecycle-configuration --bucket {BUCKET} --lifecycle-configuration"
LET = ": aws kms put-key-policy --key-id"
Harm = Callable[[str, dict[str, Any]], None]


def _lifecycle(*rules: dict[str, Any]) -> Harm:
    return lambda _key, _fakes: set_lifecycle(*rules)


def _statement(**changes: Any) -> Harm:
    def change(_: str, fakes: dict[str, Any]) -> None:
        fakes["s3"].statement = fakes["s3"].statement | changes

    return change


def _no_policy(_: str, fakes: dict[str, Any]) -> None:
    fakes["s3"].statement = None


def _another_key(_key: str, _fakes: dict[str, Any]) -> None:
    encrypt_bucket("arn:aws:kms:eu-central-1:123456789012:key/another")


def _own_keys(_key: str, _fakes: dict[str, Any]) -> None:
    encrypt_bucket(None)


def _no_bucket_key(key: str, _fakes: dict[str, Any]) -> None:
    encrypt_bucket(key, bucket_key=False)


def _open(_key: str, _fakes: dict[str, Any]) -> None:
    client("s3").delete_public_access_block(Bucket=BUCKET)


def _key_statements(*statements: dict[str, Any]) -> Harm:
    def change(key: str, _: dict[str, Any]) -> None:
        client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(*statements))

    return change


def _key_off(key: str, _: dict[str, Any]) -> None:
    client("kms").disable_key(KeyId=key.rpartition("/")[2])  # moto takes no ARN here


def _key_going(key: str, _: dict[str, Any]) -> None:
    client("kms").schedule_key_deletion(KeyId=key.rpartition("/")[2])


def key_of(fakes: dict[str, Any]) -> str:
    """Return the ARN of the stack's key."""
    outputs = fakes["cloudformation"].stacks["prod-metadata-export"]["Outputs"]
    return next(str(output["OutputValue"]) for output in outputs if output["OutputKey"] == "KeyArn")


@pytest.mark.parametrize(
    ("check", "harm", "detail", "fix"),
    [
        ("bucket", _another_key, "with arn:aws:kms:eu-central-1:123456789012:key/another", ENCRYPT),
        ("bucket", _own_keys, "default encryption is with AES256", ENCRYPT),
        ("bucket", _no_bucket_key, "bucket keys are off", ENCRYPT),
        ("bucket", _open, "public access is not blocked (BlockPublicAcls, ", "put-public-access-block --bucket"),
        ("bucket", _no_policy, "without TLS are not denied", DENY),
        ("bucket", _statement(Effect="Allow"), "without TLS are not denied", DENY),
        ("bucket", _statement(Principal={"AWS": "arn:aws:iam::1:root"}), "without TLS are not denied", DENY),
        ("bucket", _statement(Action="s3:GetObject"), "without TLS are not denied", DENY),
        ("bucket", _statement(Resource=f"arn:aws:s3:::{BUCKET}"), "without TLS are not denied", DENY),
        ("bucket", _statement(Condition={}), "without TLS are not denied", DENY),
        ("bucket", _lifecycle(UPLOADS | {"Prefix": "other/"}), "below exports/ are never aborted", ABORT),
        ("bucket", _lifecycle(UPLOADS | {"Status": "Disabled"}), "below exports/ are never aborted", ABORT),
        (
            "bucket",
            _lifecycle(UPLOADS, {"ID": "All", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}),
            "lifecycle rule All deletes the Glue job's script",
            "prefix exports/",
        ),
        (
            "bucket",
            _lifecycle(UPLOADS, {"ID": "Env", "Filter": {"Prefix": "assets/prod/"}, "Expiration": {"Days": 30}}),
            "lifecycle rule Env deletes the Glue job's script",
            "prefix exports/",
        ),
        ("key", _key_off, "the key is Disabled", ": aws kms enable-key --key-id"),
        ("key", _key_going, "the key is PendingDeletion", ": aws kms cancel-key-deletion --key-id"),
        ("key", _key_statements(), "does not let CloudWatch use it", LET),
        ("key", _key_statements(ALARMS | {"Action": "kms:Decrypt"}), "does not let CloudWatch", LET),
    ],
)
def test_given_a_bucket_or_key_that_lacks_something_then_its_check_fails_with_the_fix(
    sound, fakes, run, check, harm, detail, fix
):
    harm(key_of(fakes), fakes)
    must_fail(run, check, detail, fix)


@pytest.mark.parametrize(
    "change",
    [
        _statement(Principal={"AWS": "*"}, Action=["*"], Resource="*"),
        _statement(Condition={"BoolIfExists": {"aws:SecureTransport": ["false"]}}),
        _lifecycle(UPLOADS, {"ID": "Old", "Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 9}}),
        _key_statements(ALARMS | {"Action": ["kms:Decrypt", "kms:GenerateDataKey*"]}),
        lambda key, _: encrypt_bucket(key.rpartition("/")[2]),
        _lifecycle(
            UPLOADS | {"Prefix": "exports/prod-backups/"},
            {"ID": "Other", "Filter": {"Prefix": "assets/other/"}, "Expiration": {"Days": 9}},
        ),
    ],
    ids=[
        "every action of everybody",
        "BoolIfExists",
        "both styles",
        "action pattern",
        "key by its id",
        "shared bucket",
    ],
)
def test_given_the_same_said_in_another_way_then_it_passes(sound, fakes, run, change):
    change(key_of(fakes), fakes)
    found = checks(run("doctor", "--json"))
    assert (found["bucket"]["verdict"], found["key"]["verdict"]) == ("pass", "pass")


def test_given_several_problems_then_all_are_listed_with_their_fixes(sound, fakes, run):
    _own_keys("", fakes)
    _no_policy("", fakes)
    found = checks(run("doctor", "--json"))["bucket"]
    assert found["detail"].count(";") == 1
    assert found["fix"].startswith("(1) ")
    assert " (2) " in found["fix"]


@pytest.mark.parametrize(("days", "said"), [(30, "exports expire after 30 days"), (None, "exports are kept for ever")])
def test_given_a_sound_bucket_then_it_says_how_long_exports_stay(sound, run, days, said):
    set_lifecycle(UPLOADS, *([{"ID": "E", "Prefix": "exports/", "Expiration": {"Days": days}}] if days else []))
    assert said in checks(run("doctor", "--json"))["bucket"]["detail"]
