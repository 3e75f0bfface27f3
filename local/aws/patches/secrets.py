"""Secrets Manager: a version gets all labels that it is given, also beside AWSCURRENT, when it is made and only then.

AWS documented: the labels in VersionStages are attached to the new version; a request with the id and the value of a
version that is there is ignored, and one with its id and another value is refused.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings


def apply(_: Settings) -> None:
    """Patch Secrets Manager."""
    for name in ("_resolve", "_add_stage", "json_response", "error_response_json"):
        attribute(secretsmanager, name)
    wrap(secretsmanager, "_put_secret_value", _put_with_all_labels)


def _put_with_all_labels(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(data: dict[str, Any]) -> Any:
        _, secret = secretsmanager._resolve(data.get("SecretId"))
        version = data.get("ClientRequestToken")
        if secret and (there := secret["Versions"].get(version)):
            return _put_again(secret, version, there["SecretString"] == data.get("SecretString"))
        answer = original(data)
        for label in data.get("VersionStages", ()) if answer[0] == 200 else ():
            secretsmanager._add_stage(secret, data["ClientRequestToken"], label)
        return answer

    return put


def _put_again(secret: dict[str, Any], version: str, same: bool) -> Any:
    if not same:
        refusal = "You can't use ClientRequestToken because that value is already in use for a version of secret"
        return secretsmanager.error_response_json("ResourceExistsException", f"{refusal} {secret['ARN']}.", 400)
    labels = list(secret["Versions"][version]["Stages"])
    told = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version, "VersionStages": labels}
    return secretsmanager.json_response(told)
