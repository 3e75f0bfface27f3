"""With which Fernet keys the Glue run restores: those that the target's stack has kept, found by their versions."""

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from cryptography.fernet import Fernet
from metadata_proof.restore_keys import KeptKeys, read_keys
from metadata_restore.errors import FernetKeyError
from moto import mock_aws

OLD, NEW, OTHER = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n", b"x"))
VERSIONS = {"old": OLD, "new": f"{NEW},{OLD}", "none": "no key at all"}
NAME = "prod-metadata-export/fernet-key"


def version(name: str) -> str:
    """Return an id as Secrets Manager wants it."""
    return name.encode().hex().ljust(32, "0")


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-central-1")
        client.create_secret(Name=NAME)
        for name, key in VERSIONS.items():
            client.put_secret_value(SecretId=NAME, SecretString=key, ClientRequestToken=version(name))
        yield client


def test_given_an_export_of_another_key_of_the_environment_then_it_is_encrypted_anew(secrets: Any) -> None:
    keys, told = read_keys(secrets, KeptKeys(NAME, version("new")), version("old"))

    assert keys is not None
    anew = keys.translate(Fernet(OLD).encrypt(b"secret").decode())
    assert anew is not None
    assert Fernet(NEW).decrypt(anew) == b"secret"
    assert told == "what is encrypted was encrypted anew with the target's Fernet key"


@pytest.mark.parametrize(
    ("kept", "exported", "said"),
    [
        (KeptKeys(NAME, version("new")), None, None),
        (KeptKeys(NAME, version("new")), version("new"), None),
        (KeptKeys(None, None), version("old"), "the target's Fernet key is not kept"),
        (KeptKeys(NAME, None), version("old"), "the target's Fernet key is not kept"),
        (KeptKeys(NAME, version("new")), version("elsewhere"), "is not kept in prod-metadata-export/fernet-key"),
    ],
    ids=["not kept", "the same key", "no secret", "the target's is not known", "of another environment"],
)
def test_given_no_two_keys_then_what_is_encrypted_stays_and_people_are_told(
    secrets: Any, kept: KeptKeys, exported: str | None, said: str | None
) -> None:
    keys, told = read_keys(secrets, kept, exported)

    assert keys is None
    assert told == said or (said is not None and said in str(told))


@pytest.mark.parametrize("exported", [version("elsewhere"), None], ids=["the version is known", "the newest"])
def test_given_the_secret_of_another_environment_then_its_key_is_the_old_one(
    secrets: Any, exported: str | None
) -> None:
    elsewhere = secrets.create_secret(Name="old-metadata-export/fernet-key")["ARN"]
    given = {"SecretString": OTHER, "ClientRequestToken": version("elsewhere")}
    secrets.put_secret_value(SecretId=elsewhere, **given)

    keys, _ = read_keys(secrets, KeptKeys(NAME, version("new"), elsewhere), exported)

    assert keys is not None
    anew = keys.translate(Fernet(OTHER).encrypt(b"secret").decode())
    assert anew is not None
    assert Fernet(NEW).decrypt(anew) == b"secret"


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (KeptKeys(None, None, NAME), "KeepFernetKey=true"),
        (KeptKeys(NAME, None, NAME), "KeepFernetKey=true"),
        (KeptKeys(NAME, version("new"), "nowhere"), "of nowhere, is not there"),
    ],
    ids=["the target keeps none", "the target's is not known", "the old one is not there"],
)
def test_given_a_secret_that_a_person_names_then_without_both_keys_the_restore_is_refused(
    secrets: Any, kept: KeptKeys, named: str
) -> None:
    with pytest.raises(FernetKeyError, match=named):
        read_keys(secrets, kept, version("old"))


@pytest.mark.parametrize(
    ("current", "exported", "named"),
    [("gone", "old", "mwaa_metadata_export, which keeps it again"), ("new", "none", "old Fernet key is none")],
    ids=["the target's is gone", "no key is kept"],
)
def test_given_a_key_that_is_missing_or_none_then_it_is_refused_without_naming_it(
    secrets: Any, current: str, exported: str, named: str
) -> None:
    with pytest.raises(FernetKeyError, match=named) as refused:
        read_keys(secrets, KeptKeys(NAME, version(current)), version(exported))
    assert not [key for key in VERSIONS.values() if key in str(refused.value)]


def test_given_a_role_that_may_not_read_it_then_the_error_names_the_secret_and_what_to_allow(secrets: Any) -> None:
    with Stubber(secrets) as stubbed:
        stubbed.add_client_error("get_secret_value", "AccessDeniedException", "not authorized")
        with pytest.raises(FernetKeyError, match=rf"{version('old')} of {NAME}.*not authorized.*role may read"):
            read_keys(secrets, KeptKeys(NAME, version("new")), version("old"))
