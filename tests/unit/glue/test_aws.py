"""Clients of AWS: nothing about where they call is left to the machine."""

from collections.abc import Callable
from typing import Any

import pytest
from metadata_export.aws import glue_client, s3_client, secretsmanager_client


@pytest.mark.parametrize("client", [glue_client, s3_client, secretsmanager_client])
@pytest.mark.parametrize("environment", [None, "us-west-2"], ids=["silent", "of another region"])
def test_given_a_region_then_the_environment_has_no_say(
    client: Callable[[str], Any], environment: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if environment is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, environment)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3_client.cache_clear()

    meta = client("ap-southeast-2").meta

    assert meta.region_name == "ap-southeast-2"
    assert "ap-southeast-2" in meta.endpoint_url
    s3_client.cache_clear()
