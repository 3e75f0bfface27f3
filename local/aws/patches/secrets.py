"""Secrets Manager: a version gets all labels that it is given, also beside AWSCURRENT.

AWS documented: the labels in VersionStages are attached to the new version.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings


def apply(_: Settings) -> None:
    """Patch Secrets Manager."""
    for name in ("_resolve", "_add_stage"):
        attribute(secretsmanager, name)
    wrap(secretsmanager, "_put_secret_value", _put_with_all_labels)


def _put_with_all_labels(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(data: dict[str, Any]) -> Any:
        answer = original(data)
        _, secret = secretsmanager._resolve(data.get("SecretId"))
        for label in data.get("VersionStages", ()) if answer[0] == 200 else ():
            secretsmanager._add_stage(secret, data["ClientRequestToken"], label)
        return answer

    return put
